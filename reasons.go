package winnow

// The reasons that winnow itself gives for what it does with a record. They
// are frozen: a code once released is never renamed (testdata/reasons.golden).
//
// Three families are passed through from where they are found and are frozen
// there: syntax_… of validate.SyntaxError, domain_…, mx_… and dns_… of
// validate.Domain and validate.Answer, and the codes of records that could not
// be read. A bounce gives "bounce_" and its category.
const (
	ReasonOK        = "ok"
	ReasonDuplicate = "duplicate"

	ReasonUserSuppressed   = "user_suppressed"   // on a --suppress list
	ReasonUserUnsubscribed = "user_unsubscribed" // by a status column of the list
	ReasonUserComplained   = "user_complained"
	ReasonUserBounced      = "user_bounced"
	ReasonUserBlocked      = "user_blocked"
	ReasonUserAllowed      = "user_allowed"

	ReasonNoAddress        = "no_address"        // the cell is empty
	ReasonSeveralAddresses = "several_addresses" // a cell whose addresses are not judged alike
	ReasonFixNotApplied    = "fix_not_applied"   // an accepted fix for a cell that cannot be changed safely

	ReasonDomainTypo          = "domain_typo"
	ReasonDisposable          = "disposable_domain"
	ReasonDisposableSuspected = "disposable_suspected" // on one list only
	ReasonRoleSystem          = "role_system"
	ReasonRoleNoReply         = "role_no_reply"
	ReasonRoleShared          = "role_shared" // a flag; a reason under the strict policy only
	ReasonBounceHeld          = "bounce_held" // an incident speaks against the bounce
	ReasonDNSNotAsked         = "dns_not_asked"
	ReasonDNSNoAnswer         = "dns_no_answer" // the resolver as a whole was unusable
)

// category is what Decide knows of a category of the taxonomy. The side stands
// here a second time, beside bounceimport's rules, on purpose: whatever a
// source of evidence says, a category that is about the sender has no way to
// suppress an address.
type category struct {
	reason string
	side   side
	words  string // completes "The mail system answered that …"
}

type side uint8

const (
	sideRecipient side = iota // may suppress at once, or when counted
	sideWish                  // the person does not want the mail: ranks with the user's own list
	sideSoft                  // routing and load: only when counted
	sideSender                // never
	sideNone                  // never
)

var categories = map[string]category{
	"user_unknown":             {"bounce_user_unknown", sideRecipient, "the mailbox does not exist"},
	"address_syntax":           {"bounce_address_syntax", sideRecipient, "the address cannot exist"},
	"domain_unknown":           {"bounce_domain_unknown", sideRecipient, "the domain does not exist"},
	"domain_no_mail":           {"bounce_domain_no_mail", sideRecipient, "the domain takes no mail"},
	"domain_not_hosted":        {"bounce_domain_not_hosted", sideSoft, "it does not take mail for this domain"},
	"mailbox_disabled":         {"bounce_mailbox_disabled", sideRecipient, "the mailbox is disabled"},
	"mailbox_moved":            {"bounce_mailbox_moved", sideRecipient, "the mailbox has moved or has another owner now"},
	"mailbox_full":             {"bounce_mailbox_full", sideSoft, "the mailbox is full"},
	"recipient_restricted":     {"bounce_recipient_restricted", sideSoft, "the address takes mail from few senders only"},
	"recipient_blocked_sender": {"bounce_recipient_blocked_sender", sideWish, "the recipient refuses mail from this sender"},
	"complaint":                {"bounce_complaint", sideWish, "the recipient marked a mail as spam"},
	"unsubscribe":              {"bounce_unsubscribe", sideWish, "the recipient unsubscribed"},
	"not_spam":                 {"bounce_not_spam", sideNone, "the recipient took a complaint back"},
	"esp_suppressed":           {"bounce_esp_suppressed", sideRecipient, "the sending service has the address on its own suppression list"},
	"ip_reputation":            {"bounce_ip_reputation", sideSender, "it refuses the sender's IP address"},
	"domain_reputation":        {"bounce_domain_reputation", sideSender, "it refuses the sender's domain"},
	"rate_limit":               {"bounce_rate_limit", sideSender, "the sender is too fast"},
	"ptr_missing":              {"bounce_ptr_missing", sideSender, "the sender's IP address has no proper name"},
	"auth_failure":             {"bounce_auth_failure", sideSender, "the mail failed SPF, DKIM or DMARC"},
	"tls_required":             {"bounce_tls_required", sideSender, "it wants an encrypted connection"},
	"sender_rejected":          {"bounce_sender_rejected", sideSender, "it refuses the sender's address"},
	"spam_content":             {"bounce_spam_content", sideSender, "the mail looks like spam"},
	"virus":                    {"bounce_virus", sideSender, "the mail looks like malware"},
	"message_too_big":          {"bounce_message_too_big", sideSender, "the mail is too big"},
	"message_format":           {"bounce_message_format", sideSender, "the mail is not well-formed"},
	"policy_block":             {"bounce_policy_block", sideSender, "a policy refuses the mail"},
	"relay_denied":             {"bounce_relay_denied", sideSender, "it does not relay for the sender"},
	"recipient_rate":           {"bounce_recipient_rate", sideNone, "the mailbox gets too much mail at the moment"},
	"greylisted":               {"bounce_greylisted", sideNone, "the mail should be sent again later"},
	"network_error":            {"bounce_network_error", sideSoft, "its server could not be reached"},
	"expired":                  {"bounce_expired", sideSoft, "the mail could not be delivered in time"},
	"mail_loop":                {"bounce_mail_loop", sideSoft, "mail to it runs in a loop"},
	"server_error":             {"bounce_server_error", sideSoft, "its server has a fault"},
	"protocol_error":           {"bounce_protocol_error", sideSender, "the sender's mail server made a mistake"},
	"too_many_rcpts":           {"bounce_too_many_rcpts", sideSender, "the mail had too many recipients"},
	"delayed":                  {"bounce_delayed", sideNone, "the mail is late"},
	"auto_reply":               {"bounce_auto_reply", sideNone, "an automatic reply was sent"},
	"delivered":                {"bounce_delivered", sideNone, "the mail was delivered"},
	"unknown":                  {"bounce_unknown", sideSoft, "the mail was refused, without a reason that can be read"},
}
