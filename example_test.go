package winnow_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/validate"
)

// The library part of the README.
func Example() {
	v := validate.Validator{}
	r := v.Check("someone@gmial.com")
	fmt.Println(r.Domain.Typo)

	var c reply.Classifier
	said := c.Classify(reply.Evidence{Reply: "554 5.7.1 Message rejected for policy reasons"})
	fmt.Println(said.Category, said.Side)
	// Output:
	// gmail.com
	// policy_block sender
}

// A job cleans a list with the evidence of a bounce file.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "winnow-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	list := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(list, []byte("email\nann@iana.org\nbob@iana.org\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	var ledger bounceimport.Ledger
	bounces := "email,reply\nann@iana.org,554 5.1.1 User unknown\nbob@iana.org,554 5.7.1 Client host blocked\n"
	if _, err := reader.Read(context.Background(), strings.NewReader(bounces), "bounces.csv", reader.Options{}, ledger.Add); err != nil {
		log.Fatal(err)
	}
	s, err := winnow.Run(context.Background(), &winnow.Job{
		Lists: []string{list}, Out: filepath.Join(dir, "out"), Evidence: []bounceimport.Source{&ledger},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Lists["cleaned"], s.Lists["suppressed"])
	cleaned, err := os.ReadFile(filepath.Join(dir, "out", "cleaned.csv"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(cleaned))
	// Output:
	// 1 1
	// email
	// bob@iana.org
}

// The README shows the code of Example.
func TestReadmeExample(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(readme), "```go\n")
	code, _, _ = strings.Cut(code, "```")
	for line := range strings.Lines(code) {
		line, _, _ = strings.Cut(line, " // ")
		if line = strings.TrimSpace(line); !strings.Contains(string(source), line) {
			t.Errorf("the README has %q, which Example does not run", line)
		}
	}
}
