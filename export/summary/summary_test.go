package summary

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Others read the document: every field is said in its comment, and has a name in JSON.
func TestFieldsAreSaid(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "summary.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			fields++
			if f.Doc.Text()+f.Comment.Text() == "" {
				t.Errorf("%s.%s is not said", spec.Name, f.Names[0])
			}
			if f.Tag == nil || !strings.Contains(f.Tag.Value, "json:") {
				t.Errorf("%s.%s has no name in the document", spec.Name, f.Names[0])
			}
		}
		return false
	})
	if fields < 100 {
		t.Errorf("%d fields", fields)
	}
}

// What is written is read back, and a change of it is seen by its checksum.
func TestEncode(t *testing.T) {
	n := int64(0)
	s := &Summary{SchemaVersion: SchemaVersion, Records: 3, Started: time.Date(2026, 5, 11, 6, 0, 0, 0, time.UTC), Lists: map[string]int64{"cleaned": 3},
		AgainstWish: &n, Gates: []Gate{{Name: "dns", State: Unknown}}, Answer: &Answer{State: Look}}
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Encode()
	if err != nil || string(again) != string(text) {
		t.Errorf("twice: %v\n%s\n%s", err, text, again)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, Name), text, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("read back %+v, %v", got, err)
	}
	for what, text := range map[string]string{"newer": `{"schema_version": 99}`, "another's": `{"a": 1}`, "broken": `{"schema`} {
		if err := os.WriteFile(filepath.Join(dir, Name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a folder that winnow made") {
		t.Errorf("no run: %v", err)
	}
}
