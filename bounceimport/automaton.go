package bounceimport

// An automaton finds all literals of a set in one pass over a text: Aho and
// Corasick's machine (CACM 18:6, 1975) as one dense table, so that a byte costs
// one load. Literals and texts are in normal form (see normalise), whose small
// alphabet keeps the rows short.
type automaton struct {
	class [256]uint8 // byte -> column
	next  []uint32   // row of a state starts at state*rowSize; the entry is the next row's offset, plus found
	first []uint32   // state -> where its literals start in out; first[state+1] is where they end
	out   []int32    // literal ids
}

const (
	rowSize  = 64
	rowShift = 6
	found    = 1 << 31 // set in an entry whose target state ends literals
)

// hit is one literal found, and where it ends in the text.
type hit struct {
	lit int32
	end int32
}

// newAutomaton builds the machine for the literals; a literal's id is its index.
func newAutomaton(literals []string) *automaton {
	a := &automaton{}
	// Column 0 is every byte that no literal contains.
	n := uint8(1)
	size := 1
	for _, l := range literals {
		size += len(l)
		for i := 0; i < len(l); i++ {
			if a.class[l[i]] == 0 {
				if n == rowSize {
					panic("automaton: literals are not in normal form")
				}
				a.class[l[i]] = n
				n++
			}
		}
	}
	next := make([]uint32, rowSize, min(size, 1<<16)*rowSize)
	own := make([][]int32, 1, size)
	for id, l := range literals {
		state := uint32(0)
		for i := 0; i < len(l); i++ {
			at := state<<rowShift + uint32(a.class[l[i]])
			if next[at] == 0 {
				next[at] = uint32(len(own))
				own = append(own, nil)
				next = append(next, make([]uint32, rowSize)...)
			}
			state = next[at]
		}
		own[state] = append(own[state], int32(id))
	}
	// Breadth first: a state's failure state is nearer to the root, so its row is
	// complete when it is copied.
	states := len(own)
	fail := make([]uint32, states)
	queue := make([]uint32, 0, states)
	for c := range uint32(rowSize) {
		if s := next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for at := 0; at < len(queue); at++ {
		s := queue[at]
		own[s] = append(own[s], own[fail[s]]...)
		row, failRow := s<<rowShift, fail[s]<<rowShift
		for c := range uint32(rowSize) {
			if t := next[row+c]; t != 0 {
				fail[t] = next[failRow+c]
				queue = append(queue, t)
			} else {
				next[row+c] = next[failRow+c]
			}
		}
	}
	a.first = make([]uint32, states+1)
	for s, ids := range own {
		a.first[s] = uint32(len(a.out))
		a.out = append(a.out, ids...)
	}
	a.first[states] = uint32(len(a.out))
	for i, s := range next {
		next[i] = s << rowShift
		if len(own[s]) > 0 {
			next[i] |= found
		}
	}
	a.next = next
	return a
}

// find appends to hits every literal in text, in the order of their ends.
func (a *automaton) find(text []byte, hits []hit) []hit {
	next := a.next
	state := uint32(0)
	for i, c := range text {
		state = next[state+uint32(a.class[c])]
		if state&found != 0 {
			state &^= found
			s := state >> rowShift
			for _, id := range a.out[a.first[s]:a.first[s+1]] {
				hits = append(hits, hit{id, int32(i + 1)})
			}
		}
	}
	return hits
}
