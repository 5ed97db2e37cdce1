package esp

import "crypto/sha256"

// mark is what an address or a digest is remembered by: 16 bytes, so that a
// million of them cost some 40 MB and two different ones never meet.
type mark [16]byte

func markOf(s string) mark {
	d := sha256.Sum256([]byte(s))
	return mark(d[:16])
}

type set map[mark]struct{}

func (s set) has(what string) bool {
	if len(s) == 0 {
		return false
	}
	_, ok := s[markOf(what)]
	return ok
}

// add puts what into the set, and says whether it is new there.
func (s set) add(what string) bool {
	n := len(s)
	s[markOf(what)] = struct{}{}
	return len(s) > n
}

// remove takes what out of the set, and says whether it was there.
func (s set) remove(what string) bool {
	n := len(s)
	delete(s, markOf(what))
	return len(s) < n
}
