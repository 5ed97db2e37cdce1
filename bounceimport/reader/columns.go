package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
)

// column is what a column of an unknown layout means.
type column byte

const (
	colNone column = iota
	colRecipient
	colReply
	colCode
	colStatus
	colTime
	colVerdict
	colRemote
	colSender
	colMessageID
	colBounced
	colUnsubscribed
	colComplained
	columns
)

// columnOf knows the header names, folded, that exports use for what we need,
// in the languages whose programs write them.
func columnOf(h string) column {
	switch h {
	case "email", "e_mail", "mail", "address", "email_address", "emailaddress", "e_mail_address", "recipient", "recipients", "rcpt", "to", "rcpt_to",
		"recipient_email", "recipient_address", "recipientaddress", "to_address", "to_email", "toemail", "email_to", "contact_email", "subscriber", "subscriber_email",
		"final_recipient", "original_recipient", "orcpt", "raw_rcpt_to", "user_email", "customer_email", "email_id", "mail_address", "bounced_address", "bounced_email", "failed_recipient",
		"e_mail_adresse", "email_adresse", "emailadresse", "mailadresse", "empfänger", "empfaenger", "adresse", "adresse_e_mail", "adresse_email", "adresse_mail", "courriel", "destinataire",
		"correo", "correo_electrónico", "correo_electronico", "dirección_de_correo", "direccion_de_correo", "destinatario", "dirección", "direccion", "endereço_de_email", "endereço_de_e_mail", "endereco_de_email",
		"indirizzo_email", "indirizzo_e_mail", "indirizzo", "e_mailadres", "emailadres", "ontvanger", "adres", "adres_e_mail", "adres_email", "odbiorca", "e_post", "epost", "e_postadress", "mottagare", "modtager", "mottaker",
		"sähköposti", "e_posta", "eposta", "alıcı", "почта", "эл_почта", "электронная_почта", "адрес", "адрес_электронной_почты", "получатель", "email_адрес",
		"メールアドレス", "メール", "宛先", "受信者", "邮箱", "邮箱地址", "电子邮件", "收件人", "電子郵件", "電子信箱", "이메일", "이메일_주소", "수신자":
		return colRecipient
	case "reason", "error", "description", "dsndiag", "diag", "diagnostic", "diagnostic_code", "diagnosticcode", "response", "bounce_text", "bouncetext", "smtp_reply", "smtp_response", "details", "detail",
		"message", "error_message", "errormessage", "bounce_reason", "bouncereason", "bounce_message", "bounce_description", "raw_reason", "reply", "failure_reason", "failurereason", "status_message", "server_response", "last_error",
		"text", "output", "log", "comment", "diagnostics", "remote_response", "delivery_status_message", "rejection_reason", "bounce_detail", "bounce_details", "bounce_diagnostic", "bounce_error", "smtp_error", "explanation", "info", "email_hard_bounce_reason", "email_hard_bounce_reason_enum", "hard_bounce_reason", "smtp_message", "smtp_reason", "diagnostic_message",
		"grund", "fehler", "fehlermeldung", "meldung", "antwort", "beschreibung", "begründung", "raison", "motif", "erreur", "réponse", "message_d_erreur",
		"motivo", "razón", "razon", "respuesta", "mensaje", "descripción", "descripcion", "razão", "erro", "mensagem", "resposta", "descrição", "errore", "messaggio", "risposta", "descrizione", "reden", "fout", "foutmelding", "bericht", "omschrijving",
		"powód", "powod", "błąd", "orsak", "fel", "årsag", "årsak", "syy", "sebep", "hata", "neden", "причина", "ошибка", "ответ", "сообщение", "описание", "理由", "エラー", "エラー内容", "原因", "错误", "错误信息", "退信原因", "사유", "오류":
		return colReply
	case "code", "smtp_code", "smtpcode", "error_code", "errorcode", "reply_code", "replycode", "bounce_code", "bouncecode", "response_code", "smtp_status_code", "statuscode", "fehlercode", "code_erreur", "código", "codigo", "codice", "код", "コード", "代码":
		return colCode
	case "status", "dsnstatus", "dsn_status", "dsn", "enhanced_code", "enhanced_status_code", "enhanced_status", "delivery_status", "deliverystatus", "smtp_status", "estado", "état", "etat", "stato", "статус", "状态", "ステータス", "상태":
		return colStatus
	case "created", "created_at", "createdat", "date", "time", "timestamp", "datetime", "date_time", "bounced_at", "bouncedat", "bounce_date", "bouncedate", "bounce_time", "event_time", "eventtime", "event_date", "timelogged", "last_updated", "last_update", "last_update_time", "last_updated_at", "last_event_at", "suppression_date", "date_suppressed", "occurred_at", "occurred", "last_bounce", "last_bounced",
		"updated", "updated_at", "lastupdatetime", "date_added", "added", "added_at", "added_on", "logged", "logged_at", "received", "suppressed_at", "when", "ts", "ts_epoch", "ts_event", "processed", "date_bounced", "bounced_on", "date_created", "time_stamp", "day",
		"datum", "zeit", "zeitpunkt", "zeitstempel", "datum_uhrzeit", "erstellt", "erstellt_am", "uhrzeit", "date_heure", "heure", "horodatage", "fecha", "hora", "fecha_y_hora", "data", "data_e_hora", "data_ora", "tijd", "datum_tijd", "tijdstip", "czas", "data_utworzenia", "dato", "tid", "tarih", "päivämäärä", "дата", "время", "дата_и_время", "日時", "日付", "時刻", "时间", "日期", "時間", "날짜", "시간":
		return colTime
	case "type", "event", "bounce_type", "bouncetype", "event_type", "eventtype", "category", "bounce_category", "bouncecat", "bounce_classification", "classification", "severity", "action", "dsnaction", "suppression_reason", "suppressionreason", "suppression_type", "kind", "class", "bounce_class", "recordtype", "result", "state", "verdict", "disposition", "source", "st_text", "event_name", "status_text",
		"typ", "art", "ereignis", "kategorie", "bounce_typ", "bounceart", "bounce_art", "catégorie", "categorie", "évènement", "événement", "tipo", "tipo_de_rebote", "categoría", "categoria", "evento", "tipo_di_bounce", "soort", "rodzaj", "kategoria", "händelse", "hændelse", "tür", "тип", "событие", "категория", "種別", "種類", "类型", "類型", "유형":
		return colVerdict
	case "remote_mta", "remotemta", "dsnmta", "mx", "mx_host", "mxhost", "remote_host", "remote", "relay", "server", "host", "remote_server":
		return colRemote
	case "sender", "from", "orig", "frm", "mail_from", "mailfrom", "from_address", "fromaddress", "senderaddress", "envelope_from", "sender_address", "absender", "expéditeur", "remitente", "mittente", "отправитель":
		return colSender
	case "message_id", "messageid", "smtp_id", "msgid", "msg_id", "mid", "internet_message_id":
		return colMessageID
	case "bounced", "is_bounced", "hard_bounced", "hard_bounce", "hardbounced", "hardbounce", "global_bounce", "portal_bounce", "email_hard_bounced":
		return colBounced
	case "unsubscribed", "is_unsubscribed", "opted_out", "opt_out", "optout", "unsubscribed_at", "unsubscribe_date", "unsubscribe_time", "unsub_time", "global_unsubscribe", "email_opt_out", "unsubscribed_from_all_email", "global_unsubscribed", "abgemeldet", "abgemeldet_am":
		return colUnsubscribed
	case "complained", "complaint", "spam_complaint", "marked_as_spam", "spam_report", "complained_at", "complaint_date", "spam_reported", "marked_spam", "beschwerde":
		return colComplained
	}
	return colNone
}

// A meaning says what the columns of a file of unknown layout mean.
type meaning struct {
	at      [columns]int // the first column of each kind; -1: none
	replies []int        // several may hold text that a server said; the longest counts
	plain   bool         // nothing but addresses, and times: a list of the bounced
}

func noColumns() *meaning {
	m := &meaning{}
	for i := range m.at {
		m.at[i] = -1
	}
	return m
}

// add notes that column i is of kind c.
func (m *meaning) add(c column, i int) {
	if c == colReply {
		m.replies = append(m.replies, i)
	}
	if c != colNone && m.at[c] < 0 {
		m.at[c] = i
	}
}

// evidence tells whether some column says what happened.
func (m *meaning) evidence() bool {
	for _, c := range [...]column{colReply, colCode, colStatus, colVerdict, colBounced, colUnsubscribed, colComplained} {
		if m.at[c] >= 0 {
			return true
		}
	}
	return false
}

func (m *meaning) get(cells []string, c column) string { return cell(cells, m.at[c]) }

// row fills the event of one row.
func (m *meaning) row(d *reading, cells []string, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Remote = m.get(cells, colRecipient), d.time(m.get(cells, colTime)), firstWord(m.get(cells, colRemote))
	e.Sender, e.MessageID = m.get(cells, colSender), m.get(cells, colMessageID)
	if strings.IndexByte(e.Recipient, '@') < 0 {
		return outcome{}
	}
	if m.plain {
		e.Hint, e.Verdict = "esp_suppressed", "listed"
		return outcome{}
	}
	m.said(cells, e)
	m.status(cells, e)
	yes := func(c column) bool {
		v := m.get(cells, c)
		return isTrue(v) || c != colBounced && !d.time(v).IsZero()
	}
	switch {
	case yes(colComplained):
		e.Hint = "complaint"
	case yes(colUnsubscribed):
		e.Hint = "unsubscribe"
	case yes(colBounced) && (e.Hint == "" || e.Hint == "unknown"):
		e.Hint = "esp_suppressed"
	}
	if code, _ := reply.Codes(e.Reply); code >= 400 {
		// A server's refusal beside a word that tells of something else.
		switch {
		case e.Hint == "delivered":
			e.Hint = ""
		case e.Hint == "complaint" && strings.EqualFold(e.Verdict, "spam"):
			e.Hint = "spam_content" // the kind of the bounce
		}
	}
	if e.Hint == "" && e.Reply == "" && e.Code == 0 && e.Status == "" {
		return unmapped("no column says what happened")
	}
	return outcome{}
}

// said reads the columns in which a server's words stand, and the source's verdict.
func (m *meaning) said(cells []string, e *bounceimport.Event) {
	for _, i := range m.replies {
		v := cell(cells, i)
		if v == "" {
			continue
		}
		// A word where a text is expected is the source's verdict (Klaviyo:
		// HARD_BOUNCE), unless it reads as a text too ("Mailbox full").
		if h := hintOf(v); h != "" && len(v) < 40 {
			if e.Hint == "" || e.Hint == "unknown" || reply.Final(h) {
				e.Hint = h
			}
			if reply.Final(h) || h == "esp_suppressed" || h == "unknown" || !strings.Contains(v, " ") {
				e.Verdict = v
				continue
			}
		}
		if len(v) > len(e.Reply) {
			e.Reply = v
		}
	}
	if v := m.get(cells, colVerdict); v != "" {
		if h := hintOf(v); h != "" && (e.Hint == "" || e.Hint == "unknown") {
			e.Hint = h
		}
		if e.Verdict != "" && e.Verdict != v {
			v += ", " + e.Verdict
		}
		e.Verdict = v
	}
}

// status reads the columns in which codes stand, or a word or a sentence instead.
func (m *meaning) status(cells []string, e *bounceimport.Event) {
	if v := m.get(cells, colStatus); v != "" {
		switch {
		case statusOnly(v) != "":
			e.Status = statusOnly(v)
		case e.Hint == "" || e.Hint == "unknown":
			if code, ok := anytime.Digits(v); ok && code >= 200 && code < 600 {
				e.Code = code
			} else if h := hintOf(v); h != "" {
				e.Hint = h
				if e.Verdict == "" {
					e.Verdict = v
				}
			} else if c, _ := reply.Codes(v); e.Reply == "" && (c != 0 || wordsIn(v) > 1) {
				e.Reply = v // a sentence; a word such as "active" is about the contact
			}
		}
	}
	if v := m.get(cells, colCode); v != "" {
		if s := statusOnly(v); s != "" {
			e.Status = s
		} else {
			e.Reply, e.Code = withCode(v, e.Reply)
		}
	}
}
