// Package columns knows what the columns of a list are about: by the words of their
// names which holds the contacts' addresses, and by the words of their names and cells
// which say that somebody must not be mailed. What it knows of words stands in
// headers.txt and lexicon/, in files that a person can read and extend without Go.
package columns
