package api

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// encoded returns a key in the forms in which it travels or is repeated, made
// without the masker's own code.
func encoded(key string) map[string]string {
	js, _ := json.Marshal(map[string]string{"k": key})
	basic := func(user string) string {
		r, _ := http.NewRequest("GET", "http://x", nil)
		r.SetBasicAuth(user, key)
		return r.Header.Get("Authorization")
	}
	return map[string]string{
		"raw": key, "bearer": "Bearer " + key, "lower case": strings.ToLower(key),
		"basic api": basic("api"), "basic winnow": basic("winnow"), "basic one letter": basic("x"), "basic nobody": basic(""),
		"base64": base64.StdEncoding.EncodeToString([]byte(key)), "base64 url": base64.RawURLEncoding.EncodeToString([]byte("u:" + key)),
		"query": url.QueryEscape(key), "path": url.PathEscape(key), "lower-case escapes": strings.ToLower(url.QueryEscape(key)),
		"hex": hex.EncodeToString([]byte(key)), "upper-case hex": strings.ToUpper(hex.EncodeToString([]byte(key))),
		"json": string(js), "json with slashes": strings.ReplaceAll(string(js), "/", `\/`), "quoted": strconv.Quote(key), "html": html.EscapeString(key),
		"cut in front": key[:14], "cut behind": key[8:], "in an address": strings.TrimPrefix(url.UserPassword("u", key).String(), "u:"),
	}
}

// holds says whether a text shows eight characters of a form one after the other.
func holds(text, form string) bool {
	text, form = strings.ToLower(text), strings.ToLower(form)
	for i := 0; i+pieceWidth <= len(form); i++ {
		if p := form[i : i+pieceWidth]; strings.Contains(text, p) {
			return true
		}
	}
	return false
}

func TestMask(t *testing.T) {
	for _, key := range []string{canary, "0123456789abcdef0123456789abcdef-us21", "SG.aB_c-d.EfGhIjKlMnOpQrSt", "k&y<wïth>odd chars%20"} {
		keys := NewKeys(func(string) string { return key })
		keys.Optional("KEY")
		for name, form := range encoded(key) {
			for _, text := range []string{form, "the key " + form + " is not good", `{"message":"` + form + `"}`, strings.Repeat("x ", 140) + form} {
				got := keys.mask.mask(text)
				if form := strings.TrimPrefix(strings.TrimPrefix(form, "Basic "), "Bearer "); holds(got, form) && !holds(text[:len(text)-len(form)], form) {
					t.Errorf("%s of %q is shown: %q", name, key, got)
				}
				if strings.HasPrefix(text, "the key ") && (!strings.HasPrefix(got, "the key ") || !strings.HasSuffix(got, " is not good")) {
					t.Errorf("%s: the rest is hidden too: %q", name, got)
				}
			}
		}
		if s := "a message without any of it"; keys.mask.mask(s) != s {
			t.Errorf("%q was changed", s)
		}
	}
}

// TestMaskCut: what is said is cut after it is masked, so that no half of a key
// is left at the end.
func TestMaskCut(t *testing.T) {
	for pad := 240; pad < 310; pad++ {
		c, _ := client(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			json.NewEncoder(w).Encode(map[string]string{"message": strings.Repeat("x", pad) + " " + canary})
		}, Provider{})
		if _, err := c.Call(t.Context(), "GET", "/", "", nil); err == nil || holds(err.Error(), canary) || len(err.Error()) > 400 {
			t.Fatalf("%d: %v", pad, err)
		}
	}
}

// TestMaskSignature: a signature of AWS is made anew for every request, and an
// answer that repeats it does not bring it out.
func TestMaskSignature(t *testing.T) {
	var c *Client
	var sent string
	c, _ = client(t, func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		w.WriteHeader(403)
		json.NewEncoder(w).Encode(map[string]string{"message": "wrong signature: " + sent})
	}, Provider{})
	c.Sign = AWS{ID: Secret{"AKIDEXAMPLE"}, Key: Secret{canary}, Region: "eu-west-1"}.Sign("ses")
	for range 3 {
		_, err := c.Call(t.Context(), "GET", "/", "", nil)
		_, signature, _ := strings.Cut(sent, "Signature=")
		if err == nil || len(signature) != 64 || holds(err.Error(), signature) {
			t.Errorf("%v", err)
		}
		c.clock.Sleep(t.Context(), time.Minute)
	}
}

func TestSecret(t *testing.T) {
	s := Secret{canary}
	js, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %s %q %+v %#v %x %d %s", s, s, s, s, s, s, s, js); holds(got, canary) || holds(got, hex.EncodeToString([]byte(canary))) {
		t.Errorf("shown: %s", got)
	}
}

func TestFromFile(t *testing.T) {
	dir := t.TempDir()
	file := func(content string, mode os.FileMode) string {
		p := filepath.Join(dir, "keys")
		os.Remove(p)
		if err := os.WriteFile(p, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		os.Chmod(p, mode)
		return p
	}
	env := func(n string) string { return map[string]string{"OTHER": "fromenv"}[n] }
	if _, err := FromFile(t.Context(), file("k", 0o644), env); err == nil || !strings.Contains(err.Error(), "can be read by others") {
		t.Errorf("a file for all to read: %v", err)
	}
	if _, err := FromFile(t.Context(), file(" \n", 0o600), env); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty file: %v", err)
	}
	get := func(content string) func(string) string {
		t.Helper()
		look, err := FromFile(t.Context(), file(content, 0o600), env)
		if err != nil {
			t.Fatal(err)
		}
		return look
	}
	look := get("SG.abc-def\n")
	if look("SENDGRID_API_KEY") != "SG.abc-def" || look("OTHER") != "fromenv" {
		t.Error("a bare key")
	}
	look = get("# mine\nexport AWS_ACCESS_KEY_ID=AKI\nAWS_SECRET_ACCESS_KEY=\"a/b+c==\"\n")
	if look("AWS_ACCESS_KEY_ID") != "AKI" || look("AWS_SECRET_ACCESS_KEY") != "a/b+c==" || look("OTHER") != "fromenv" {
		t.Error("named keys")
	}
	if _, err := NewKeys(func(string) string { return "a\r\nX-Evil: 1" }).Need("KEY"); err == nil || strings.Contains(err.Error(), "Evil") {
		t.Errorf("a key of two lines: %v", err)
	}
	if _, err := NewKeys(func(string) string { return "" }).Need("A", "B"); err == nil || !strings.Contains(err.Error(), "set A and B") {
		t.Errorf("no keys: %v", err)
	}
}
