package csvrows

import (
	"bytes"
	"strings"
)

// Status is a column by which an ESP's export says that a contact must not be mailed.
type Status struct {
	Column int
	Name   string // header as given
	Kind   string // "unsubscribe", "complaint", "bounce", "blocked": what a hit means

	style    style
	listmonk bool // "disabled" is a subscriber switched off, not an account
	mailing  bool // the words are a sending service's: "cancelled" is no order, "blocked" no account
}

// The kinds of a hit.
const (
	KindUnsubscribe = "unsubscribe"
	KindComplaint   = "complaint"
	KindBounce      = "bounce"
	KindBlocked     = "blocked"
)

// style says how the values of a status column are read.
type style uint8

const (
	noStatus     style = iota
	hitIfYes           // a yes or a date is a hit: Unsubscribed, UNSUB_TIME, EMAIL_BLACKLISTED
	hitIfNo            // a no is a hit: Accepts Email Marketing
	hitByWord          // a word tells, and the name can be trusted: permission_to_send
	hitByGeneric       // a word tells, but the name may be about anything: Status
	hitByReason        // the reason of a bounce tells whose side it was on
)

// Hit returns the kind of suppression that a value of the column states, or "".
// The kind can differ from s.Kind where the value is a word ("Complained").
func (s Status) Hit(value []byte) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || len(value) > 64 && s.style != hitByReason {
		return ""
	}
	var space [64]byte
	word := foldValue(space[:0], value)
	switch s.style {
	case hitIfYes:
		switch valueMeaning(word, value) {
		case meansYes, meansDate:
			return s.Kind
		}
		if kind := kindOf(word); kind != "" {
			return kind
		}
		return weakKindOf(word)
	case hitIfNo:
		if valueMeaning(word, value) == meansNo {
			return s.Kind
		}
		return kindOf(word)
	case hitByWord, hitByGeneric:
		if kind := kindOf(word); kind != "" {
			return kind
		}
		switch {
		case s.listmonk && string(word) == "disabled":
			return KindBlocked
		case s.mailing:
			return weakKindOf(word)
		}
	case hitByReason:
		// Only what is the recipient's: a refusal for content, policy or
		// reputation says nothing about the mailbox.
		for _, dead := range []string{"unknownuser", "userunknown", "invalidrecipient", "nosuchuser", "doesnotexist", "mailboxnotfound", "invalidemail", "invalidaddress", "baddestination"} {
			if bytes.Contains(word, []byte(dead)) {
				return KindBounce
			}
		}
	}
	return ""
}

// statusName returns how a column with these words in its name (foldWords) may
// carry suppressions, and of which kind. Words that do not change what the name
// says are left out.
func statusName(words []string) (style, string) {
	var rest []string
	status, dated := false, false
	for i, w := range words {
		switch w {
		case "sms", "phone", "call", "calls", "fax", "push", "whatsapp", "web", "mobile", "url", "link", "count", "ip", "campaign", "soft":
			return noStatus, "" // another channel, or not a fact about the contact
		case "status", "state", "statut", "estado", "stato", "статус", "状态", "狀態", "ステータス", "상태", "durum", "stav", "tila":
			status = true
			if w == "state" && len(words) > 1 && !strings.Contains(strings.Join(words, ""), "email") && !strings.Contains(strings.Join(words, ""), "subscri") && !strings.Contains(strings.Join(words, ""), "consent") {
				return noStatus, "" // billing state
			}
		case "time", "date", "at", "on", "am", "le", "timestamp", "utc", "datum":
			dated = true
		case "e", "email", "emails", "mail", "is", "has", "was", "from", "all", "of", "the", "contact", "contacts", "user", "member", "subscriber", "customer", "person", "profile", "to", "in", "for", "flag", "marketing", "global", "portal", "properties", "attributes", "campaigns", "custom", "field", "current":
			if w == "marketing" && i == 0 && len(words) == 1 {
				return noStatus, ""
			}
		default:
			rest = append(rest, w)
		}
	}
	switch key := strings.Join(rest, ""); key {
	case "":
		if status && len(words) <= 4 {
			return hitByGeneric, KindUnsubscribe
		}
	case "unsub", "unsubscribe", "unsubscribed", "unsubscription", "optout", "optedout", "optouts", "baja":
		return hitIfYes, KindUnsubscribe
	case "blacklisted", "blacklist", "blocklisted", "blocklist", "blocked", "suppressed", "disabled", "donot", "donotsend", "donotallow", "donotallowbulk", "donotbulk", "dnc", "dne", "excluded", "isexcluded", "banned":
		if status {
			return hitByWord, KindBlocked
		}
		if dated && (key == "blocked" || key == "disabled") {
			return noStatus, ""
		}
		return hitIfYes, KindBlocked
	case "invalid", "clean", "cleaned", "bounced", "hardbounce", "hardbounced", "bounce":
		return hitIfYes, KindBounce
	case "hardbouncereason", "bouncereason", "bouncedreason":
		return hitByReason, KindBounce
	case "spamreport", "spamcomplaint", "spamcomplaints", "complaint", "complained", "markedasspam", "reportedspam", "reportedasspam", "abuse":
		return hitIfYes, KindComplaint
	case "accepts", "acceptsnewsletter", "subscribed", "subscribednewsletter", "newsletter", "newslettersubscriber", "newslettersubscription", "receive", "receives", "receivenewsletter", "opt", "opted", "optin", "optedin", "consent", "consented", "newsletteroptin", "newslettersubscribed", "allowed", "canbe", "permitted":
		if !dated {
			return hitIfNo, KindUnsubscribe
		}
	case "permission", "permissionsend", "subscription", "subscriptions", "suppressionreason", "suppression", "suppressions", "list", "subscribe":
		if status || key == "subscribe" || key == "permission" || key == "permissionsend" || key == "suppressionreason" || key == "suppression" || key == "suppressions" {
			return hitByWord, KindUnsubscribe
		}
	case "type", "reason":
		if len(words) == 1 {
			return hitByGeneric, KindUnsubscribe
		}
	default:
		for _, s := range stems {
			for stem := range strings.FieldsSeq(s.words) {
				if strings.HasPrefix(key, stem) && !(dated && s.style == hitIfNo) {
					return s.style, s.kind
				}
			}
		}
	}
	return noStatus, ""
}

// stems are what names of status columns begin with in other languages, folded.
var stems = [...]struct {
	style style
	kind  string
	words string
}{
	{hitIfYes, KindUnsubscribe, `abgemeld abmeld abbestell ausgetrag widerruf desinscri desabonn desuscri dadodebaja dadadebaja descadastr cancelados disiscri disdett
		uitgeschre uitschrij afgemeld avprenumer avregistr avmeld afmeld peruut wypis odhlas odjav leiratkoz dezabon отпис відпис описан abonelikten listedencik
		berhentiberlangganan huydangky 退订 已退订 退訂 取消订阅 取消訂閱 配信停止 配信解除 配信不可 購読解除 購読停止 オプトアウト 수신거부 구독취소 ยกเลิก إلغاء`},
	{hitIfYes, KindBlocked, `keinewerbung gesperrt blockiert nepascontacter bloque bloqueado bloqueada bloccat geblokkeerd blockerad blokkert blokeret zablokow blokovan letiltva blocat
		заблокир заблоков engell nocontact nocontactar noenviar naocontact 黑名单 黑名單 ブロック 차단`},
	{hitIfYes, KindBounce, `unzustellbar ungultig rebotad rebote devuelto nonvalid rimbalz gebounce 退信`},
	{hitIfYes, KindComplaint, `spambeschwerde beschwerde plainte queja reclamo klacht`},
	{hitIfNo, KindUnsubscribe, `einwilligung zustimmung angemeldet consentement consentimiento consentimento consenso toestemming samtycke samtykke suostumus zgoda souhlas suhlas hozzajarul
		consimt соглас згода onay 同意 許可 동의`},
}

// findStatus finds the columns that carry suppressions: by their names, and only
// where their values agree.
func findStatus(header []string, rows [][]string, address int) []Status {
	var found []Status
	names := make(map[string]bool)
	for _, name := range header {
		names[strings.Join(foldWords(name), "")] = true
	}
	for i, name := range header {
		st, kind := noStatus, ""
		for _, text := range readings(name) {
			if st, kind = statusName(foldWords(text)); st != noStatus {
				break
			}
		}
		if st == noStatus || i == address {
			continue
		}
		s := Status{
			Column: i, Name: name, Kind: kind, style: st,
			listmonk: names["uuid"] && names["attributes"],
			mailing:  strings.EqualFold(strings.TrimSpace(name), "state"), // Kit
		}
		for _, row := range rows {
			s.mailing = s.mailing || i < len(row) && kindOf(foldValue(nil, []byte(row[i]))) != ""
		}
		if s.fits(rows) {
			found = append(found, s)
		}
	}
	return found
}

// fits reports whether the values of the column are such as the name promises.
// A column of a generic name must hold nothing else.
func (s Status) fits(rows [][]string) bool {
	known, unknown := 0, 0
	for _, row := range rows {
		if s.Column >= len(row) {
			continue
		}
		value := bytes.TrimSpace([]byte(row[s.Column]))
		word := foldValue(nil, value)
		if len(word) == 0 {
			continue
		}
		m := valueMeaning(word, value)
		isWord := kindOf(word) != "" || weakKindOf(word) != "" || knownState(word)
		ok := isWord
		switch s.style {
		case hitIfYes:
			ok = ok || m != meansOther
		case hitIfNo:
			ok = ok || m == meansYes || m == meansNo || m == meansNothing
		case hitByReason:
			ok = true
		default:
			ok = ok || m == meansNothing
		}
		if ok {
			known++
		} else {
			unknown++
		}
	}
	switch s.style {
	case hitByGeneric:
		return known > 0 && unknown == 0
	case hitByReason:
		return true
	}
	return unknown*10 <= known+unknown
}

type meaning uint8

const (
	meansOther meaning = iota
	meansNothing
	meansYes
	meansNo
	meansDate
)

// valueMeaning reads a yes, a no or a date; word is the value folded.
func valueMeaning(word, value []byte) meaning {
	switch string(word) {
	case "", "null", "none", "na", "nil", "nan", "undefined", "n\\a":
		return meansNothing
	case "yes", "true", "t", "y", "1", "x", "on", "checked", "ja", "wahr", "oui", "vrai", "o", "si", "sí", "verdadero", "sim", "verdadeiro", "vero", "waar", "sand", "tosi", "kylla", "kyllä", "tak", "prawda", "ano", "igen", "igaz", "da", "да", "истина", "так", "ναι", "evet", "doğru", "はい", "是", "예", "有", "✓", "✔":
		return meansYes
	case "no", "false", "f", "n", "0", "off", "unchecked", "nein", "falsch", "non", "faux", "falso", "não", "nao", "nee", "onwaar", "nej", "nei", "falskt", "usann", "ei", "nie", "fałsz", "ne", "nem", "hamis", "nu", "нет", "ложь", "ні", "όχι", "hayır", "いいえ", "否", "아니오", "无", "無":
		return meansNo
	}
	digits := 0
	zero := true
	for _, b := range value {
		if b >= '0' && b <= '9' {
			digits++
			zero = zero && b == '0'
		}
	}
	switch {
	case zero && digits > 1 && digits == countDigitsAndMarks(value):
		return meansNothing // 0000-00-00 00:00:00
	case digits >= 6 && (value[0] >= '0' && value[0] <= '9' || len(value) > 3 && value[3] == ','), digits >= 5 && bytes.ContainsAny(value, "/.-") && value[0] >= '0' && value[0] <= '9':
		return meansDate
	case digits >= 5 && isMonth(value):
		return meansDate
	}
	return meansOther
}

// countDigitsAndMarks returns the digits of a value that has nothing but digits
// and the marks of dates, else -1.
func countDigitsAndMarks(value []byte) int {
	n := 0
	for _, b := range value {
		switch {
		case b >= '0' && b <= '9':
			n++
		case bytes.IndexByte([]byte("-/.: TZ+"), b) < 0:
			return -1
		}
	}
	return n
}

// isMonth reports whether a value starts with an English month or weekday: "Jan 5, 2024".
func isMonth(value []byte) bool {
	if len(value) < 3 {
		return false
	}
	switch strings.ToLower(string(value[:3])) {
	case "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri", "sat", "sun":
		return true
	}
	return false
}

// foldValue appends value to dst without blanks and punctuation, ASCII letters
// in lower case: "Do Not Contact" and DO_NOT_CONTACT are one.
func foldValue(dst, value []byte) []byte {
	for _, b := range value {
		switch {
		case b >= 'A' && b <= 'Z':
			dst = append(dst, b+'a'-'A')
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9', b >= 0x80:
			dst = append(dst, b)
		}
	}
	return dst
}

// kindOf returns the kind of suppression that a folded word states.
func kindOf(word []byte) string {
	switch string(word) {
	case "unsubscribed", "unsubscribe", "unsub", "optout", "optedout", "optedoutofemail", "manualunsubscribe", "unsubscribedbyuser", "unsubscribedbyadmin", "userunsubscribed",
		"nonsubscribed", "nonsubscriber", "neversubscribed", "notsubscribed", "nosubscription", "notoptedin", "listunsubscribe",
		"abgemeldet", "abbestellt", "ausgetragen", "désinscrit", "desinscrit", "désabonné", "desabonne", "dadodebaja", "desuscrito", "nosuscrito", "descadastrado", "disiscritto",
		"uitgeschreven", "afgemeld", "avregistrerad", "avmeldt", "afmeldt", "wypisany", "odhlášen", "отписан", "отписался", "отписалась", "відписаний", "退订", "已退订", "取消订阅", "已取消订阅", "配信停止", "購読解除", "수신거부":
		return KindUnsubscribe
	case "complained", "complaint", "complaints", "spam", "spamcomplaint", "spamreport", "spamreported", "markedasspam", "markedspam", "reportedspam", "reportedasspam", "abuse", "abusecomplaint", "abusereport", "junk":
		return KindComplaint
	case "bounced", "bounce", "hardbounce", "hardbounced", "cleaned", "invalidemail", "undeliverable", "permanentbounce", "permanentlybounced":
		return KindBounce
	case "blocklisted", "blacklisted", "suppressed", "globallysuppressed", "donotcontact", "donotemail", "donotmail", "donotsend", "donotallow", "dnc", "dne", "manualsuppression", "usersuppressed":
		return KindBlocked
	}
	return ""
}

// weakKindOf is kindOf for words that shops, accounts and checks use as well.
func weakKindOf(word []byte) string {
	switch string(word) {
	case "cancelled", "canceled":
		return KindUnsubscribe
	case "invalid":
		return KindBounce
	case "blocked", "banned", "gesperrt":
		return KindBlocked
	}
	return ""
}

// knownState reports whether a folded word is a state of a contact that is no
// suppression.
func knownState(word []byte) bool {
	switch string(word) {
	case "active", "allow", "allowed", "subscribed", "subscriber", "enabled", "pending", "unconfirmed", "confirmed", "inactive", "transactional", "archived", "deleted", "removed", "express", "implied", "explicit", "implicit",
		"pendingconfirmation", "temphold", "notset", "awaitingconfirmation", "unknown", "optin", "optedin", "doubleoptin", "singleoptin", "confirmedoptin", "validating", "disabled", "softbounce", "softbounced", "valid", "engaged", "unengaged",
		"verified", "unverified", "deliverable", "notspecified", "granted", "aktiv", "inaktiv", "angemeldet", "bestätigt", "unbestätigt", "actif", "inactif", "abonné", "inscrit", "activo", "inactivo", "suscrito", "inscrito", "ativo", "inativo", "attivo", "iscritto", "actief", "aangemeld",
		"aktywny", "aktivní", "активен", "активный", "подписан", "已订阅", "購読中", "有効", "구독중":
		return true
	}
	return false
}
