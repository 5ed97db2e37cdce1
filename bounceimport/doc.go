// Package bounceimport is the vocabulary of what happened to mail before: an
// [Event] is one thing that happened to one address, its [Class] what that means,
// a [Record] what all events of one address come to, a [Source] who knows them.
//
// What a category means stands in taxonomy.txt and nowhere else. [Fold] applies
// its thresholds to the events of one address; [IncidentFinder] finds the hours
// in which a provider's "no such user" is not to be believed; [Ledger] holds the
// events of the files of one run.
//
// The rooms behind it: package reply says what the words of a reply mean, package
// reader makes events of any file, package diagnosis says whose side the trouble
// is on and since when, and package history keeps the events of all runs.
package bounceimport
