package known

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/validate"
)

// onList are the addresses of a mailing list.
var onList = strings.Fields(`ann@firm.org Bob@firm.org carl@web.de dan@sub.web.de eve@xn--mller-kva.de "f.g"@firm.org gus@firm.ru`)

// newKnown returns a Known that has met the mailing list, and its keys.
func newKnown(t testing.TB, opt Options) (*Known, Reading) {
	t.Helper()
	opt.Memory, opt.Temp = 1<<20, t.TempDir()
	k := New(NewDomains(&validate.Validator{}, nil), opt)
	t.Cleanup(k.Close)
	r := Reading{OnList: keyset.NewFilter(100), Addresses: 100, Expect: func(int64) {}}
	r.Again = func(_ context.Context, newWorker func() func(*validate.Address)) error {
		do := newWorker()
		for _, text := range onList {
			a, err := validate.ParseAddress(text)
			if err != nil {
				return err
			}
			do(&a)
		}
		return nil
	}
	for _, text := range onList {
		a, err := validate.ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		r.OnList.Add(k.Hash(k.Key(nil, &a)))
		k.Domains.Meet(a.Domain)
	}
	return k, r
}

// said returns what is said of the addresses of the list: + allowed, - blocked.
func (k *Known) saidOf(t *testing.T) string {
	t.Helper()
	var all []string
	rd := k.Reader()
	for _, text := range onList {
		a, err := validate.ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		key := k.Key(nil, &a)
		said, _, _, err := rd.Look(&a, k.Domains.Find(a.Domain), true, k.Hash(key), key)
		if err != nil {
			t.Fatal(err)
		}
		sign := ""
		if said.Allow {
			sign += "+"
		}
		if said.Block != NoBlock {
			sign += "-"
		}
		if sign != "" {
			local, _, _ := strings.Cut(text, "@")
			all = append(all, sign+local)
		}
	}
	return strings.Join(all, " ")
}

// readOne reads one list of the user's.
func readOne(t *testing.T, k *Known, r Reading, text string, allow bool) (*List, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "own.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := (&Opening{Temp: t.TempDir()}).Open(context.Background(), path, allow)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if err := l.Hash(context.Background()); err != nil {
		t.Fatal(err)
	}
	return l, k.ReadLists(context.Background(), []*List{l}, r)
}

func TestEntries(t *testing.T) {
	hash := func(sum []byte) string { return hex.EncodeToString(sum) }
	md, sh1, sh256 := md5.Sum([]byte("ann@firm.org")), sha1.Sum([]byte("bob@firm.org")), sha256.Sum256([]byte("carl@web.de"))
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte("dan@sub.web.de"))
	keyed := hash(mac.Sum(nil))
	const nothing = "no line of the file is"
	for _, c := range []struct {
		what, text string
		allow      bool
		want       string // or the error
		note       string
	}{
		{"addresses", "ann@firm.org\nBOB@FIRM.ORG\n", false, "-ann -Bob", ""},
		{"allowed", "ann@firm.org\nBOB@FIRM.ORG\n", true, "+ann +Bob", ""},
		{"a name", "Ann Lee <ann@firm.org>\n", false, "-ann", ""},
		{"several, as a mail program writes them", "ann@firm.org;bob@firm.org;carl@web.de\n", false, "-ann -Bob -carl", ""},
		{"several with blanks", "ann@firm.org bob@firm.org, Carl <carl@web.de>\n", false, "-ann -Bob -carl", ""},
		{"in a text", "note\n\"she (ann@firm.org) and bob@firm.org.\"\n", false, "-ann -Bob", ""},
		{"behind a comment", "email\nann@firm.org (also: bob@firm.org)\n", false, "-ann -Bob", ""},
		{"in any column", "email,other\nann@firm.org,x\n,bob@firm.org\nx@y.org,carl@web.de\n", false, "-ann -Bob -carl", ""},
		{"allowed in its column only", "email,other\nann@firm.org,bob@firm.org\n", true, "+ann", ""},
		{"quoted local part", "email\n\"\"\"f.g\"\"@firm.org\"\n", false, `-"f.g"`, ""},
		{"a domain", "@firm.org\n", false, `-ann -Bob -"f.g"`, ""},
		{"a domain, bare", "firm.org\n", false, `-ann -Bob -"f.g"`, ""},
		{"a domain, starred", "*@web.de\n", false, "-carl", ""},
		{"a domain and those below", "*.web.de\n", false, "-carl -dan", ""},
		{"the same otherwise", "*@*.web.de\n@x.org\n", false, "-carl -dan", ""},
		{"and again", ".sub.web.de\n", false, "-dan", ""},
		{"a top-level domain", "*.ru\n", false, "-gus", ""},
		{"an international one", "@müller.de\n", false, "-eve", ""},
		{"below an international one", "*.müller.de\n", false, "-eve", ""},
		{"allowed below", "*.web.de\n", true, "+carl +dan", ""},
		{"domains in a row", "@web.de, @sub.web.de\n", false, "-carl -dan", ""},
		{"a domain in a sentence is none", "email,note\nx@y.org,\"likes @web.de a lot\"\n", false, "", ""},
		{"a bare domain beside addresses is where they work", "email,domain\nann@firm.org,web.de\n", false, "-ann", ""},
		{"no domain", "email,skill\nann@firm.org,.ru\n", false, "-ann", ""},
		{"hashes", hash(md[:]) + "\n" + strings.ToUpper(hash(sh1[:])) + "\n" + hash(sh256[:]) + "\n" + keyed + "\n", false, "-ann -Bob -carl -dan", ""},
		{"hashes with names", "md5:" + hash(md[:]) + "\nSHA1: " + hash(sh1[:]) + "\nsha-256=" + hash(sh256[:]) + "\nhmac-sha256:" + keyed + "\n", false, "-ann -Bob -carl -dan", ""},
		{"hashes of LDAP", "{MD5}:" + hash(md[:]) + "\n", false, "-ann", ""},
		{"hashes in a column", "id,hash,when\n1," + hash(md[:]) + ",2024\n2," + hash(sh1[:]) + ",2024\n", false, "-ann -Bob", ""},
		{"what is called a SHA-256 is no HMAC", "sha256:" + keyed + "\nann@firm.org\n", false, "-ann", "0 of 1 hashes"},
		{"another width", "md5:" + hash(sh1[:]) + "\n", false, nothing, ""},
		{"hashes of others", strings.Repeat("0123456789abcdef", 2) + "\n" + strings.Repeat("ab", 20) + "\n", false, "", "0 of 2 hashes of own.txt matched an address of the list"},
		{"a hash allows nobody", hash(md[:]) + "\n" + hash(md[:]) + "\n", true, nothing, ""},
		{"partly strange", "ann@firm.org\nwhat is this\n\n17\n", false, "-ann", "2 lines of own.txt are not an address, a domain or a hash; the first is line 2."},
		{"strange", "what\nis\nthis\n", false, nothing, ""},
		{"one strange line", "what is this", false, "own.txt:1: " + nothing, ""},
		{"one line", "*@web.de", false, "-carl", ""},
		{"one hash", hash(md[:]), false, "-ann", ""},
		{"strange and blank", "x,y\n,\n,\na,b\n", false, nothing, ""},
		{"a header alone", "E-Mail\n", false, "", "own.txt holds a header and no entries."},
		{"nothing", "", false, "", "own.txt is empty."},
		{"UTF-16", "\xff\xfea\x00n\x00n\x00@\x00f\x00i\x00r\x00m\x00.\x00o\x00r\x00g\x00\n\x00", false, "-ann", ""},
		{"what winnow wrote", "email,winnow_reason,winnow_suggestion\nx@y.org,domain_typo,ann@firm.org\n", false, "", ""},
	} {
		k, r := newKnown(t, Options{Secret: []byte("key")})
		l, err := readOne(t, k, r, c.text, c.allow)
		if err != nil {
			if !strings.HasPrefix(c.want, nothing) && !strings.HasPrefix(c.want, "own.txt:") || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "own.txt:") {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		if got := k.saidOf(t); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		if got := strings.Join(l.Notes(), " "); c.note == "" && got != "" || !strings.Contains(got, c.note) {
			t.Errorf("%s: noted %q, want %q", c.what, got, c.note)
		}
	}
}

// Keyed hashes need their key: without it they are counted as what was not understood.
func TestHashesWithoutKey(t *testing.T) {
	k, r := newKnown(t, Options{})
	l, err := readOne(t, k, r, "ann@firm.org\nhmac:"+strings.Repeat("ab", 32)+"\n", false)
	if err != nil || k.saidOf(t) != "-ann" || len(l.Notes()) != 1 || !strings.Contains(l.Notes()[0], "1 lines") {
		t.Errorf("%v %v", l.Notes(), err)
	}
}

// What an accepted fix puts in the place of an address is under the same orders.
func TestCarry(t *testing.T) {
	k, r := newKnown(t, Options{})
	sum := sha1.Sum([]byte("carl@web.de"))
	if _, err := readOne(t, k, r, fmt.Sprintf("Bob@firm.org\n%x\n", sum), false); err != nil {
		t.Fatal(err)
	}
	address := func(s string) *validate.Address {
		a, err := validate.ParseAddress(s)
		if err != nil {
			t.Fatal(err)
		}
		return &a
	}
	for from, to := range map[string]string{"bob@firm.org": "ann@firm.org", "carl@web.de": "gus@firm.ru", "dan@sub.web.de": "eve@xn--mller-kva.de"} {
		if err := k.Carry(address(from), address(to)); err != nil {
			t.Fatal(err)
		}
	}
	if got := k.saidOf(t); got != "-ann -Bob -carl -gus" {
		t.Error(got)
	}
}

// Whatever an entry of a user's list is, it is used or it is not, and only
// addresses, domains and hashes are used.
func FuzzEntry(f *testing.F) {
	for _, s := range []string{"a@firm.org", "@firm.org", "firm.org", "*@firm.org", "*.firm.org", "*@*.x", "0cc175b9c0f1b6a831c399e269772661",
		"md5:0cc175b9c0f1b6a831c399e269772661", "Ann <a@firm.org>", "a@firm.org; @web.de", "email", "\xff@\x00", "{MD5}=", "*.", "@.", ".@"} {
		f.Add([]byte(s))
	}
	k, r := newKnown(f, Options{Secret: []byte("k")})
	path := filepath.Join(f.TempDir(), "own.csv")
	if err := os.WriteFile(path, []byte("email\na@b.org\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	l, err := (&Opening{Temp: f.TempDir()}).Open(context.Background(), path, false)
	if err != nil {
		f.Fatal(err)
	}
	l.source = k.source("own.csv")
	f.Fuzz(func(t *testing.T, cell []byte) {
		w := newListReader(k, r).worker(l)
		before := bytes.Clone(cell)
		used, err := w.cell(cell, 0)
		if err != nil {
			t.Fatal(err)
		}
		if used && !bytes.ContainsAny(cell, "@.*\uff20\ufe6b&") && len(bytes.TrimSpace(cell)) < 32 {
			t.Errorf("%q is used", cell)
		}
		if !slices.Equal(before, cell) {
			t.Errorf("%q was changed to %q", before, cell)
		}
		w.second = true
		if _, err := w.cell(cell, 0); err != nil {
			t.Fatal(err)
		}
	})
}
