// Package validate says what an address is, now: its syntax, and what is known
// of its domain and local part from facts embedded in the program. It is pure:
// it opens no file and no socket.
package validate
