// Command gen regenerates the embedded lists from their npm packages. It runs
// npm, the registry's own client, and needs a network for that; with -from DIR it
// reads package archives (npm pack) that lie in DIR.
//
//	go run ./validate/lists/gen [-from DIR] [-o validate/lists]
package main

import (
	"archive/tar"
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

	"winnow/validate/lists"
)

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
	if from == "" {
		dir, err := os.MkdirTemp("", "winnow-lists-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		from = dir
		for name := range lists.Packages {
			cmd := exec.Command("npm", "pack", "--silent", name)
			cmd.Dir, cmd.Stderr = dir, os.Stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("npm pack %s: %w", name, err)
			}
		}
	}
	sources := map[string]lists.Source{}
	for name := range lists.Packages {
		s, err := readPackage(from, name)
		if err != nil {
			return err
		}
		sources[name] = s
	}
	refused, err := lists.Generate(out, sources)
	if err != nil {
		return err
	}
	for _, r := range refused {
		fmt.Println("refused", r)
	}
	fmt.Printf("%d entries refused\n", len(refused))
	return nil
}

// readPackage reads the one archive of a package in dir.
func readPackage(dir, name string) (lists.Source, error) {
	s := lists.Source{Package: name, Files: map[string][]byte{}}
	found, err := filepath.Glob(filepath.Join(dir, name+"-[0-9]*.tgz"))
	if err != nil || len(found) != 1 {
		return s, fmt.Errorf("%s: want one archive of %s, found %d", dir, name, len(found))
	}
	f, err := os.Open(found[0])
	if err != nil {
		return s, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return s, fmt.Errorf("%s: %w", found[0], err)
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", found[0], err)
		}
		file := strings.TrimPrefix(h.Name, "package/")
		lower := strings.ToLower(file)
		if file != lists.Packages[name] && file != "package.json" && !strings.HasPrefix(lower, "license") {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(t, 64<<20))
		if err != nil {
			return s, fmt.Errorf("%s: %s: %w", found[0], file, err)
		}
		s.Files[file] = b
	}
	var meta struct{ Version, License string }
	if err := json.Unmarshal(s.Files["package.json"], &meta); err != nil {
		return s, fmt.Errorf("%s: package.json: %w", found[0], err)
	}
	s.Version, s.Licence = meta.Version, meta.License
	for file, b := range s.Files {
		if !strings.HasPrefix(strings.ToLower(file), "license") {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "Copyright") {
				s.Licence += ", " + strings.TrimSpace(line)
			}
		}
	}
	s.Date, err = published(name, s.Version)
	return s, err
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
