package diagnosis

import (
	"hash/fnv"
	"math"
	"slices"
	"strings"
)

// A sketch counts different strings: exactly up to sketchSize, beyond that by
// the smallest hashes (k minimum values), within some 6%.
type sketch struct {
	min []uint64 // ascending
}

const sketchSize = 256

func (s *sketch) add(v string) {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(v)))
	x := h.Sum64()
	// FNV spreads short strings badly in its upper bits; finish as splitmix64 does.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	if len(s.min) == sketchSize && x >= s.min[sketchSize-1] {
		return
	}
	i, found := slices.BinarySearch(s.min, x)
	if found {
		return
	}
	if len(s.min) == sketchSize {
		s.min = s.min[:sketchSize-1]
	}
	s.min = slices.Insert(s.min, i, x)
}

func (s *sketch) merge(o *sketch) {
	all := slices.Concat(s.min, o.min)
	slices.Sort(all)
	all = slices.Compact(all)
	s.min = all[:min(len(all), sketchSize)]
}

func (s *sketch) n() int64 {
	if len(s.min) < sketchSize {
		return int64(len(s.min))
	}
	return int64(float64(sketchSize-1) / (float64(s.min[sketchSize-1]) / math.MaxUint64))
}
