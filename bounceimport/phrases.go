package bounceimport

import "strings"

// phraseSet finds all phrases of a set in a text of words in one pass: a trie of
// letters turns each word into the items it stands for (itself, and the
// beginnings of words that patterns ask for), a trie of items finds the phrases.
// Two small tries stay in the cache, where one machine over letters, as Aho and
// Corasick's (CACM 18:6, 1975), would need a row for every letter of every phrase.
type phraseSet struct {
	class [256]uint8 // byte -> column
	next  []uint16   // letter trie: the next row; 0: no word of ours goes on like this
	ends  []itemList // row -> the items of a word that ends here
	goes  []itemList // row -> the items of a word that goes on where no word of ours does

	ids   map[string]int32 // word, word* or ^domain -> item, from 1
	hosts int              // how many of them are domains

	first []int32  // item -> node of the phrase that begins with it; 0: none
	keys  []uint64 // open addressing: node and item -> node; 0: free
	nodes []int32
	mask  uint64
	ended []bool // node -> a phrase ends here
	inner []bool // node -> a phrase goes on from here
	count int32  // nodes; 0 is none
	size  int    // entries of keys
}

type itemList []int32

// rowShift makes a row of 64 columns: letters, digits and a few marks.
const rowShift = 6

// maxRows is how many rows the letter trie may have.
const maxRows = 1<<16 - 1

// hit is a phrase found in a text: its node, its first word and the word after it.
type hit struct{ node, start, end int32 }

func newPhraseSet() *phraseSet {
	return &phraseSet{ids: map[string]int32{}, keys: make([]uint64, 1<<10), nodes: make([]int32, 1<<10), mask: 1<<10 - 1, count: 1, ended: make([]bool, 1), inner: make([]bool, 1)}
}

// add returns the node of a phrase in normal form. A phrase that ends in "*"
// ends within a word.
func (p *phraseSet) add(phrase string) int32 {
	node := int32(0)
	for w := range strings.FieldsSeq(phrase) {
		item, ok := p.ids[w]
		if !ok {
			item = int32(len(p.ids) + 1)
			p.ids[w] = item
			if w[0] == '^' {
				p.hosts++
			}
		}
		node = p.child(node, item)
	}
	p.ended[node] = true
	return node
}

// child returns the node that follows node by item, made if need be.
func (p *phraseSet) child(node, item int32) int32 {
	if to := p.walk(node, item); to != 0 {
		return to
	}
	if p.size*4 >= len(p.keys) {
		old, nodes := p.keys, p.nodes
		p.keys, p.nodes = make([]uint64, len(old)*4), make([]int32, len(old)*4)
		p.mask = uint64(len(p.keys) - 1)
		for i, k := range old {
			if k != 0 {
				p.put(k, nodes[i])
			}
		}
	}
	to := p.count
	p.count++
	p.ended, p.inner = append(p.ended, false), append(p.inner, false)
	p.inner[node] = true
	p.size++
	p.put(uint64(node)<<32|uint64(item), to)
	return to
}

func (p *phraseSet) put(key uint64, to int32) {
	i := hash(key) & p.mask
	for p.keys[i] != 0 {
		i = (i + 1) & p.mask
	}
	p.keys[i], p.nodes[i] = key, to
}

func hash(key uint64) uint64 {
	key *= 0x9E3779B97F4A7C15
	return key ^ key>>32
}

// walk returns the node that follows node by item, or 0.
func (p *phraseSet) walk(node, item int32) int32 {
	key := uint64(node)<<32 | uint64(item)
	for i := hash(key) & p.mask; ; i = (i + 1) & p.mask {
		switch p.keys[i] {
		case key:
			return p.nodes[i]
		case 0:
			return 0
		}
	}
}

// build makes the letter trie, after the last add.
func (p *phraseSet) build() {
	columns := uint8(1) // column 0 is every letter that no word has
	for w := range p.ids {
		for i := 0; i < len(w); i++ {
			if w[0] != '^' && p.class[w[i]] == 0 && w[i] != '*' {
				p.class[w[i]] = columns
				columns++
			}
		}
	}
	p.next = make([]uint16, 2<<rowShift) // row 0 is the dead end, row 1 the start
	exact, open := make([]int32, 2), make([]int32, 2)
	for w, item := range p.ids {
		if w[0] == '^' {
			continue
		}
		word, isOpen := strings.CutSuffix(w, "*")
		row := 1
		for i := 0; i < len(word); i++ {
			at := row<<rowShift + int(p.class[word[i]])
			if p.next[at] == 0 {
				p.next[at] = uint16(len(exact))
				exact, open = append(exact, 0), append(open, 0)
				p.next = append(p.next, make([]uint16, 1<<rowShift)...)
			}
			row = int(p.next[at])
		}
		if isOpen {
			open[row] = item
		} else {
			exact[row] = item
		}
	}
	p.ends, p.goes = make([]itemList, len(exact)), make([]itemList, len(exact))
	var walk func(row int, opened itemList)
	walk = func(row int, opened itemList) {
		if open[row] != 0 {
			opened = append(opened[:len(opened):len(opened)], open[row])
		}
		p.goes[row], p.ends[row] = opened, opened
		if exact[row] != 0 {
			p.ends[row] = append(opened[:len(opened):len(opened)], exact[row])
		}
		for _, to := range p.next[row<<rowShift : (row+1)<<rowShift] {
			if to != 0 {
				walk(int(to), opened)
			}
		}
	}
	walk(1, nil)
	p.first = make([]int32, len(p.ids)+1)
	for item := range p.first {
		if item > 0 {
			p.first[item] = p.walk(0, int32(item))
		}
	}
}

// word is a word of a text, at norm[start:end].
type word struct {
	start, end int32
	items      itemList
}

// split finds the words of norm, which has a space at both ends.
func (p *phraseSet) split(norm []byte, words []word) []word {
	next := p.next
	row := uint(1)
	from := 1
	for i := 1; i < len(norm); i++ {
		c := norm[i]
		if c == ' ' {
			words = append(words, word{int32(from), int32(i), p.ends[row]})
			row, from = 1, i+1
			continue
		}
		if to := next[row<<rowShift+uint(p.class[c])]; to != 0 {
			row = uint(to)
			continue
		}
		// No word of ours goes on like this: to the end of the word.
		for i < len(norm) && norm[i] != ' ' {
			i++
		}
		w := word{int32(from), int32(i), p.goes[row]}
		if norm[from] == '^' {
			w.items = p.host(norm[from+1 : i-1])
		}
		words = append(words, w)
		row, from = 1, i+1
	}
	return words
}

// host returns the items of the domains that a host name is in.
func (p *phraseSet) host(name []byte) (items itemList) {
	var key [256]byte
	for i := 0; i < len(name) && len(name) < len(key); i++ {
		if i == 0 || name[i-1] == '.' {
			n := copy(key[1:], name[i:])
			key[0] = '^'
			if item, ok := p.ids[string(key[:n+1])]; ok {
				items = append(items, item)
			}
		}
	}
	return items
}

// find appends to hits the phrases in words, in the order of their first words.
func (p *phraseSet) find(words []word, hits []hit) []hit {
	for i := range words {
		for _, item := range words[i].items {
			if node := p.first[item]; node != 0 {
				if p.ended[node] {
					hits = append(hits, hit{node, int32(i), int32(i + 1)})
				}
				hits = p.follow(words, node, i, i+1, hits)
			}
		}
	}
	return hits
}

func (p *phraseSet) follow(words []word, node int32, start, at int, hits []hit) []hit {
	for at < len(words) && p.inner[node] {
		items := words[at].items
		if len(items) == 0 {
			break
		}
		at++
		last := int32(0)
		for k, item := range items {
			to := p.walk(node, item)
			if to == 0 {
				continue
			}
			if p.ended[to] {
				hits = append(hits, hit{to, int32(start), int32(at)})
			}
			if k < len(items)-1 {
				hits = p.follow(words, to, start, at, hits)
			} else {
				last = to
			}
		}
		if last == 0 {
			break
		}
		node = last
	}
	return hits
}
