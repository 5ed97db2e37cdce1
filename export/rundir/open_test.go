package rundir_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/export/rundir"
)

// The rows of a run are found again with their reasons, whatever the list looks
// like: rows longer and shorter than the header, no header, other delimiters.
func TestEachStand(t *testing.T) {
	for name, list := range map[string]string{
		"ragged":     "id,email,note\n1,ann@example.de,x,more,and more\n2,broken@@x,y,a,b,c,d,e,f\n3,x@mailinator.com\n4,bob@example.de\n",
		"headerless": "1;broken@@x;\"a;\nb\"\n2;ann@example.de;\n3;x@mailinator.com;y;z\n4;bob@example.de\n",
		"one column": "broken@@x\nann@example.de\nx@mailinator.com\nbob@example.de\n",
		"all bad":    "email\tname\nbroken@@x\tA\nx@mailinator.com\tB\t\t\n",
		"all good":   "ann@example.de\nbob@example.de\n",
		"title":      "Our customers\n\nname;email\nA;ann@example.de\nB;bob@example.de;x\nC;broken@@x;;;\nD;x@mailinator.com\n",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "list.csv.gz")
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write([]byte(list)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out")
		s, err := winnow.Run(context.Background(), &winnow.Job{Lists: []string{path}, Out: out})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, got := map[rundir.Place]int64{}, map[rundir.Place]int64{}
		for _, r := range s.Reasons {
			p := rundir.PlaceOf(r.List, r.Reason)
			if r.List == "cleaned" {
				p = rundir.PlaceOf(r.List, "")
			}
			want[p] += r.N
		}
		run, err := rundir.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		err = rundir.EachStand(context.Background(), run, func(key []byte, p rundir.Place) {
			got[p]++
			if !bytes.ContainsRune(key, '@') {
				t.Errorf("%s: %q is no address", name, key)
			}
		})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: found %v, want %v (%v)", name, got, want, err)
		}
	}
}
