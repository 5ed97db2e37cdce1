// Package reader reads what happened to addresses before: bounces, complaints
// and unsubscribes in any form people have them in.
//
// [Read] finds out by the content what a file is and hands on its events,
// classified by what the remote server said; [ReadPath] does so for a file or a
// folder. Each vendor's and each format's knowledge stands in a file of its own.
//
// # How a file is recognised
//
// By its first 64 KiB, never by its name, in this order: gzip, zstd, bzip2, zip
// (each is unpacked and looked at again); UTF-16; JSON (an object, an array, an
// object that holds an array of records, one object a line); mbox; a mail; a
// mail server's log; a delimited file. A delimited file is a known layout when
// all of its columns are there, else it is read by what the names of its columns
// mean, in some twenty languages; without a header, by what its cells look like.
//
// # Where the words come from
//
// The reply is what the remote server said, as it was received. A service's own
// verdict ("hard_bounce", "Permanent/General") stays in Event.Verdict and
// decides only where there is no reply, or where it tells of something that is
// no refusal: a complaint, an unsubscribe, a delivery, an automatic answer. A
// notice that the server is still trying counts as delayed unless its reply
// names a cause that trying again will not remove.
//
// Of a mail, the machine-readable report is read first; the text beside it
// fills in what the report leaves out. Without a report, the text is searched
// for the recipient: an address at the start of a line with the reason beside or
// below it, a labelled field, an SMTP dialogue, a sentence. The best kind that is
// there counts.
//
// # Standards
//
//	RFC 2045-2047, 2231   MIME, encoded words    as they come: truncated, unterminated, mislabelled
//	RFC 3463, 5248        enhanced status codes  Event.Status
//	RFC 3464              delivery reports       every recipient block; missing and superfluous blank lines
//	RFC 3834              automatic answers      category auto_reply
//	RFC 4155              mbox                   "From " lines after an empty line
//	RFC 5965, 6430        feedback reports       abuse, fraud, virus, opt-out, not-spam
//	RFC 8098              read receipts          "displayed" is proof of life
//	RFC 6591              authentication reports category auth_failure: about the sender
//	RFC 3164, 5424        syslog                 years are guessed where the stamp has none
//	RFC 4180              CSV                    in every dialect of internal/csvrows
//	RFC 2369              List-Unsubscribe       a mail with the subject "unsubscribe"
//
// # Forwarded mail
//
// A report may name an original recipient (RFC 3464, 2.3.1) beside the final one:
// the message was forwarded, and the address it was forwarded to refused it. Both
// get an event. The one for the original recipient never condemns at once, for
// that address may forward to others too.
//
// # Limitations
//
// A bounce that names neither the recipient nor returns the message is counted
// as malformed. Dates like 03/04/2024 are taken for month/day, the usual meaning
// in exports. Reports can be forged; Options.Senders and Options.MessageID demand
// that the returned message is one of ours. Of a mail, the first MiB is read.
// Exchange's message trace says that a delivery failed, but not why.
package reader
