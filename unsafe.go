package winnow

import "unsafe"

// uint64Bytes returns the memory of h as bytes, for writing it to a file that
// this process alone reads.
func uint64Bytes(h []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(h))), len(h)*8)
}

// stringOf returns b as a string without copying it. b must not change while
// the string is in use: the strings of a chunk live as long as its records are
// being judged, and what is kept longer is cloned.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
