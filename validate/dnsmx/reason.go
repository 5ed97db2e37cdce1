package dnsmx

import "github.com/winnow-email/winnow/validate"

// A reason is a stable code with the one verdict it stands for. Codes are
// frozen: one that was released is never renamed and never changes its verdict.
type reason struct {
	code    string
	verdict validate.DomainVerdict
	detail  string // for a person
}

// reasons lists every code of Answer.Reason. A code that is DoesNotAccept
// needs proof (judge.go), but for the one that only the user can ask for; all
// other codes of errors are Unknown.
var reasons = []reason{
	{"mx_ok", validate.Accepts, "a mail host of the domain has a public address"},
	{"mx_implicit_a", validate.Accepts, "no MX record; mail goes to the IPv4 address of the domain itself (RFC 5321 section 5.1)"},
	{"mx_implicit_aaaa", validate.Accepts, "no MX record; mail goes to the IPv6 address of the domain itself (RFC 5321 section 5.1)"},

	{"domain_syntax", validate.DoesNotAccept, "not a domain name"},
	{"domain_not_fqdn", validate.DoesNotAccept, "a single label is not a domain on the Internet"},
	{"domain_ip_literal", validate.DoesNotAccept, "an IP address is not a domain"},
	{"domain_special_use", validate.DoesNotAccept, "a special-use name (RFC 6761): no mail can go there; it was not asked for"},
	{"domain_not_found", validate.DoesNotAccept, "the domain does not exist (NXDOMAIN)"},
	{"domain_cname_dangling", validate.DoesNotAccept, "the domain is an alias of a name that does not exist"},
	{"domain_no_mail_host", validate.DoesNotAccept, "the domain has neither MX nor address records"},
	{"domain_null_mx", validate.DoesNotAccept, "the domain says that it takes no mail (null MX, RFC 7505)"},
	{"domain_not_global", validate.DoesNotAccept, "the domain has only addresses that are not reachable from the Internet"},
	{"domain_tld_wildcard", validate.DoesNotAccept, "the domain is not registered; its registry answers for every name"},
	{"mx_unresolvable", validate.DoesNotAccept, "no mail host of the domain has an address"},
	{"mx_loopback", validate.DoesNotAccept, "all mail hosts of the domain point at the sender's own machine"},
	{"mx_special_use", validate.DoesNotAccept, "all mail hosts of the domain are special-use names (RFC 6761)"},
	{"mx_not_global", validate.DoesNotAccept, "no mail host of the domain is reachable from the Internet"},

	{"dns_persistent_failure", validate.DoesNotAccept, "the DNS failed for it on five days or more, longer than mail is tried (RFC 5321 section 4.5.4.1)"},

	{"mx_null_mixed", validate.Unknown, "a null MX beside other mail hosts: some senders bounce, some deliver"},
	{"mx_ip_literal", validate.Unknown, "the MX record holds an IP address: some senders deliver, some refuse"},
	{"mx_address_unknown", validate.Unknown, "the addresses of the mail hosts could not be found out"},
	{"dns_too_many_hosts", validate.Unknown, "the domain names so many mail hosts that not all are looked at, and the first ones have no address"},
	{"dns_split_horizon", validate.Unknown, "only private addresses, seen from a private resolver: the Internet may see others"},
	{"dns_servfail", validate.Unknown, "the resolver could not find out (SERVFAIL)"},
	{"dns_dnssec_bogus", validate.Unknown, "the resolver does not believe the domain's DNSSEC signatures"},
	{"dns_no_reachable_authority", validate.Unknown, "the resolver reached none of the domain's name servers"},
	{"dns_network_error", validate.Unknown, "the resolver had a network error"},
	{"dns_not_ready", validate.Unknown, "the resolver was not ready"},
	{"dns_cached_error", validate.Unknown, "the resolver remembers an earlier error"},
	{"dns_refused", validate.Unknown, "the resolver refused to answer"},
	{"dns_formerr", validate.Unknown, "the resolver did not understand the query"},
	{"dns_notimp", validate.Unknown, "the resolver does not support the query"},
	{"dns_timeout", validate.Unknown, "no reply in time"},
	{"dns_truncated", validate.Unknown, "the answer was cut and could not be had over TCP"},
	{"dns_bad_reply", validate.Unknown, "the reply was malformed or answered another question"},
	{"dns_tls_error", validate.Unknown, "no verified connection to the resolver"},
	{"dns_filtered", validate.Unknown, "the resolver filters this name"},
	{"dns_disagree", validate.Unknown, "the resolvers contradict each other, or one itself"},
	{"dns_negative_unproven", validate.Unknown, "the resolver denies it without the proof that a denial needs (RFC 2308)"},
	{"dns_cname_loop", validate.Unknown, "the domain's aliases do not end"},
	{"dns_resolver_down", validate.Unknown, "no resolver worked; it was not asked"},
	{"dns_resolver_hijack", validate.Unknown, "the resolver invents answers; it is not believed"},
	{"dns_anomaly", validate.Unknown, "domains that were condemned did not stand a second look; none is that this resolver denies"},
	{"dns_budget", validate.Unknown, "the time for asking the DNS was over"},
	{"dns_not_recorded", validate.Unknown, "the recording or table holds no answer for it"},
}

// warnings lists the codes of Answer.Warnings. None of them changes a verdict.
var warnings = []reason{
	{code: "mx_ok_partial", detail: "a more preferred mail host cannot be reached"},
	{code: "mx_ok_cname_target", detail: "the mail host is an alias, which RFC 5321 section 5.1 forbids"},
	{code: "mx_ok_ipv6_only", detail: "the mail host has no IPv4 address"},
	{code: "mx_parked", detail: "the mail host belongs to a parking service"},
	{code: "mx_disposable", detail: "the mail host belongs to a provider of throw-away mailboxes"},
	{code: "dns_stale", detail: "the resolver gave an expired answer (RFC 8767)"},
}

// verdictOf returns the verdict of a code; Unknown for a code it does not know.
func verdictOf(code string) validate.DomainVerdict {
	for i := range reasons {
		if reasons[i].code == code {
			return reasons[i].verdict
		}
	}
	return validate.Unknown
}

// Explain returns one sentence on a reason or warning code, "" for a code that
// is not of this package.
func Explain(code string) string {
	for _, t := range [][]reason{reasons, warnings} {
		for i := range t {
			if t[i].code == code {
				return t[i].detail
			}
		}
	}
	return ""
}
