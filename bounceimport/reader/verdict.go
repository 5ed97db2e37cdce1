package reader

// hintOf translates the word by which a source names what happened into a
// category of the taxonomy, for events that carry no reply to read. It knows
// the event and reason names of the ESPs' exports, APIs and webhooks, and the
// bounce categories of PowerMTA and KumoMTA. "" means that the word says nothing.
//
// A hard bounce that comes without its reply is esp_suppressed: the ESP will not
// send to the address, and does not say why.
func hintOf(word string) string {
	var buf [64]byte
	k := foldWord(buf[:0], word)
	switch string(k) {
	// What the source knows for certain.
	case "complaint", "complained", "complaints", "spam_complaint", "spamcomplaint", "spam_complaints", "spam_report", "spamreport", "spam_reported",
		"spam", "abuse", "abuse_report", "scomp", "fbl", "feedback", "feedback_loop", "email_complained", "marked_as_spam", "reported_spam",
		"complainedrecipients", "fraud", "activity_spam_complaint", "junk", "junked", "report_spam", "spam_reporting_address", "beschwerde", "plainte", "queja", "жалоба":
		return "complaint"
	case "unsubscribe", "unsubscribed", "unsub", "unsubscribes", "group_unsubscribe", "list_unsubscribe", "link_unsubscribe", "opt_out", "optout",
		"opted_out", "unsubscribed_address", "unsubscribe_link", "global_unsubscribe", "subscriptionchange", "email_unsubscribed", "abgemeldet",
		"abmeldung", "ausgetragen", "desinscrit", "desabonne", "désabonné", "désinscrit", "baja", "dado_de_baja", "cancelado", "disiscritto", "afgemeld",
		"activity_unsubscribed", "отписан", "отписался", "配信停止", "do_not_contact", "user_unsubscribed":
		return "unsubscribe"
	case "delivered", "delivery", "deliver", "sent", "send", "open", "opened", "opens", "click", "clicked", "clicks", "unique_opened", "first_opening",
		"proxy_open", "unique_proxy_open", "initial_open", "amp_open", "amp_click", "amp_initial_open", "email_delivered", "email_opened", "email_clicked", "activity_delivered", "activity_opened",
		"activity_clicked", "activity_opened_unique", "activity_clicked_unique", "messagesent", "messageloaded", "messagelinkclicked", "relayed", "ok",
		"zugestellt", "livré", "entregado", "consegnato", "доставлено", "geliefert":
		return "delivered"
	case "delayed", "deferred", "defer", "deferral", "email_delivery_delayed", "deliverydelay", "messagedelayed", "transient_failure", "transientfailure", "softfail",
		"delay", "activity_deferred", "delivery_delayed":
		return "delayed"
	case "auto_reply", "autoreply", "autoresponder", "auto_responder", "vacation", "out_of_office", "challengeverification", "challenge_response", "autoresponse":
		return "auto_reply"
	case "not_spam", "not_spam_report":
		return "not_spam"

	// Suppressed or bounced for good, without the reply.
	case "hard", "hard_bounce", "hardbounce", "hard_bounced", "hardbounced", "bounce", "bounced", "bounces", "hard_bounces", "permanent", "permanent_general",
		"permanent_noemail", "permanent_suppressed", "permanent_onaccountsuppressionlist", "permanent_undetermined", "permfail", "hardfail", "email_bounced", "cleaned", "bounce_rule",
		"bounced_address", "suppress_bounce", "suppressed", "suppression", "suppression_list", "onaccountsuppressionlist", "email_suppressed", "bounce_bad_address",
		"blocklisted", "blacklist", "blacklisted", "blocked_address", "invalid_email", "invalid_address", "invalid", "invalid_recipient",
		"activity_hard_bounced", "messagedeliveryfailed", "permanent_failure", "hardbounced_address", "zurückgewiesen",
		"manually_added", "manual", "manualsuppression", "user_suppressed", "admin_suppressed", "preblocked", "duplicate_in_blocklist", "blocked_due_to_blacklist_user", "bounce_hard",
		"suppress", "h", "dur", "permanente", "жёсткий":
		return "esp_suppressed"

	// The bounce categories of PowerMTA, KumoMTA and others that name a cause.
	case "bad_mailbox", "invalidrecipient", "user_unknown", "unknown_user", "unknown_address", "unknown_mailbox", "noemail", "no_email", "no_such_user", "recipient_unknown", "err_user_unknown",
		"mailbox_not_found", "bademailaddress_unknown", "badmailbox":
		return "user_unknown"
	case "inactive_mailbox", "inactivemailbox", "mailbox_inactive", "mailbox_disabled", "err_mailbox_disabled", "recipient_suspended":
		return "mailbox_disabled"
	case "bad_domain", "baddomain", "invalid_domain", "unknown_domain", "dnserror", "dns_failure", "err_domain_lost_index", "nxdomain", "no_mx", "domain_not_found", "host_unknown", "typofix":
		return "domain_unknown"
	case "bademailaddress", "bad_email_address", "syntax_error_in_address", "err_skip_letter", "address_syntax":
		return "address_syntax"
	case "quota_issues", "quotaissues", "mailbox_full", "mailboxfull", "transient_mailboxfull", "inbox_full", "over_quota", "err_mailbox_full", "quota_exceeded":
		return "mailbox_full"
	case "spam_related", "spamcontent", "spam_content", "spam_block", "spamnotification", "spam_preblocked", "err_spam_rejected", "content", "content_blocked",
		"content_related", "transient_contentrejected", "contentrejected":
		return "spam_content"
	case "spamblock", "reputation", "sender_blocked":
		return "ip_reputation"
	case "policy_related", "policyrelated", "policy", "policy_issue", "blocked", "block":
		return "policy_block"
	case "dmarcpolicy", "authenticationfailed":
		return "auth_failure"
	case "virus_related", "virusrelated", "virusnotification", "transient_attachmentrejected", "attachmentrejected":
		return "virus"
	case "relaying_issues", "relaydenied", "relay_error", "relaying_denied":
		return "relay_denied"
	case "message_expired", "messageexpired", "expiration", "expired", "timeout":
		return "expired"
	case "bad_connection", "no_answer_from_host", "badconnection", "noanswerfromhost", "routing_errors", "routingerrors", "connection_issue", "dns_failure_soft",
		"err_delivery_failed", "connection_error", "no_answer":
		return "network_error"
	case "message_too_large", "transient_messagetoolarge", "messagetoolarge", "message_size":
		return "message_too_big"
	case "protocol_errors", "protocolerrors", "smtpapierror":
		return "protocol_error"
	case "invalid_sender", "invalidsender":
		return "sender_rejected"
	case "rate_limit", "throttled", "toomanyrecipients", "frequency_or_volume_too_high", "greylisted_throttled":
		return "rate_limit"
	case "greylisted", "greylisting":
		return "greylisted"
	case "bad_configuration", "technical", "technical_failure", "server_error", "system_issue", "admin_failure_server":
		return "server_error"
	case "mailbox_moved", "addresschange":
		return "mailbox_moved"

	// A failure that may pass, or of which nothing is known.
	case "soft", "soft_bounce", "softbounce", "soft_bounced", "transient", "transient_general", "temporary", "temporary_failure", "tempfail", "undetermined",
		"undetermined_undetermined", "bounce_all", "failed", "failure", "fail", "other", "unknown", "unclassified", "uncategorized", "dropped", "rejected", "reject",
		"activity_soft_bounced", "s", "weich", "bounce_soft", "mailbox_unavailable", "unreachable", "oob", "generic", "old", "err_undelivered":
		return "unknown"
	}
	return ""
}
