// Package fault lets a test break what only a fault of winnow itself could break,
// so that the gates that measure it can be seen to fail.
package fault

import "github.com/winnow-email/winnow/export/summary"

var inject func(*summary.Summary)

// Set makes Inject call f, which may be nil, until the function that it returns is
// called. It is for tests.
func Set(f func(*summary.Summary)) (undo func()) {
	inject = f
	return func() { inject = nil }
}

// Inject breaks a summary when a test wants it.
func Inject(s *summary.Summary) {
	if inject != nil {
		inject(s)
	}
}
