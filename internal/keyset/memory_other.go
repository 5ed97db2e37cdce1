//go:build !unix

package keyset

func mapMemory(n int) []byte { return make([]byte, n) }

func unmapMemory([]byte) {}
