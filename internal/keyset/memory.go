package keyset

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// pool hands out memory for the big tables, beside the garbage-collected heap:
// it holds no pointers, it is a large part of what a run has, and the heap
// would keep as much again in reserve for it. Nothing of a pool may be used
// after free. The zero value is ready to use.
type pool struct {
	mu     sync.Mutex
	blocks [][]byte
	rest   []byte // of the last block
}

const poolBlock = 4 << 20

// alloc returns n zero bytes, aligned to 64.
func (p *pool) alloc(n int) []byte {
	size := (n + 63) &^ 63
	p.mu.Lock()
	defer p.mu.Unlock()
	if size > len(p.rest) {
		b := mapMemory(max(size, poolBlock))
		p.blocks = append(p.blocks, b)
		if len(b)-size <= len(p.rest) { // a block of its own
			return b[:n:n]
		}
		p.rest = b
	}
	b := p.rest[:n:n]
	p.rest = p.rest[size:]
	return b
}

// free gives everything back.
func (p *pool) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.blocks {
		unmapMemory(b)
	}
	p.blocks, p.rest = nil, nil
}

// hashes returns room for n hashes.
func (p *pool) hashes(n int) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(p.alloc(8*n)))), n)[:0]
}

// uint64Bytes returns the memory of h as bytes, for writing it to a file that
// this process alone reads.
func uint64Bytes(h []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(h))), len(h)*8)
}

// MachineMemory returns how many bytes of memory this process may have: that of
// the machine, or of the container.
func MachineMemory() int64 {
	mem := int64(4) << 30 // where it cannot be told
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 && f[0] == "MemTotal:" {
			if kb, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				mem = kb << 10
			}
		}
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(name); err == nil {
			if n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64); err == nil && n > 0 && n < mem {
				mem = n
			}
		}
	}
	return mem
}
