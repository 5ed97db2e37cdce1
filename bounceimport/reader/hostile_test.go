package reader

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// gz compresses data.
func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipped makes an archive of members.
func zipped(t testing.TB, members map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range members {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const oneBounce = "email,reason\ngone@example.org,550 5.1.1 no such user\n"

// balanced fails when records of an account were lost.
func balanced(t *testing.T, name string, a Account) {
	t.Helper()
	if a.Read != a.Used+a.Ignored+a.Unmapped+a.Malformed {
		t.Errorf("%s: %s: does not add up", name, a.String())
	}
}

// Nothing that a stranger nests ends the process or fills the memory: it is
// damaged records, counted.
func TestNested(t *testing.T) {
	deep := bytes.Repeat([]byte("["), 5<<20)
	wide := "{" + strings.Repeat(`"`+strings.Repeat("k", 99)+`":{`, 30) + `"x":[` + strings.Repeat("1,", 1_500_000) + "1]" + strings.Repeat("}", 31)
	cases := map[string][]byte{
		"arrays":              deep,
		"arrays on lines":     bytes.Repeat([]byte("[\n"), 1<<20),
		"arrays of arrays":    append([]byte(`{"events":`), deep...),
		"an array of records": []byte(strings.Repeat("[", 40) + `{"email":"a@b.c"}` + strings.Repeat("]", 40)),
		"objects":             []byte(strings.Repeat(`{"a":`, 100_000)),
		"long names":          []byte(wide),
		"packed":              gz(t, deep),
		"mail":                []byte("From: MAILER-DAEMON@example.com\nSubject: failure notice\n" + strings.Repeat("Content-Type: message/rfc822\n\nSubject: x\n", 20_000)),
	}
	if shared, err := os.ReadFile("../../../shared/data/attack/deep.json.gz"); err == nil {
		cases["shared"] = shared
	} else {
		t.Log("skipped: no ../shared/data/attack/deep.json.gz")
	}
	for name, data := range cases {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, err := Read(t.Context(), bytes.NewReader(data), name, Options{}, func(*bounceimport.Event) error { return nil })
		runtime.ReadMemStats(&after)
		if err != nil || a.Read == 0 || a.Used > 0 || a.Malformed+a.Ignored == 0 {
			t.Errorf("%s: %s, %v", name, a.String(), err)
		}
		balanced(t, name, a)
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 300 {
			t.Errorf("%s: %d MiB allocated for %d KiB", name, n, len(data)>>10)
		}
	}
}

// One bad file of a folder, or of an archive, is one counted line; the others are read.
func TestOneBadFile(t *testing.T) {
	good := []byte(oneBounce)
	long := []byte("email,reason\n" + strings.Repeat("gone@example.org,550 5.1.1 no such user\n", 100_000))
	cut := gz(t, long)
	cut = cut[:len(cut)/2]
	turned := bytes.Clone(gz(t, long))
	turned[len(turned)/2] ^= 0xff
	layers := good
	for range maxLayers + 2 {
		layers = gz(t, layers)
	}
	bad := map[string][]byte{
		"cut.csv.gz":  cut,
		"turned.gz":   turned,
		"layers.gz":   layers,
		"head.gz":     []byte("\x1f\x8bnonsense"),
		"no.zip":      []byte("PK\x03\x04nonsense"),
		"bomb.gz":     gz(t, make([]byte, 64<<20)),
		"zstd.zst":    []byte("\x28\xb5\x2f\xfd\x00\x00\x00"),
		"bzip.bz2":    []byte("BZh91AY&SY nonsense"),
		"picture.png": []byte("\x89PNG\r\n\x1a\n\x00\x00"),
	}
	for name, data := range bad {
		files := map[string][]byte{"a.csv": good, name: data, "z.csv": good}
		folder := t.TempDir()
		for n, b := range files {
			if err := os.WriteFile(filepath.Join(folder, n), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		archive := filepath.Join(t.TempDir(), "all.zip")
		if err := os.WriteFile(archive, zipped(t, files), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{folder, archive} {
			read := map[string]int{}
			a, err := ReadPath(t.Context(), path, Options{}, func(e *bounceimport.Event) error {
				read[filepath.Base(strings.ReplaceAll(e.Source, "#", "/"))]++
				return nil
			})
			if err != nil || read["a.csv:2"] != 1 || read["z.csv:2"] != 1 || a.Malformed+a.Unmapped != 1 || len(a.Problems) != 1 || !strings.Contains(a.Problems[0], name) {
				t.Errorf("%s in %s: %s, %v, %q", name, filepath.Base(path), a.String(), err, a.Problems)
			}
			balanced(t, name, a)
			if a.Events != a.Used {
				t.Errorf("%s: %d events of %d records", name, a.Events, a.Used)
			}
		}
		// Alone it is an error that says what is wrong.
		if _, err := ReadPath(t.Context(), filepath.Join(folder, name), Options{}, func(*bounceimport.Event) error { return nil }); err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s alone: %v", name, err)
		}
	}
}

// A zip in a zip in a zip, each within the ratio, is a bomb all the same.
func TestNestedBomb(t *testing.T) {
	data := []byte(strings.Repeat("gone@example.org,550 5.1.1 no such user\n", 1<<16)) // 2.5 MiB
	for range 3 {
		members := map[string][]byte{}
		for i := range 12 {
			members[fmt.Sprintf("m%02d.csv", i)] = data
		}
		data = zipped(t, members)
	}
	start := time.Now()
	a, err := Read(t.Context(), bytes.NewReader(data), "bomb.zip", Options{}, func(*bounceimport.Event) error { return nil })
	if out := a.Events * 40; out > maxRatio*int64(len(data))+minRatio || a.Malformed == 0 {
		t.Errorf("%d KiB became %d MiB: %s %v", len(data)>>10, out>>20, a.String(), err)
	}
	balanced(t, "bomb", a)
	t.Logf("%d KiB, %s, %s", len(data)>>10, a.String(), time.Since(start))
}

// What a folder holds beside files is counted: nothing is passed over in silence.
func TestFolderCounts(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside.csv")
	for path, data := range map[string]string{filepath.Join(dir, "a.csv"): oneBounce, filepath.Join(dir, ".hidden.csv"): oneBounce, outside: oneBounce} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.csv")); err != nil {
		t.Skip("skipped: no symbolic links")
	}
	os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "broken.csv"))
	a, err := ReadPath(t.Context(), dir, Options{}, func(*bounceimport.Event) error { return nil })
	if err != nil || a.Used != 2 || a.Ignored != 1 || a.Why["hidden file"] != 1 || a.Unmapped != 1 || a.Why["not a file"] != 1 {
		t.Errorf("%s, %v, %v", a.String(), err, a.Why)
	}
	balanced(t, dir, a)
}

// Letters whose lower case takes more bytes than they do.
func TestLowerCaseThatGrows(t *testing.T) {
	mail := "From: MAILER-DAEMON@example.com\nSubject: failure notice\n\n" + strings.Repeat("Ⱥ", 20) + "mailing list <\n" + strings.Repeat("\u212a", 40) + "mailing list <news@example.org>\n<gone@example.org>:\n550 5.1.1 no such user\n"
	a, err := Read(t.Context(), strings.NewReader(mail), "m", Options{}, func(*bounceimport.Event) error { return nil })
	if err != nil || a.Read != 1 {
		t.Errorf("%s, %v", a.String(), err)
	}
}

// A fault of a reader costs the file it stumbles over; one of the caller is the caller's.
func TestOwnFault(t *testing.T) {
	l := jsonLayouts[0]
	is := l.is
	defer func() { l.is = is }()
	l.is = func(r *jsonRecord) bool {
		if r.has("trap") {
			panic("fault")
		}
		return is(r)
	}
	dir := t.TempDir()
	for name, data := range map[string]string{"a.csv": oneBounce, "b.json": `{"email":"a@b.c","reason":"550 no"}` + "\n" + `{"trap":1}`, "c.csv": oneBounce} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := ReadPath(t.Context(), dir, Options{}, func(*bounceimport.Event) error { return nil })
	if err != nil || a.Used != 3 || a.Malformed != 2 || !strings.Contains(a.Problems[0], ownFault) {
		t.Errorf("%s, %v, %q", a.String(), err, a.Problems)
	}
	balanced(t, dir, a)
	defer func() {
		if recover() == nil {
			t.Error("a panic of the caller was swallowed")
		}
	}()
	Read(t.Context(), strings.NewReader(oneBounce), "x", Options{}, func(*bounceimport.Event) error { panic("mine") })
}

// With the senders or the Message-IDs of our own mail, nothing that anyone can mail
// counts for what we did not send: not a notification in JSON, a report of
// Outlook.com, a receipt.
func TestForgedByMail(t *testing.T) {
	head := "From: someone@anywhere.example\nTo: bounces@ours.example\nSubject: notification\n"
	forged := map[string]string{
		"ses":     head + "\n{\"notificationType\":\"Bounce\",\"bounce\":{\"bounceType\":\"Permanent\",\"bounceSubType\":\"General\",\"bouncedRecipients\":[{\"emailAddress\":\"victim@example.org\"}]},\"mail\":{\"source\":\"%s\",\"commonHeaders\":{\"messageId\":\"<%s>\"}}}\n",
		"sns":     head + "\n{\"Type\":\"Notification\",\"TopicArn\":\"a\",\"Message\":\"{\\\"notificationType\\\":\\\"Complaint\\\",\\\"complaint\\\":{\\\"complainedRecipients\\\":[{\\\"emailAddress\\\":\\\"victim@example.org\\\"}]},\\\"mail\\\":{\\\"source\\\":\\\"%s\\\",\\\"commonHeaders\\\":{\\\"messageId\\\":\\\"<%s>\\\"}}}\"}\n",
		"jmrp":    head + "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: victim@example.org\nFrom: %s\nMessage-ID: <%s>\n\nx\n--b--\n",
		"receipt": head + "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; victim@example.org\nDisposition: manual-action/MDN-sent-manually; displayed\n--b\nContent-Type: text/rfc822-headers\n\nFrom: %s\nMessage-ID: <%s>\n--b--\n",
	}
	for name, mail := range forged {
		for _, tc := range []struct {
			from, id string
			opt      Options
			events   int64
		}{
			{"x@theirs.example", "theirs", Options{}, 1},
			{"x@theirs.example", "theirs", Options{Senders: []string{"ours.example"}}, 0},
			{"x@theirs.example", "theirs", Options{MessageID: func(id string) bool { return id == "ours" }}, 0},
			{"News <x@mail.ours.example>", "ours", Options{Senders: []string{"ours.example"}, MessageID: func(id string) bool { return id == "ours" }}, 1},
		} {
			a, err := Read(t.Context(), strings.NewReader(fmt.Sprintf(mail, tc.from, tc.id)), name, tc.opt, func(*bounceimport.Event) error { return nil })
			if err != nil || a.Events != tc.events || a.Read != 1 {
				t.Errorf("%s from %s: %s, %v; want %d events", name, tc.from, a.String(), err, tc.events)
			}
			balanced(t, name, a)
		}
	}
	a, err := Read(t.Context(), strings.NewReader(head+"\n{\"eventType\":1,\"email\":\"victim@example.org\",\"event\":\"bounce\"}\n"), "other", Options{Senders: []string{"ours.example"}}, func(*bounceimport.Event) error { return nil })
	if err != nil || a.Events != 0 {
		t.Errorf("%s, %v", a.String(), err)
	}
}

// A clock that is wrong makes no proof of life that outlives all that comes, and no
// bounce that never runs out: such a time is not known.
func TestTimeToCome(t *testing.T) {
	data := "email,event,date,reason\na@example.org,delivered,2099-01-01 00:00:00,\nb@example.org,bounce,2026-06-02 00:00:00,550 5.1.1 no such user\n"
	got := map[string]time.Time{}
	if _, err := Read(t.Context(), strings.NewReader(data), "x", Options{Now: testNow}, func(e *bounceimport.Event) error {
		got[e.Recipient] = e.Time
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !got["a@example.org"].IsZero() || got["b@example.org"].IsZero() {
		t.Errorf("%v", got)
	}
}

// A record that is too large costs no other, and where a damaged one takes others
// along, that is said.
func TestLargeAndDamagedRecords(t *testing.T) {
	one := `{"email":"gone%d@example.org","reason":"550 5.1.1 no such user"}`
	large := `{"email":"x@example.org","reason":"` + strings.Repeat("x", 5<<20) + `"}`
	read := func(data string) (Account, error) {
		return Read(t.Context(), strings.NewReader(data), "x", Options{}, func(*bounceimport.Event) error { return nil })
	}
	a, err := read("[" + fmt.Sprintf(one, 1) + "," + large + "," + fmt.Sprintf(one, 2) + "]")
	if err != nil || a.Used != 2 || a.Malformed != 1 || a.Why[errJSONLarge.Error()] != 1 {
		t.Errorf("large: %s, %v", a.String(), err)
	}
	a, err = read("[" + fmt.Sprintf(one, 1) + ",}," + fmt.Sprintf(one, 2) + "]\n[" + fmt.Sprintf(one, 3) + "]")
	if err != nil || a.Used != 2 || a.Malformed != 1 || !strings.Contains(a.Problems[0], "what follows on its line was not read") {
		t.Errorf("damaged: %s, %v, %q", a.String(), err, a.Problems)
	}
}
