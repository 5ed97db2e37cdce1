// Package validate says what an address is, now: its syntax, and what is known
// of its domain and local part from facts embedded in the program. It is pure:
// it opens no file and no socket, and what it says of an address depends on
// nothing but the address, the lists and, where one is given, an answer of the DNS.
//
// # Order of checks
//
//	ParseAddress   UTF-8 and control characters, then the local part from the left,
//	               then the domain: the first thing that is wrong, with one code and its octet
//	CheckDomain    special-use names; then the lists (provider, alias, disposable, free);
//	               then, for what is on no list, a slip of the hand for a big provider's name
//	CheckAddress   legal but exotic forms; notes; role; what the provider's sign-up form allows
//	CheckMX        with an answer of the DNS: mail hosts of throw-away providers
//	SuspectHosts   with the answers of a whole list: domains that live among throw-away ones
//
// What follows from all this is not decided here, but by winnow.Decide.
//
// # Standards
//
//	RFC 5321 4.1.2, 4.1.3   mailbox, local part, address literals
//	RFC 5321 4.5.3.1        64 octets before the @, 254 in all; 63 in a label and 253 in a domain (RFC 1035 2.3.4)
//	RFC 5322 3.2.3, 3.4.1   atext and dot-atom; of 4.4 (obsolete syntax) nothing
//	RFC 6531 3.3            UTF-8 in local parts; narrowed to letters, marks, digits, full-width forms
//	RFC 6532 3.1            NFC: other forms are taken, noted, and compared in NFC
//	RFC 5890-5893           IDNA2008: A-labels, disallowed characters, Bidi and joiner rules
//	UTS 46                  mapping of case and width before that, non-transitional (ß stays ß)
//	RFC 1123 2.1            host names: letters, digits, hyphens
//	RFC 3696 2              no numeric top-level domain
//	RFC 7085                mail to bare top-level domains does not work
//	RFC 5233                a +tag does not hide a role
//	RFC 2142                role names
//	RFC 6761, 6762, 7686, 8375, 9476   names that are not in the public DNS
//	RFC 7505, 5321 5.1      null MX, implicit MX: package dnsmx
//
// # Decisions
//
// Test suites of other validators call some of the following valid. They can be
// written; mail cannot be sent to them, or no sending service would:
//
//	domain_example           example.com, .net, .org and what is below: reserved, null MX
//	domain_special_use       .test, .invalid, .example, .localhost, .local, .onion, .internal, .alt, .arpa
//	domain_not_fqdn          test@io, test@localhost: no dot in the domain
//	domain_numeric_tld       x@127.0.0.1, x@example.123
//	domain_literal_invalid   brackets around what is no IP address; IPv6 without its tag
//	domain_idna_invalid      IDNA2003 names that IDNA2008 disallows (symbols); emoji are exotic instead
//	syntax_comment           x(comment)@firm.de
//	syntax_obsolete          "quoted".words@firm.de
//	syntax_space             white space around the @ or dots, in front or behind
//	syntax_control           folded lines, and control characters even in quotes
//	syntax_local_too_long    more than 64 octets, though not more than 64 characters
//	syntax_too_long          more than 254 octets (some suites allow 256)
//	syntax_local_char        backslashes outside of quotes; symbols and punctuation beyond ASCII
//
// Legal but exotic, for review: quoted_local_part, domain_literal,
// emoji_local_part, emoji_domain, one_letter_tld. What breaks a rule of its
// provider's sign-up form (provider_local_part) is for review too: such rules have
// changed before. All codes are frozen; testdata/addresses.txt shows each.
//
// # Notable divergences from net/mail
//
// net/mail.ParseAddress reads the address field of a header, ParseAddress here
// what a mail server would be given:
//
//   - names, angle brackets, comments and folding white space are errors here;
//   - the local part is kept as it is, quotes included; net/mail takes them off;
//   - lengths are checked; a domain must be one (hyphens, labels, a dot, IDNA); net/mail takes x@-_-;
//   - the domain comes back as lower-case A-labels;
//   - an error has a stable code and the octet where it is.
//
// # Limitations
//
//   - Whether a mailbox exists is not known, and not asked: servers lie about it,
//     and asking harms the one who asks.
//   - Without the DNS a domain that does not exist looks like any other; the
//     list of top-level domains is not consulted, it grows.
//   - The lists are as old as their dates. Throw-away domains come by the hundred
//     every week; CheckMX finds many of the new ones, not all.
//   - The typo rule knows the QWERTY keyboard and some seventy providers. It can be
//     wrong on a domain that is on no list: a suggestion is for a person to accept.
//   - A role name may be somebody's own: a role is a class of name, no proof.
package validate
