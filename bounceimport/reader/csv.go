package reader

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gocarina/gocsv"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
	"github.com/winnow-email/winnow/internal/csvrows"
)

// csvLayout is an export whose columns are known.
type csvLayout struct {
	name  string
	need  []string // folded header names that tell it
	exact bool     // and no others
	read  func(d *reading, t *table) error
}

// csvLayouts lists the known layouts, the most telling first.
func csvLayouts() []csvLayout {
	return []csvLayout{
		{"powermta_acct", []string{"type", "rcpt", "dsnstatus"}, false, readLayout((*powermtaRow).event)},
		{"powermta_acct", []string{"type", "rcpt", "dsndiag"}, false, readLayout((*powermtaRow).event)},
		{"powermta_acct", []string{"type", "rcpt", "bouncecat"}, false, readLayout((*powermtaRow).event)},
		{"sendgrid_csv", []string{"status", "reason", "email", "created"}, true, readLayout((*sendgridRow).event)},
		{"sendgrid_invalid_csv", []string{"reason", "email", "created"}, true, readLayout((*sendgridRow).event)},
		{"sendgrid_spam_csv", []string{"ip", "email", "created"}, true, readLayout((*sendgridRow).complaint)},
		{"sendgrid_unsubscribe_csv", []string{"email", "created"}, true, readLayout((*sendgridRow).unsubscribe)},
		{"mailgun_csv", []string{"address", "code", "error"}, false, readLayout((*mailgunRow).event)},
		{"mailgun_unsubscribe_csv", []string{"address", "tags", "created_at"}, true, readLayout((*mailgunRow).unsubscribe)},
		{"mailgun_unsubscribe_csv", []string{"address", "tag", "created_at"}, true, readLayout((*mailgunRow).unsubscribe)},
		{"mailgun_complaint_csv", []string{"address", "created_at"}, true, readLayout((*mailgunRow).complaint)},
		{"sparkpost_csv", []string{"recipient", "type", "source", "description"}, false, readLayout((*sparkpostRow).event)},
		{"mailchimp_csv", []string{"email_address", "leid", "euid"}, false, readLayout((*mailchimpRow).event)},
		{"hubspot_csv", []string{"portal_bounce"}, false, (*reading).hubspot},
		{"exchange_trace_csv", []string{"recipientaddress", "status", "senderaddress"}, false, readLayout((*exchangeRow).event)},
		{"promio_csv", []string{"sender_id", "custid", "mail", "status"}, false, readLayout((*promioRow).event)},
	}
}

// csv reads a delimited file: a known layout through gocsv, any other by what
// its header names mean, and one without a header by what its cells look like.
func (d *reading) csv(r io.Reader) error {
	t, err := newTable(d, r)
	if err == io.EOF {
		d.format("empty")
		return nil
	}
	if err != nil {
		return err
	}
	if t.header == nil {
		return d.headerless(t)
	}
	have := make(map[string]bool, len(t.folded))
	for _, h := range t.folded {
		have[h] = true
	}
	for _, l := range csvLayouts() {
		ok := !l.exact || len(t.folded) == len(l.need)
		for _, n := range l.need {
			ok = ok && have[n]
		}
		if ok {
			d.format(l.name)
			return l.read(d, t)
		}
	}
	return d.generic(t)
}

// readLayout returns a reader of rows of type R: gocsv fills them a few hundred
// at a time, event turns each into the event.
func readLayout[R any](event func(*R, *reading, *bounceimport.Event) outcome) func(*reading, *table) error {
	return func(d *reading, t *table) error {
		b := &rowBatch{t: t}
		var rows []R
		for {
			if err := b.fill(); err != nil {
				return err
			}
			if len(b.rows) == 1 {
				return nil
			}
			clear(rows)
			rows = rows[:0]
			if err := gocsv.UnmarshalCSV(b, &rows); err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			for i := range rows {
				if err := d.row(b.lines[i], event(&rows[i], d, d.event(d.acct.Format))); err != nil {
					return err
				}
			}
		}
	}
}

// outcome is what a reader found in one record.
type outcome struct {
	kind byte // 0: an event
	why  string
}

func ignore(why string) outcome   { return outcome{'i', why} }
func unmapped(why string) outcome { return outcome{'u', why} }

// row finishes a record of which a reader made an event, or did not.
func (d *reading) row(line int64, o outcome) error {
	switch {
	case o.kind == 'i':
		d.ignored(o.why)
	case o.kind == 'u':
		d.unmapped(line, o.why)
	case strings.IndexByte(d.ev.Recipient, '@') < 0:
		d.malformed(line, "no address in the record")
	default:
		d.acct.Used++
		return d.emit(line)
	}
	return nil
}

// rowBatch shows gocsv a header and a bounded number of rows as a whole file.
type rowBatch struct {
	t      *table
	header []string
	rows   [][]string
	lines  []int64 // of the rows after the header
}

const batchRows = 256

func (b *rowBatch) fill() error {
	if b.header == nil {
		b.header = append(b.header, b.t.folded...)
		seen := make(map[string]bool)
		for i, h := range b.header { // the first of two columns of one name counts
			if seen[h] {
				b.header[i] = ""
			}
			seen[h] = true
		}
	}
	b.rows, b.lines = append(b.rows[:0], b.header), b.lines[:0]
	for len(b.rows) <= batchRows {
		cells, line, err := b.t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		row := make([]string, len(b.header))
		copy(row, cells)
		b.rows, b.lines = append(b.rows, row), append(b.lines, line)
	}
	return nil
}

// Read and ReadAll implement gocsv.CSVReader.
func (b *rowBatch) Read() ([]string, error)      { return nil, io.EOF }
func (b *rowBatch) ReadAll() ([][]string, error) { return b.rows, nil }

// SendGrid, "Download CSV" of the suppression pages, and dumps of its v3 API.
type sendgridRow struct {
	Status  string `csv:"status"`
	Reason  string `csv:"reason"`
	Email   string `csv:"email"`
	Created string `csv:"created"`
}

func (r *sendgridRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Reply, e.Status, e.Time = r.Email, r.Reason, statusOnly(r.Status), d.time(r.Created)
	// The lists of bounces and of blocks have the same columns, and blocks say
	// nothing of the address: a reply that cannot be read is only counted.
	e.Hint = "esp_suppressed"
	if code, _ := reply.Codes(r.Reason); code != 0 || strings.HasPrefix(e.Status, "4") {
		e.Hint = "unknown"
	}
	return outcome{}
}

func (r *sendgridRow) complaint(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict, e.Hint = r.Email, d.time(r.Created), "spam report", "complaint"
	return outcome{}
}

func (r *sendgridRow) unsubscribe(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict, e.Hint = r.Email, d.time(r.Created), "unsubscribe", "unsubscribe"
	return outcome{}
}

// Mailgun, suppression exports and imports (documentation.mailgun.com, bounces/import).
type mailgunRow struct {
	Address string `csv:"address"`
	Code    string `csv:"code"`
	Error   string `csv:"error"`
	Created string `csv:"created_at"`
}

func (r *mailgunRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Hint = r.Address, d.time(r.Created), "esp_suppressed"
	e.Reply, e.Code = withCode(r.Code, r.Error)
	if h := mailgunCode(r.Code); h != "" {
		e.Hint, e.Verdict, e.Reply = h, r.Code+" "+r.Error, ""
	}
	return outcome{}
}

// mailgunCode translates the codes with which Mailgun itself declines to send.
func mailgunCode(code string) string {
	switch code {
	case "605": // previously bounced
		return "esp_suppressed"
	case "606": // unsubscribed
		return "unsubscribe"
	case "607": // marked messages as spam
		return "complaint"
	}
	return ""
}

func (r *mailgunRow) unsubscribe(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict, e.Hint = r.Address, d.time(r.Created), "unsubscribe", "unsubscribe"
	return outcome{}
}

func (r *mailgunRow) complaint(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict, e.Hint = r.Address, d.time(r.Created), "complaint", "complaint"
	return outcome{}
}

// SparkPost, suppression list (developers.sparkpost.com/api/suppression-list).
type sparkpostRow struct {
	Recipient   string `csv:"recipient"`
	Source      string `csv:"source"`
	Description string `csv:"description"`
	Created     string `csv:"created"`
	Updated     string `csv:"updated"`
}

func (r *sparkpostRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Verdict, e.Hint = r.Recipient, r.Source, hintOf(r.Source)
	if e.Time = d.time(r.Updated); e.Time.IsZero() {
		e.Time = d.time(r.Created)
	}
	if e.Hint == "" {
		e.Hint = "esp_suppressed" // "Manually Added", "Compliance": SparkPost will not send
	}
	if e.Hint == "esp_suppressed" {
		e.Reply = r.Description
	}
	return outcome{}
}

// Mailchimp, audience export: which *_TIME column is there tells the file.
type mailchimpRow struct {
	Email    string `csv:"email_address"`
	Cleaned  string `csv:"clean_time"`
	Campaign string `csv:"clean_campaign_title"`
	Unsub    string `csv:"unsub_time"`
	Reason   string `csv:"unsub_reason"`
}

func (r *mailchimpRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient = r.Email
	switch {
	case r.Unsub != "":
		e.Time, e.Hint, e.Verdict = d.time(r.Unsub), "unsubscribe", "unsubscribed"
		if hintOf(r.Reason) == "complaint" {
			e.Hint, e.Verdict = "complaint", r.Reason
		}
	case r.Cleaned != "":
		e.Time, e.Hint, e.Verdict = d.time(r.Cleaned), "esp_suppressed", "cleaned"
	default:
		return ignore("a contact without CLEAN_TIME or UNSUB_TIME")
	}
	return outcome{}
}

// Exchange, Get-MessageTrace | Export-Csv: the outcome without the reply.
type exchangeRow struct {
	Recipient string `csv:"recipientaddress"`
	Sender    string `csv:"senderaddress"`
	Received  string `csv:"received"`
	Status    string `csv:"status"`
	Detail    string `csv:"detail"` // of Get-MessageTraceDetail, joined by hand
	MessageID string `csv:"messageid"`
}

func (r *exchangeRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Sender, e.MessageID, e.Time, e.Verdict = r.Recipient, r.Sender, r.MessageID, d.time(r.Received), r.Status
	switch string(foldWord(nil, r.Status)) {
	case "failed":
		e.Hint, e.Reply = "unknown", r.Detail
	case "delivered":
		e.Hint = "delivered"
	default:
		return ignore("trace status " + r.Status)
	}
	return outcome{}
}

// promio.connect, blacklist export.
type promioRow struct {
	Mail   string `csv:"mail"`
	Time   string `csv:"ts"`
	Status string `csv:"status"`
}

func (r *promioRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Hint, e.Verdict = r.Mail, d.time(r.Time), "esp_suppressed", "blacklist status "+r.Status
	return outcome{}
}

// PowerMTA, accounting file. Columns are chosen in its configuration; the header
// names them (PowerMTA User's Guide 11.2.9).
type powermtaRow struct {
	Type   string `csv:"type"`
	Logged string `csv:"timelogged"`
	Orig   string `csv:"orig"`
	Rcpt   string `csv:"rcpt"`
	Status string `csv:"dsnstatus"`
	Diag   string `csv:"dsndiag"`
	Mta    string `csv:"dsnmta"`
	Cat    string `csv:"bouncecat"`
	Header string `csv:"header_message-id"`
	FbType string `csv:"feedbacktype"`
	Report string `csv:"reportedrcpt"`
}

func (r *powermtaRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Sender, e.Time, e.Verdict, e.MessageID = r.Rcpt, r.Orig, d.time(r.Logged), r.Cat, r.Header
	e.Status, e.Reply, e.Remote = statusOnly(r.Status), unSMTP(r.Diag), firstWord(r.Mta)
	switch r.Type {
	case "b", "rb": // bounced here; a bounce that came back later
		if e.Hint = hintOf(r.Cat); e.Hint == "" {
			e.Hint = "unknown"
		}
	case "d":
		e.Hint = "delivered"
	case "t", "tq": // in transit: the queue tries again
		e.Hint = "delayed"
	case "f": // feedback loop
		e.Hint, e.Verdict = "complaint", r.FbType
		if r.FbType == "not-spam" {
			e.Hint = "not_spam"
		}
		if e.Recipient == "" {
			e.Recipient = r.Report
		}
	case "r", "rs", "":
		return ignore("record type " + r.Type)
	default:
		return unmapped("record type " + r.Type)
	}
	return outcome{}
}

// hubspot reads HubSpot's "Export unsubscribes and bounces": one row may say
// several things.
func (d *reading) hubspot(t *table) error {
	email := -1
	for i, h := range t.folded {
		if email < 0 && columnOf(h) == colRecipient {
			email = i
		}
	}
	if email < 0 {
		return noColumn(d.name, t.header)
	}
	for {
		cells, line, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		n := 0
		for i, h := range t.folded {
			v := cell(cells, i)
			var hint string
			switch {
			case v == "" || strings.EqualFold(v, "false"):
				continue
			case h == "portal_unsubscribe" || h == "global_unsubscribe":
				hint = "unsubscribe"
			case h == "portal_spam_report" || h == "global_spam_report":
				hint = "complaint"
			case h == "portal_bounce" || h == "global_bounce" && n == 0:
				if hint = hintOf(v); hint == "" || isTrue(v) {
					hint = "esp_suppressed"
				}
			default:
				continue
			}
			e := d.event("hubspot_csv")
			e.Recipient, e.Hint, e.Verdict = cell(cells, email), hint, t.header[i]+": "+v
			if strings.IndexByte(e.Recipient, '@') < 0 {
				break
			}
			n++
			if err := d.emit(line); err != nil {
				return err
			}
		}
		switch {
		case n > 0:
			d.acct.Used++
		case strings.IndexByte(cell(cells, email), '@') < 0:
			d.malformed(line, "no address in the record")
		default:
			d.ignored("nothing recorded but subscriptions")
		}
	}
}

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

// noColumn says that a file names no addresses.
func noColumn(name string, header []string) error {
	return &formError{name, "no column with addresses (columns: " + strings.Join(header, ", ") + ")"}
}

// generic reads a file by what the names of its columns mean.
func (d *reading) generic(t *table) error {
	d.format("csv")
	var at [columns]int
	for i := range at {
		at[i] = -1
	}
	for i, h := range t.folded {
		if r := columnOf(h); r != colNone && at[r] < 0 {
			at[r] = i
		}
	}
	// Several columns may hold text that a server said; the longest of them counts.
	var replies []int
	for i, h := range t.folded {
		if columnOf(h) == colReply {
			replies = append(replies, i)
		}
	}
	if at[colRecipient] < 0 {
		// Not by its name: by what is in it.
		if i := t.addressColumn(); i >= 0 {
			at[colRecipient] = i
		} else {
			return noColumn(d.name, t.header)
		}
	}
	evidence := len(replies) > 0 || at[colCode] >= 0 || at[colStatus] >= 0 || at[colVerdict] >= 0 ||
		at[colBounced] >= 0 || at[colUnsubscribed] >= 0 || at[colComplained] >= 0
	// A file of nothing but addresses (and times) is a list of the bounced. One
	// with further columns, none of which says what happened, may be anything:
	// better nothing than the suppression of a whole list.
	plain := !evidence && (len(t.folded) == 1 || len(t.folded) == 2 && at[colTime] >= 0)
	for {
		cells, line, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e := d.event("csv")
		if err := d.row(line, d.genericRow(cells, &at, replies, plain, e)); err != nil {
			return err
		}
	}
}

func (d *reading) genericRow(cells []string, at *[columns]int, replies []int, plain bool, e *bounceimport.Event) outcome {
	get := func(r column) string { return cell(cells, at[r]) }
	e.Recipient, e.Time, e.Remote, e.Sender, e.MessageID = get(colRecipient), d.time(get(colTime)), firstWord(get(colRemote)), get(colSender), get(colMessageID)
	if strings.IndexByte(e.Recipient, '@') < 0 {
		return outcome{}
	}
	if plain {
		e.Hint, e.Verdict = "esp_suppressed", "listed"
		return outcome{}
	}
	words := ""
	for _, i := range replies {
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
				words = v
				continue
			}
		}
		if len(v) > len(e.Reply) {
			e.Reply = v
		}
	}
	e.Verdict = words
	if v := get(colVerdict); v != "" {
		if h := hintOf(v); h != "" && (e.Hint == "" || e.Hint == "unknown") {
			e.Hint = h
		}
		if e.Verdict != "" && e.Verdict != v {
			v += ", " + e.Verdict
		}
		e.Verdict = v
	}
	if v := get(colStatus); v != "" {
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
	if v := get(colCode); v != "" {
		if s := statusOnly(v); s != "" {
			e.Status = s
		} else {
			e.Reply, e.Code = withCode(v, e.Reply)
		}
	}
	switch {
	case isTrue(get(colComplained)) || !d.time(get(colComplained)).IsZero():
		e.Hint = "complaint"
	case isTrue(get(colUnsubscribed)) || !d.time(get(colUnsubscribed)).IsZero():
		e.Hint = "unsubscribe"
	case isTrue(get(colBounced)) && (e.Hint == "" || e.Hint == "unknown"):
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

// headerless reads rows of cells by what they look like: an address, a word
// that says what happened (the import file of Amazon SES: "address,BOUNCE"), a
// time, a text.
func (d *reading) headerless(t *table) error {
	d.format("csv_headerless")
	for {
		cells, line, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e := d.event("csv_headerless")
		if len(cells) == 1 {
			e.Recipient, e.Hint, e.Verdict = cells[0], "esp_suppressed", "listed"
		}
		extra := 0
		for _, c := range cells {
			switch {
			case c == "":
			case e.Recipient == "" && looksLikeAddress(c):
				e.Recipient = c
			case hintOf(c) != "" && (e.Hint == "" || e.Hint == "unknown") && !isShortNumber(c):
				e.Hint, e.Verdict = hintOf(c), c
			case e.Time.IsZero() && !d.time(c).IsZero():
				e.Time = d.time(c)
			case statusOnly(c) != "" && e.Status == "":
				e.Status = statusOnly(c)
			case len(c) == 3 && e.Code == 0 && (c[0] == '4' || c[0] == '5'):
				e.Code, _ = anytime.Digits(c)
			default:
				if code, status := reply.Codes(c); (code != 0 || status != "") && len(c) > len(e.Reply) {
					e.Reply = c
				} else {
					extra++
				}
			}
		}
		o := outcome{}
		if e.Recipient != "" && e.Hint == "" && e.Reply == "" && e.Code == 0 && e.Status == "" {
			if extra == 0 && len(cells) <= 2 {
				e.Hint, e.Verdict = "esp_suppressed", "listed"
			} else {
				o = unmapped("no cell says what happened")
			}
		}
		if err := d.row(line, o); err != nil {
			return err
		}
	}
}

func isShortNumber(s string) bool { n, ok := anytime.Digits(s); return ok && n < 1000 }

func cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[i])
}

// isTrue reads the yes of a spreadsheet.
func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "y", "x", "ja", "oui", "si", "sí", "sim", "да", "はい", "是", "wahr", "vrai":
		return true
	}
	return false
}

// statusOnly returns the enhanced status code at the start of s, as in
// "5.1.1 (bad destination mailbox address)", or "".
func statusOnly(s string) string {
	s = strings.TrimSpace(s)
	return reply.Status(s)
}

// withCode puts a reply together whose basic code stands in a column of its own.
func withCode(code, text string) (string, int) {
	n, ok := anytime.Digits(strings.TrimSpace(code))
	if !ok || n < 200 || n > 599 {
		return text, 0 // 0, or a number of the ESP's own (Mailgun: 605, 607)
	}
	switch c, _ := reply.Codes(text); {
	case c != 0:
		return text, c
	case text != "":
		return strings.TrimSpace(code) + " " + text, n
	}
	return text, n
}

// unSMTP cuts the type of a diagnostic off: "smtp;550 5.1.1 …" (RFC 3464 2.3.6).
func unSMTP(s string) string {
	if i := strings.IndexByte(s, ';'); i > 0 && i <= 12 && !strings.ContainsAny(s[:i], " \t<") {
		return strings.TrimSpace(s[i+1:])
	}
	return s
}

func firstWord(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t["); i >= 0 {
		s = s[:i]
	}
	return s
}

// looksLikeAddress is a quick look, not a check.
func looksLikeAddress(s string) bool {
	s = strings.Trim(s, " <>\"'")
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= 320 && !strings.ContainsAny(s, " \t")
}

// table is a delimited file opened for reading.
type table struct {
	d      *reading
	r      *csvrows.RowReader
	header []string
	folded []string   // header names as columnOf wants them
	first  [][]string // rows that were read to find out about the columns
	lines  []int64
}

func newTable(d *reading, r io.Reader) (*table, error) {
	rows, err := csvrows.NewRowReader(r, d.name)
	if err != nil {
		return nil, err
	}
	t := &table{d: d, r: rows, header: rows.Header()}
	for _, h := range t.header {
		t.folded = append(t.folded, string(foldWord(nil, strings.ToLower(strings.Trim(h, " \ufeff\u200b")))))
	}
	return t, nil
}

// addressColumn finds the column whose cells are addresses, from the first rows.
func (t *table) addressColumn() int {
	for len(t.first) < 50 {
		cells, line, err := t.r.Next()
		if err != nil {
			break
		}
		t.first = append(t.first, append([]string(nil), cells...))
		t.lines = append(t.lines, line)
	}
	best, most := -1, 0
	for i := range t.folded {
		n := 0
		for _, row := range t.first {
			if i < len(row) && looksLikeAddress(row[i]) {
				n++
			}
		}
		if n > most && n*2 > len(t.first) {
			best, most = i, n
		}
	}
	return best
}

// next returns the cells of the next row, which are valid until the one after
// it, and its line. Rows that cannot be read are counted on the way.
func (t *table) next() ([]string, int64, error) {
	if len(t.first) > 0 {
		cells, line := t.first[0], t.lines[0]
		t.first, t.lines = t.first[1:], t.lines[1:]
		return cells, line, t.d.record()
	}
	for {
		cells, line, err := t.r.Next()
		if bad := (*csvrows.RecordError)(nil); errors.As(err, &bad) {
			if err := t.d.record(); err != nil {
				return nil, line, err
			}
			t.d.malformed(bad.Line, "unreadable record ("+bad.Problem+")")
			continue
		}
		if err != nil {
			return nil, line, err
		}
		if len(cells) == 1 && strings.TrimSpace(cells[0]) == "" {
			continue
		}
		return cells, line, t.d.record()
	}
}
