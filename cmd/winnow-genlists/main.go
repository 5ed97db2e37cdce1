// Command winnow-genlists regenerates the embedded lists from their npm packages. It runs
// npm, the registry's own client, and needs a network for that; with -from DIR
// the package archives (npm pack) are read from DIR and only their dates asked for.
//
//	go run ./cmd/winnow-genlists [-from DIR] [-o validate/lists]
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/winnow-email/winnow/validate/lists"
)

// packages are the npm packages with a fit licence, the name under which each is
// evidence, and the file in it.
var packages = []struct {
	npm, name, file string
	confirms        bool // see lists.Source
	free            bool // a list of mailbox domains, not of throw-away ones
}{
	{npm: "disposable-email-domains-js", name: "disposable-email-domains", file: "dist/dict/disposable_email_blocklist.json"},
	{npm: "fakefilter", name: "fakefilter", file: "json/data_version2.json"},
	{npm: "mailchecker", name: "mailchecker", file: "platform/node/index.js", confirms: true},
	{npm: "disposable-email-domains", name: "ivolo", file: "index.json", confirms: true},
	{npm: "free-email-domains", name: "free-email-domains", file: "domains.json", free: true},
	{npm: "email-providers", name: "email-providers", file: "all.json", free: true},
}

func main() {
	from := flag.String("from", "", "directory of package archives; empty: fetch them with npm")
	out := flag.String("o", "validate/lists", "directory of the lists")
	flag.Parse()
	if err := run(*from, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(from, out string) error {
	texts := map[string]string{}
	for _, name := range []string{"providers", "aliases", "known"} {
		b, err := os.ReadFile(filepath.Join(out, name+".txt"))
		if err != nil {
			return err
		}
		texts[name] = string(b)
	}
	if from == "" {
		dir, err := os.MkdirTemp("", "winnow-lists-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		from = dir
		for _, p := range packages {
			cmd := exec.Command("npm", "pack", "--silent", p.npm)
			cmd.Dir, cmd.Stderr = dir, os.Stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("npm pack %s: %w", p.npm, err)
			}
		}
	}
	var thrown, free []lists.Source
	var licences strings.Builder
	licences.WriteString("The embedded lists are made of these packages, under these licences.\n")
	for _, p := range packages {
		s, licence, err := readPackage(from, p.npm, p.file)
		if err != nil {
			return err
		}
		s.Name, s.Confirms = p.name, p.confirms
		fmt.Fprintf(&licences, "\n\n== %s, %s\n\n%s\n", s.From, s.Licence, strings.TrimSpace(licence))
		if p.free {
			free = append(free, s)
		} else {
			thrown = append(thrown, s)
		}
	}
	guard, err := lists.Guard(texts["providers"], texts["aliases"], texts["known"])
	if err != nil {
		return err
	}
	var refused []string
	texts["disposable"], refused = lists.MergeDisposable(guard, thrown...)
	texts["free"] = lists.MergeFree(guard, texts["disposable"], free...)
	for name, text := range map[string]string{"disposable.txt": texts["disposable"], "free.txt": texts["free"], "LICENSES": licences.String()} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, r := range refused {
		fmt.Println("refused", r)
	}
	fmt.Printf("%d entries refused\n", len(refused))
	return nil
}

// readPackage reads a file and the licence from the one archive of a package in dir.
func readPackage(dir, name, file string) (s lists.Source, licence string, err error) {
	found, err := filepath.Glob(filepath.Join(dir, name+"-[0-9]*.tgz"))
	if err != nil || len(found) != 1 {
		return s, "", fmt.Errorf("%s: want one archive of %s, found %d", dir, name, len(found))
	}
	f, err := os.Open(found[0])
	if err != nil {
		return s, "", err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", found[0], err)
		}
	}()
	z, err := gzip.NewReader(f)
	if err != nil {
		return s, "", err
	}
	var meta struct{ Version, License string }
	holder := ""
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s, "", err
		}
		path := strings.TrimPrefix(h.Name, "package/")
		isLicence := strings.HasPrefix(strings.ToLower(path), "license") || strings.EqualFold(path, "readme.md")
		if path != file && path != "package.json" && !isLicence {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(t, 64<<20))
		if err != nil {
			return s, "", err
		}
		switch {
		case isLicence:
			text := string(b)
			if strings.EqualFold(path, "readme.md") { // some have it there alone
				if _, text, _ = strings.Cut(text, "# License\n"); licence != "" {
					continue
				}
			}
			if text != "" {
				licence = text
			}
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "Copyright") {
					holder = ", " + strings.TrimSpace(line)
				}
			}
		case path == file:
			if strings.HasSuffix(file, ".js") {
				b = literal(b)
			}
			err = s.Parse(b)
		default:
			err = json.Unmarshal(b, &meta)
		}
		if err != nil {
			return s, "", fmt.Errorf("%s: %w", path, err)
		}
	}
	if len(s.Domains) == 0 || meta.Version == "" {
		return s, "", fmt.Errorf("no %s or no package.json in it", file)
	}
	s.From, s.Licence = "npm "+name+"@"+meta.Version, meta.License+holder
	s.Date, err = published(name, meta.Version)
	return s, licence, err
}

// literal returns the first array in a JavaScript file.
func literal(b []byte) []byte {
	i := bytes.IndexByte(b, '[')
	n := bytes.IndexByte(b[max(i, 0):], ']')
	if i < 0 || n < 0 {
		return nil
	}
	return b[i : i+n+1]
}

// published asks the registry when a version was published.
func published(name, version string) (time.Time, error) {
	b, err := exec.Command("npm", "view", name, "time", "--json").Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("npm view %s: %w", name, err)
	}
	times := map[string]time.Time{}
	if err := json.Unmarshal(b, &times); err != nil {
		return time.Time{}, fmt.Errorf("npm view %s: %w", name, err)
	}
	return times[version], nil
}
