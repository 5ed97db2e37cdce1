//go:build unix

package keyset

import "syscall"

func mapMemory(n int) []byte {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n)
	}
	return b
}

// unmapMemory does nothing to memory that did not come from Mmap: Munmap knows
// what it gave.
func unmapMemory(b []byte) { _ = syscall.Munmap(b) }
