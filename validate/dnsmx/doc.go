// Package dnsmx asks the DNS whether a domain takes mail, and judges the
// answers so that a broken resolver condemns nobody.
//
// Resolver asks; Tape and Table answer from a recording of replies and from a
// table of verdicts. All three implement validate.Resolver. Every answer is
// Accepts, DoesNotAccept or Unknown with one reason code (Explain says each in a
// sentence) and the evidence: what was answered, by which resolver, when.
//
// # Order of checks
//
//  1. The name alone: syntax, single labels, special-use names. Nobody is asked.
//  2. MX records. NXDOMAIN or an error ends here.
//  3. With MX records: null MX, then the hosts in order of preference until one
//     has a public address. The address of the domain itself does not count.
//  4. Proved to have none: the addresses of the domain itself.
//  5. What would be accepted: does the top-level domain answer for every name?
//  6. What would be condemned: what that rests on is asked for once more at another
//     resolver, if there is one in health, and held back until the end of the run.
//     What only one resolver told is asked for once more then, over TCP.
//
// # Proof
//
// A denial counts when the message is a reply to the query (id, QR, opcode,
// question; as many records as its header says and not a byte more), RA is set,
// the SOA record of a zone that can deny the name stands in the authority section,
// no Extended DNS Error says that it is stale or filtered, and the resolver has
// passed its canaries: it finds mail hosts for domains known to have them (for most,
// or for one and the null MX of example.com), and denies random names with proof.
// A zone can deny what is below its apex; of the apex, which exists, it can say only
// that it has no such records. The root can deny only top-level domains that it does
// not have, a registry only what it has not delegated. A zone below a registry's must
// show its SOA record to who asks for it, if the resolver shows any: a filter that makes
// up the proof denies that too. What bears the mark of a filter
// (AdGuard's SOA record, a policy zone, 0.0.0.0 or :: for an address, 127.0.0.1 with
// a TTL of seconds) proves nothing.
//
// A resolver that gives addresses or MX records for names that do not exist, a null
// MX for a domain that takes mail, or mail hosts for example.com, is not believed in
// the rest either, mail hosts excepted. All else is Unknown: any rcode but NOERROR
// and NXDOMAIN, timeouts, replies that do not fit, resolvers that contradict each
// other, more than 20 mail hosts of which the first 20 have no address.
//
// A resolver that does not stand by what it told against domains is flapping: when so
// many did not stand that others are likely to have been denied twice by chance (one in
// fifty runs, or in a million domains) nothing that it denies is believed (dns_anomaly). Few domains are asked for more
// often, up to five times, and up to eight times where another resolver was caught.
// When more than 15% of 200 or more domains are condemned, one that does not stand a
// second look leaves all of them Unknown. So it is when their share is more than three
// times that of the last run of 200 or more domains, which the cache remembers.
//
// # Failure that lasts
//
// A domain whose own servers fail is Unknown, and the cache counts the days (UTC) on
// which it was asked for and failed: any answer ends the count, a day without a
// question neither adds nor ends, and a run in which the resolvers as a whole could not
// be used, or in which more than 15% of 200 or more domains failed, adds nothing. With
// Resolver.SuppressPersistent, and not without, five days make dns_persistent_failure,
// the only verdict that is not proved: senders give up after four to five days (RFC
// 5321 section 4.5.4.1). The days are forgotten a year after the last one.
//
// # RFCs
//
//	1035  messages, master files             5452  random ids and ports, matching replies
//	2181  section 9: TC before the rest      6761, 6762, 7686, 9476  special-use names
//	2308  NODATA, NXDOMAIN, their SOA        6890  addresses that are not global
//	3172  arpa is no mail domain             6891  EDNS: 1232 octets, retry without it
//	4592  wildcards (top-level domains)      7505  null MX
//	5321  section 5.1: MX, implicit MX       7766  TCP
//	7858  DNS over TLS                       8020  nothing below NXDOMAIN
//	8484  DNS over HTTPS                     8767  stale answers
//	8914  Extended DNS Errors                9520  failures are remembered, not hammered
//
// # Asking
//
// A question is tried up to three times: over UDP, over UDP at the next resolver,
// and again when nothing else is left to ask (over TCP towards a resolver across
// the Internet). Truncated replies are asked for over TCP at once; many queries share
// one connection. The number of
// queries on their way adapts to each resolver, up to 500; more makes recursive
// resolvers invent failures. Towards the own machine and private networks a few
// sockets are kept; across the Internet every query has a fresh one, and there
// are at most 300 in any one second, with all that is sent. A resolver that stops replying is tried by canaries
// only, after 1, 2, 4 seconds; when all have, the rest is Unknown and Resolve
// returns ErrUnusable.
//
// # Parts
//
// Each looks only at those above it:
//
//	message parse server   what goes over the wire
//	proof judge answer     what replies amount to, what they say of a domain, and in what words
//	mux stream transport   how queries get to a resolver and back
//	pace canary upstream   how much a resolver is given, and whether it is believed
//	asker prober           questions on their way; tests of the resolvers
//	line tape              a recording
//	cachefile streak cache what is kept between runs
//	desk ending run        domains on their way to a verdict; the end of a run; the whole
//
// # Notable divergences
//
//   - net.LookupMX takes NODATA, NXDOMAIN and alias loops for the same, and does
//     not look at the owners of records. Most validators take SERVFAIL for "no MX".
//   - An unproved denial stays unknown even when two resolvers give the same one:
//     two filtering resolvers of one operator are not two witnesses.
//   - Only private addresses, seen from a private resolver, stay unknown however
//     many such resolvers agree (dns_split_horizon); one across the Internet decides.
//   - Only a registry's NXDOMAIN is taken for all names below it: some servers deny
//     a name and answer for one below it.
//   - A mail host with the address 0.0.0.0 or :: condemns nobody (Postfix would try
//     itself, Exim refuse): so answer filters. One with 127.0.0.1 does, when the
//     resolver proves the zone of the name.
//   - Random names are asked for below example.com and invalid only (RFC 6761), where
//     they are in no one's way; whether a top-level domain answers for every name is
//     asked with a label that is reserved (RFC 5890 section 2.3.1).
//
// # Limitations
//
//   - A domain that takes mail says nothing of a mailbox, and a host with an address
//     may still refuse every connection: nobody connects to it.
//   - DNSSEC is left to the resolver; 0x20, cookies and padding are not used.
//   - In a network with a root of its own, the canaries must be named
//     (Resolver.Canaries), or nothing is condemned. A resolver on the loopback
//     interface needs only to be named itself (Resolver.Servers), and to know some
//     of the domains of the run.
//   - Wildcards below public suffixes of two labels (co.uk) are not looked for.
//   - Failures are counted by day only with a cache, and for the same resolvers. A
//     network that some name servers never answer cannot be told from dead domains:
//     look at the reasons before using Resolver.SuppressPersistent.
package dnsmx
