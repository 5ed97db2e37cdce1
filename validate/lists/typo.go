package lists

import (
	"math/bits"
	"strings"
	"sync"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
)

// A target is a provider that people mean when they mistype a domain.
type target struct {
	name    string
	level   level
	endings []string
}

// A level says how much is taken for a slip; the names are those of targets.txt.
type level uint8

const (
	word level = iota // a word of some language: only an ending that does not exist
	tld               // too short to tell slips from names: only the ending
	one               // and one slip in the name
	most              // and two slips
	all               // and any ending at all
)

var levels = map[string]level{"word": word, "tld": tld, "one": one, "most": most, "all": all}

// Costs of slips, in tenths of an ordinary one.
const (
	doubled    = 8  // a letter twice, or once instead of twice
	slip       = 10 // a neighbouring key, a look-alike, two letters swapped
	otherVowel = 13
	omission   = 12
	stray      = 12 // a letter too many
	wrongKey   = 14 // a key that is not beside the right one
	never      = 99
)

// speller is what Typo compares with, made from targets.txt at first use.
type speller struct {
	targets []target                // by rank
	exact   map[string]int32        // name -> target
	near    [maxName + 3][]near     // by the length of what was typed: the targets that may be meant
	first   [256][]int32            // by the first letter: the targets worth looking for a misplaced dot
	cost    [symbols][symbols]uint8 // of typing the first where the second is meant
}

// near is a target that what was typed is compared with when their sets of
// characters differ little.
type near struct {
	letters uint64 // set of the characters of the name
	differ  int32  // how many of them may differ: a slip changes two at most
	target  int32
}

const (
	maxName = 16 // octets of the longest target
	symbols = 40 // letters, digits, hyphen, anything else
)

var spelling = sync.OnceValue(func() *speller {
	sp := &speller{exact: map[string]int32{}}
	for line := range strings.Lines(targetsText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if line[0] == '#' || len(f) != 3 {
			continue
		}
		t := target{name: f[0], level: levels[f[1]], endings: strings.Fields(f[2])}
		i := int32(len(sp.targets))
		sp.targets = append(sp.targets, t)
		sp.exact[t.name] = i
		if reach := t.reach(); reach > 0 {
			for n := len(t.name) - reach; n <= len(t.name)+reach; n++ {
				sp.near[n] = append(sp.near[n], near{letterSet(t.name), int32(2 * reach), i})
			}
		}
		if t.level >= most {
			sp.first[t.name[0]] = append(sp.first[t.name[0]], i)
		}
	}
	for _, a := range alphabet {
		for _, b := range alphabet {
			sp.cost[symbol(byte(a))][symbol(byte(b))] = uint8(substitution(byte(a), byte(b)))
		}
	}
	return sp
})

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-_"

func symbol(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z':
		return c - 'a'
	case c >= '0' && c <= '9':
		return 26 + c - '0'
	case c == '-':
		return 36
	}
	return 37
}

// reach is by how many octets a slip may change the length of the name.
func (t *target) reach() int {
	switch limit := t.limit(); {
	case limit == 0:
		return 0
	case limit < 2*doubled:
		return 1
	}
	return 2
}

func letterSet(s string) (set uint64) {
	for i := 0; i < len(s); i++ {
		set |= 1 << (s[i] & 63)
	}
	return set
}

// Typo returns the provider domain that was probably meant by domain (lower
// case), which Domain does not know, or "".
//
// The name before the first dot is compared with the ranked targets by an edit
// distance in which slips of a hand on a QWERTY keyboard are cheap, and the
// ending with the endings the provider really has. The cheapest target wins, then
// the higher rank: the result depends on nothing but the domain and the lists.
func (s *Set) Typo(domain string) string {
	name, ending, _ := strings.Cut(domain, ".")
	if name == "" || len(domain) > 64 {
		return ""
	}
	if name == "www" && strings.IndexByte(ending, '.') > 0 {
		if l, _ := s.domains.find(ending); l != nil && l.kind == Provider {
			return ending
		}
		return ""
	}
	sp := spelling()
	if strings.HasPrefix(name, "xn--") {
		return sp.lookAlike(name, ending)
	}
	best, bestCost := "", never
	consider := func(t *target, cost int) {
		e, ec := t.ending(ending, cost)
		if e != "" && cost+ec < bestCost {
			best, bestCost = t.name+"."+e, cost+ec
		}
	}
	if i, ok := sp.exact[name]; ok {
		consider(&sp.targets[i], 0)
	} else if len(name) < len(sp.near) {
		set := letterSet(name)
		for _, n := range sp.near[len(name)] {
			if bits.OnesCount64(set^n.letters) > int(n.differ) {
				continue
			}
			t := &sp.targets[n.target]
			limit := t.limit()
			c := sp.distance(name, t.name, limit)
			if c > limit && limit >= 2*slip && moved(name, t.name) {
				c = 2 * slip
			}
			if c > limit {
				continue
			}
			if a, ok := strings.CutSuffix(name, "mail"); ok && strings.HasSuffix(t.name, "mail") && c > wrongKey &&
				sp.distance(a, t.name[:len(t.name)-4], wrongKey) > wrongKey {
				continue // everybody's name ends with mail: two slips in what is left are another name
			}
			consider(t, c)
		}
	}
	if best == domain {
		return ""
	}
	if best == "" {
		best = sp.misplacedDot(name, ending)
	}
	if best == "" {
		best = topLevelTypo(domain)
	}
	return best
}

// lookAlike finds the provider whose name an international one looks like: with an
// accent that a dead key left behind, or with letters of another script.
func (sp *speller) lookAlike(name, ending string) string {
	u, err := idna.Punycode.ToUnicode(name)
	if err != nil {
		return ""
	}
	plain := strings.Map(func(r rune) rune {
		if i := strings.IndexRune(foreign, r); i >= 0 {
			return rune(familiar[len([]rune(foreign[:i]))])
		}
		if r >= 0x300 && r <= 0x36f { // combining marks
			return -1
		}
		return r
	}, norm.NFD.String(u))
	i, ok := sp.exact[plain]
	if !ok || sp.targets[i].level == word {
		return ""
	}
	t := &sp.targets[i]
	if e, _ := t.ending(ending, 0); e != "" {
		return t.name + "." + e
	}
	return ""
}

// Letters of other scripts, and the Latin ones that they look like.
const (
	foreign  = "аеорсхуіѕԁԛһӏгвмтнкıοανρικτℓɡ"
	familiar = "aeopcxyisdqhlrbmthkioavpiktlg"
)

// moved reports whether what was typed is what was meant but for one letter that
// stands one or two places off: hotimal.
func moved(typed, meant string) bool {
	if len(typed) != len(meant) || typed[0] != meant[0] {
		return false
	}
	i, j := 0, len(typed)
	for i < j && typed[i] == meant[i] {
		i++
	}
	for j > i && typed[j-1] == meant[j-1] {
		j--
	}
	t, m := typed[i:j], meant[i:j]
	return len(t) == 3 && (t[1:] == m[:2] && t[0] == m[2] || t[:2] == m[1:] && t[2] == m[0])
}

// limit is the cost up to which a name is taken for a slip of t's: two cheap
// slips in a long name, one and a half in a short one, one in what few people have.
func (t *target) limit() int {
	switch {
	case t.level == all:
		return otherVowel + doubled
	case t.level == most && len(t.name) >= 7:
		return slip + omission
	case t.level == most:
		return 2 * slip
	case t.level == one && len(t.name) >= 6:
		return omission
	case t.level == one:
		return slip
	}
	return 0
}

// ending returns the ending of t that was meant by e, and what the slip costs.
// nameCost is what the slips in the name cost already.
func (t *target) ending(e string, nameCost int) (string, int) {
	for _, have := range t.endings {
		if e == have {
			return have, 0
		}
	}
	first := t.endings[0]
	if e == "" { // "gmail", "hotmail": only the ending is missing
		if nameCost == 0 && len(t.name) >= 5 {
			return first, omission
		}
		return "", never
	}
	if nameCost > wrongKey {
		return "", never // two slips in the name and one in the ending are no longer a slip
	}
	best, cost := "", never
	for _, have := range t.endings {
		if strings.HasPrefix(e, have) && strings.HasPrefix(e[len(have):], ".") && isOften(e[len(have)+1:]) {
			return have, doubled // gmail.com.com
		}
		if len(have) < 3 || otherCountry(e, have) { // one slip turns a country into any other
			continue
		}
		if c := spelling().distance(e, have, wrongKey); c < cost && c <= wrongKey {
			best, cost = have, c
		}
	}
	real := isRealEnding(e)
	switch {
	case best != "" && (!real || t.level > word && isSquatted(e)):
		return best, cost
	case t.level == all && nameCost == 0 && (real || strings.IndexByte(e, '.') < 0):
		return first, wrongKey
	case !real && !strings.Contains(e, ".") && len(e) <= 5:
		if len(first) == 3 || nameCost == 0 {
			if c := spelling().distance(e, first, 26); c <= 26 || len(e) == 1 {
				return first, 20
			}
		}
	case nameCost == 0 && t.level >= most && isOften(e):
		return first, wrongKey // hotmail.org
	}
	return "", never
}

// isOften reports whether e is an ending that people type by habit.
func isOften(e string) bool {
	switch e {
	case "com", "net", "org", "info", "biz":
		return true
	}
	return false
}

// isSquatted reports whether e is a country's ending that is one slip away from
// com or net, and chiefly met as that slip.
func isSquatted(e string) bool {
	switch e {
	case "co", "cm", "om", "cam", "ne":
		return true
	}
	return false
}

// otherCountry reports whether e, of two labels, lies in another existing country than have.
func otherCountry(e, have string) bool {
	i, j := strings.LastIndexByte(e, '.'), strings.LastIndexByte(have, '.')
	return i >= 0 && e[i+1:] != have[j+1:] && isRealEnding(e[i+1:])
}

// isRealEnding reports whether e is a public suffix under which names are registered.
func isRealEnding(e string) bool {
	suffix, icann := publicsuffix.PublicSuffix("x." + e)
	return icann && suffix == e
}

// misplacedDot finds the provider whose domain was typed with its dots left out
// or elsewhere: gmailcom, gmailc.om, hot.mail.com.
func (sp *speller) misplacedDot(name, ending string) string {
	for _, i := range sp.first[name[0]] {
		t := &sp.targets[i]
		if !strings.HasPrefix(name, t.name) && !strings.HasPrefix(t.name, name) {
			continue
		}
		for _, e := range t.endings {
			if len(e) > 2 && equalButDots(name, ending, t.name, e) {
				return t.name + "." + e
			}
		}
	}
	return ""
}

// equalButDots reports whether ab and cd are the same but for the dots in them.
func equalButDots(a, b, c, d string) bool {
	drop := strings.NewReplacer(".", "")
	return drop.Replace(a+b) == drop.Replace(c+d)
}

// topLevelTypo corrects a top-level domain that does not exist and that is a
// frequent slip for one that does.
func topLevelTypo(domain string) string {
	i := strings.LastIndexByte(domain, '.')
	if i <= 0 {
		return ""
	}
	meant := ""
	switch domain[i+1:] {
	case "con", "cmo", "ocm", "cpm", "xom", "vom", "dom", "comm", "coom", "ccom", "comn", "conm", "ckm", "cim", "c0m":
		meant = "com"
	case "ner", "nte", "ent", "met", "nrt", "bet", "nett":
		meant = "net"
	case "ogr", "rog", "orgg", "prg", "otg":
		meant = "org"
	}
	if meant == "" || isRealEnding(domain[i+1:]) {
		return ""
	}
	return domain[:i+1] + meant
}

// distance is the weighted optimal string alignment distance from what was typed
// to what was meant, or more than limit.
func (sp *speller) distance(typed, meant string, limit int) int {
	const size = maxName + 4
	if len(typed) >= size || len(meant) >= size {
		return never
	}
	var d [3][size]int
	for j := 1; j <= len(meant); j++ {
		d[0][j] = d[0][j-1] + omission
	}
	for i := 1; i <= len(typed); i++ {
		cur, prev, prev2 := &d[i%3], &d[(i+2)%3], &d[(i+1)%3]
		a := typed[i-1]
		ins, cost := stray, &sp.cost[symbol(a)]
		if i > 1 && typed[i-2] == a {
			ins = doubled
		}
		cur[0] = prev[0] + stray
		if i == 1 {
			cur[0] = sp.firstStray(typed, meant)
		}
		least := cur[0]
		for j := 1; j <= len(meant); j++ {
			b := meant[j-1]
			sub := 0
			if a != b {
				sub = int(cost[symbol(b)])
				switch { // the first letters carry the name
				case i == 1 && j == 1 && sub == slip:
					sub = omission
				case i == 1 && j == 1:
					sub = 3 * slip
				case j == 2 && sub > otherVowel:
					sub = 2 * slip
				}
			}
			del := omission
			if j > 1 && meant[j-2] == b {
				del = doubled
			}
			c := min(prev[j-1]+sub, prev[j]+ins, cur[j-1]+del)
			if i > 1 && j > 1 && a == meant[j-2] && b == typed[i-2] && a != b {
				c = min(c, prev2[j-2]+slip)
			}
			cur[j] = c
			least = min(least, c)
		}
		if least > limit {
			return never
		}
	}
	return d[len(typed)%3][len(meant)]
}

// firstStray is the cost of a letter before the first: words differ by it (Zoutlook
// is not Outlook), so only a key beside the first one, or the first twice, is a slip.
func (sp *speller) firstStray(typed, meant string) int {
	switch {
	case typed[0] == meant[0]:
		return doubled
	case sp.cost[symbol(typed[0])][symbol(meant[0])] == slip:
		return stray
	}
	return 2 * stray
}

// substitution is the cost of typing one character where another is meant.
func substitution(typed, meant byte) int {
	switch {
	case typed == meant:
		return 0
	case neighbours(typed, meant), lookAlike(typed, meant):
		return slip
	case isVowel(typed) && isVowel(meant):
		return otherVowel
	}
	return wrongKey
}

func isVowel(c byte) bool { return strings.IndexByte("aeiouy", c) >= 0 }

func lookAlike(a, b byte) bool {
	if a > b {
		a, b = b, a
	}
	switch string([]byte{a, b}) {
	case "gq", "il", "1l", "1i", "0o", "uv", "mn", "ce":
		return true
	}
	return false
}

// keys are the rows of a QWERTY keyboard, each shifted half a key to the right
// of the one above.
var keys = [...]string{"1234567890-", "qwertyuiop", "asdfghjkl", "zxcvbnm"}

// neighbours reports whether two keys touch.
func neighbours(a, b byte) bool {
	ra, ca := keyAt(a)
	rb, cb := keyAt(b)
	if ra < 0 || rb < 0 {
		return false
	}
	switch rb - ra {
	case 0:
		return ca-cb == 1 || cb-ca == 1
	case 1: // b is below a: at the same place or one to the left
		return cb == ca || cb == ca-1
	case -1:
		return ca == cb || ca == cb-1
	}
	return false
}

func keyAt(c byte) (row, col int) {
	for r, k := range keys {
		if i := strings.IndexByte(k, c); i >= 0 {
			return r, i
		}
	}
	return -1, -1
}
