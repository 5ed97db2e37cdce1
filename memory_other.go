//go:build !unix

package winnow

func mapMemory(n int) []byte { return make([]byte, n) }

func unmapMemory([]byte) {}
