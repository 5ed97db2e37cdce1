// Package reply says what the words of a mail server mean. [Classifier.Classify]
// gives the class of one reply by the rules of rules.txt and the codes of
// codes.txt; [ParseRules] and [CheckRules] are for rules of the user's own.
// [Template] and [AppendMasked] make a reply fit to be counted and kept: both take
// out what is personal.
//
// A code such as 550, 554 or 5.7.1 is no verdict: only the wording tells whether
// the mailbox is dead or the sender was refused. The order is: innermost reply; a
// provider's own tokens and words by weight; (provider, enhanced code); enhanced
// code (RFC 3463, IANA registry "SMTP Enhanced Status Codes"); basic code (RFC
// 5321 4.2). The same evidence gives the same class on every run.
//
// Harm comes before recall: standing words such as "mailbox unavailable", and a code
// alone, suppress nobody as soon as a word of the rest speaks of the sender, policy,
// content, protocol or relaying; nor does a reply that says of itself that it will
// pass (4xx, "temporarily", "try again later").
package reply
