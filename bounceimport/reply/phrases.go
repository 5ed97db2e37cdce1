package reply

import "strings"

// phraseSet finds all phrases of a set in a text of words in one pass: a hash
// table turns each word into the items it stands for (itself, and the beginnings
// of words that patterns ask for), a trie of items finds the phrases. Both are
// small enough to stay in the processor's cache, where one machine over letters,
// as Aho and Corasick's (CACM 18:6, 1975), would need a row for every letter of
// every phrase.
type phraseSet struct {
	ids map[string]int32 // word, word* or ^domain -> item, from 1

	// The words, by open addressing. An entry without a hash is free.
	words   []wordEntry
	shift   uint // of a hash to its slot
	lists   []int32
	lengths [256]uint64 // first letter -> the lengths that beginnings of words have, as bits

	// The trie of items, by open addressing; node 0 is the root.
	first []int32 // item -> node of the phrase that begins with it; 0: none
	steps []stepEntry
	mask  uint32
	size  int
	nodes []nodeKind
}

// wordEntry is what a word or the beginning of a word stands for: lists[at:at+n].
type wordEntry struct {
	hash uint64
	at   int32
	n    int32
}

// stepEntry says that node is followed by to when item comes; to 0: free.
type stepEntry struct{ node, item, to int32 }

type nodeKind uint8

const (
	isPhrase nodeKind = 1 << iota // a phrase ends here
	isInner                       // a phrase goes on from here
)

// hit is a phrase found in a text: its node, its first word and the word after it.
type hit struct{ node, start, end int32 }

func newPhraseSet() *phraseSet {
	return &phraseSet{ids: map[string]int32{}, steps: make([]stepEntry, 1<<10), mask: 1<<10 - 1, nodes: make([]nodeKind, 1)}
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
		}
		node = p.child(node, item)
	}
	p.nodes[node] |= isPhrase
	return node
}

// child returns the node that follows node by item, made if need be.
func (p *phraseSet) child(node, item int32) int32 {
	if to := p.walk(node, item); to != 0 {
		return to
	}
	if p.size*2 >= len(p.steps) {
		old := p.steps
		p.steps = make([]stepEntry, len(old)*2)
		p.mask = uint32(len(p.steps) - 1)
		for _, e := range old {
			if e.to != 0 {
				p.put(e)
			}
		}
	}
	to := int32(len(p.nodes))
	p.nodes[node] |= isInner
	p.nodes = append(p.nodes, 0)
	p.size++
	p.put(stepEntry{node, item, to})
	return to
}

func (p *phraseSet) put(e stepEntry) {
	i := stepHash(e.node, e.item) & p.mask
	for p.steps[i].to != 0 {
		i = (i + 1) & p.mask
	}
	p.steps[i] = e
}

func stepHash(node, item int32) uint32 {
	h := (uint64(node)<<32 | uint64(item)) * 0x9E3779B97F4A7C15
	return uint32(h >> 32)
}

// walk returns the node that follows node by item, or 0.
func (p *phraseSet) walk(node, item int32) int32 {
	for i := stepHash(node, item) & p.mask; ; i = (i + 1) & p.mask {
		if e := &p.steps[i]; e.node == node && e.item == item || e.to == 0 {
			return e.to
		}
	}
}

// Word hashes: FNV-1a, and a turn for the beginnings of words. 64 bits leave a
// chance of 1 in 10^15 that a strange word is taken for one of ours.
const (
	hashStart = 0xcbf29ce484222325
	hashPrime = 0x100000001b3
	hashOpen  = 0x9E3779B97F4A7C15
)

// maxOpen is the greatest length of a beginning of a word: a letter outside the
// Latin script takes five bytes.
const maxOpen = 63

// build makes the table of words, after the last add.
func (p *phraseSet) build() {
	bits := uint(8)
	for len(p.ids)*2 > 1<<bits {
		bits++
	}
	p.words, p.shift = make([]wordEntry, 1<<bits), 64-bits
	p.first = make([]int32, len(p.ids)+1)
	p.lists = append(p.lists[:0], 0)
	for w, item := range p.ids {
		p.first[item] = p.walk(0, item)
		if w[0] == '^' {
			continue
		}
		word, open := strings.CutSuffix(w, "*")
		// The items of a word are those of all its beginnings, and its own.
		at := int32(len(p.lists))
		h := uint64(hashStart)
		for i := 0; i < len(word); i++ {
			h = (h ^ uint64(word[i])) * hashPrime
			if i+1 <= maxOpen && (i+1 < len(word) || !open) {
				if id, ok := p.ids[word[:i+1]+"*"]; ok {
					p.lists = append(p.lists, id)
				}
			}
		}
		p.lists = append(p.lists, item)
		if open {
			h *= hashOpen
			p.lengths[word[0]] |= 1 << len(word)
		}
		i := h >> p.shift
		for p.words[i].hash != 0 {
			i = (i + 1) & uint64(len(p.words)-1)
		}
		p.words[i] = wordEntry{h, at, int32(len(p.lists)) - at}
	}
}

// lookup returns the items of a word's hash, nil when it is not ours.
func (p *phraseSet) lookup(h uint64) []int32 {
	for i := h >> p.shift; ; i = (i + 1) & uint64(len(p.words)-1) {
		switch e := &p.words[i]; e.hash {
		case h:
			return p.lists[e.at : e.at+e.n]
		case 0:
			return nil
		}
	}
}

// word is a word of a text, at norm[start:end].
type word struct {
	start, end int32
	items      []int32
}

// split finds the words of norm, which has a space at both ends.
func (p *phraseSet) split(norm []byte, words []word) []word {
	var hashes [maxOpen + 1]uint64 // of the beginnings of the word
	for from := 1; from < len(norm); {
		h := uint64(hashStart)
		i := from
		for ; norm[i] != ' '; i++ {
			h = (h ^ uint64(norm[i])) * hashPrime
			if n := i - from; n < maxOpen {
				hashes[n+1] = h
			}
		}
		w := word{int32(from), int32(i), nil}
		if norm[from] == '^' {
			w.items = p.host(norm[from+1 : i-1])
		} else if w.items = p.lookup(h); w.items == nil {
			if open := p.lengths[norm[from]]; open != 0 {
				for n := min(i-from, maxOpen); n > 0 && w.items == nil; n-- {
					if open&(1<<n) != 0 {
						w.items = p.lookup(hashes[n] * hashOpen)
					}
				}
			}
		}
		words = append(words, w)
		from = i + 1
	}
	return words
}

// anyHost is the word that stands for any host name.
const anyHost = "^"

// host returns the items of the domains that a host name is in.
func (p *phraseSet) host(name []byte) (items []int32) {
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
	if item, ok := p.ids[anyHost]; ok {
		items = append(items, item)
	}
	return items
}

// find appends to hits the phrases in words, in the order of their first words.
func (p *phraseSet) find(words []word, hits []hit) []hit {
	for i := range words {
		for _, item := range words[i].items {
			if node := p.first[item]; node != 0 {
				if p.nodes[node]&isPhrase != 0 {
					hits = append(hits, hit{node, int32(i), int32(i + 1)})
				}
				hits = p.follow(words, node, i, i+1, hits)
			}
		}
	}
	return hits
}

func (p *phraseSet) follow(words []word, node int32, start, at int, hits []hit) []hit {
	for at < len(words) && p.nodes[node]&isInner != 0 {
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
			if p.nodes[to]&isPhrase != 0 {
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
