package esp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// thief is a host to which no request may go.
func thief(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s arrived at another host, with %v", r.Method, r.URL, r.Header)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// TestPushLinksElsewhere: a link to the next page that leads to another host is
// not followed, and the key does not go there.
func TestPushLinksElsewhere(t *testing.T) {
	other := thief(t)
	host := strings.TrimPrefix(other.URL, "http://")
	for _, name := range []string{"mailgun", "sparkpost", "klaviyo"} {
		for _, link := range []string{"@evil.example/x", "@" + host + "/x", "//" + host + "/x", other.URL + "/x", `\\` + host + "/x", `/\` + host + "/x", "https://" + host + "/x", "http://user@" + host + "/x", "x", "http://[::1"} {
			f, tg := newFake(t, name), small(t, name)
			for _, e := range pushSet(600) {
				for k := range want(tg, []Entry{e}) {
					f.state[k] = "x"
				}
			}
			f.next = func(string) string { return link }
			o := f.options(t)
			o.Yes = false
			_, err := Push(t.Context(), tg, source("set", pushSet(5)), o)
			// What names no host is a path of the API itself, where there is no list.
			own := link == "x" || link == "@evil.example/x"
			if own && !slices.ContainsFunc(f.log, func(c string) bool { return strings.HasSuffix(c, "/"+link) }) {
				t.Errorf("%s, %s: it was not asked for there: %v", name, link, f.log)
			}
			if !own && (err == nil || !strings.Contains(err.Error(), "a link to the next page")) {
				t.Errorf("%s, %s: %v", name, link, err)
			}
			if f.writes != 0 {
				t.Errorf("%s, %s: something was sent", name, link)
			}
		}
	}
}

// TestPushRedirected: a redirect is not followed, whatever the call.
func TestPushRedirected(t *testing.T) {
	other := thief(t)
	for _, name := range pushTargets() {
		for _, status := range []int{302, 308} {
			for _, method := range []string{"GET", "POST", "PUT"} {
				f, tg := newFake(t, name), small(t, name)
				serve := f.serve
				f.serve = func(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
					if r.Method != method {
						serve(f, w, r, body)
						return
					}
					w.Header().Set("Location", other.URL+"/x?"+r.URL.RawQuery)
					w.WriteHeader(status)
				}
				_, err := Push(t.Context(), tg, source("set", pushSet(5)), f.options(t))
				if called := slices.ContainsFunc(f.log, func(c string) bool { return strings.HasPrefix(c, method) }); called && err == nil {
					t.Errorf("%s: %s answered with %d is taken for done", name, method, status)
				}
			}
		}
	}
}

// TestPushEndless: a list without an end ends the push, with a word about it.
func TestPushEndless(t *testing.T) {
	for name, list := range map[string]func(f *fake, w http.ResponseWriter, r *http.Request, n int){
		"mailgun": func(f *fake, w http.ResponseWriter, r *http.Request, n int) {
			reply200(w, map[string]any{"items": []any{map[string]string{"address": "a@example.com"}}, "paging": map[string]string{"next": f.srv.URL + r.URL.RequestURI()}})
		},
		"sparkpost": func(f *fake, w http.ResponseWriter, r *http.Request, n int) {
			reply200(w, map[string]any{"results": []any{map[string]string{"recipient": "a@example.com", "type": "transactional"}}, "links": []any{map[string]string{"rel": "next", "href": fmt.Sprint("/api/v1/suppression-list?cursor=", n%5)}}})
		},
		"klaviyo": func(f *fake, w http.ResponseWriter, r *http.Request, n int) {
			reply200(w, map[string]any{"data": []any{map[string]any{"attributes": map[string]string{"email": "a@example.com"}}}, "links": map[string]string{"next": fmt.Sprint("/api/profiles?n=", n)}})
		},
		"ses": func(f *fake, w http.ResponseWriter, r *http.Request, n int) {
			reply200(w, map[string]any{"SuppressedDestinationSummaries": []any{}, "NextToken": fmt.Sprint("token", n)})
		},
		"sendgrid": func(f *fake, w http.ResponseWriter, r *http.Request, n int) {
			reply200(w, repeat(500, map[string]any{"email": "a@example.com"}))
		},
		"mailchimp": func(f *fake, w http.ResponseWriter, r *http.Request, n int) {
			reply200(w, map[string]any{"members": repeat(1000, map[string]any{"email_address": "a@example.com"})})
		},
		"brevo": func(f *fake, w http.ResponseWriter, r *http.Request, n int) {
			reply200(w, map[string]any{"contacts": repeat(1000, map[string]any{"email": "a@example.com"})})
		},
		"listmonk": func(f *fake, w http.ResponseWriter, r *http.Request, n int) {
			reply200(w, map[string]any{"data": map[string]any{"results": repeat(1000, map[string]any{"email": "a@example.com"})}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, name)
			serve, n := f.serve, 0
			f.serve = func(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
				p := r.URL.Path
				if r.Method != "GET" || r.URL.Query().Get("limit") == "1" || r.URL.Query().Get("page[size]") == "1" ||
					!slices.ContainsFunc([]string{"/bounces", "/complaints", "/unsubscribes", "/suppression-list", "/profiles", "/addresses", "/members", "/v3/contacts", "/api/subscribers"}, func(s string) bool { return strings.HasSuffix(p, s) }) {
					serve(f, w, r, body)
					return
				}
				if n++; n > 200 {
					t.Error("200 pages were read")
					w.WriteHeader(401)
					return
				}
				list(f, w, r, n)
			}
			_, err := Push(t.Context(), small(t, name), source("set", pushSet(30)), f.options(t))
			if err == nil || !strings.Contains(err.Error(), "has no end") || f.writes != 0 {
				t.Errorf("%v after %d pages and %d writing calls", err, n, f.writes)
			}
		})
	}
}

func repeat(n int, v map[string]any) []map[string]any {
	return slices.Repeat([]map[string]any{v}, n)
}

// keyForms are the forms in which a provider may repeat the key.
func keyForms(key string) map[string]string {
	r, _ := http.NewRequest("GET", "http://x", nil)
	r.SetBasicAuth("api", key)
	js, _ := json.Marshal(key)
	return map[string]string{
		"raw": key, "basic": r.Header.Get("Authorization"), "base64": base64.StdEncoding.EncodeToString([]byte("winnow:" + key)),
		"query": url.QueryEscape(key), "path": url.PathEscape(key), "hex": hex.EncodeToString([]byte(key)), "json": strings.Trim(string(js), `"`),
	}
}

// shows says whether a text shows eight characters of a form one after the other.
func shows(text, form string) bool {
	form = strings.TrimPrefix(form, "Basic ")
	for i := 0; i+8 <= len(form); i++ {
		if strings.Contains(text, form[i:i+8]) {
			return true
		}
	}
	return false
}

// TestPushKeyRepeated: a provider that repeats the key, in any form and in any
// place of its answers, brings it into nothing that is said or kept.
func TestPushKeyRepeated(t *testing.T) {
	const key = `CANARY/7f+3a9c"x=y-us21`
	keys := func(name string) string {
		if strings.HasSuffix(name, "KEY") || strings.HasSuffix(name, "TOKEN") && name != "AWS_SESSION_TOKEN" {
			return map[string]string{"LISTMONK_TOKEN": "user:"}[name] + key
		}
		return fakeKeys(name)
	}
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := strings.Join(slices.Sorted(maps.Values(keyForms(key))), " ")
			for _, how := range []string{"401", "400", "503", "200", "rows", "jobs"} {
				f, tg := newFake(t, name), small(t, name)
				f.authed = func(*http.Request) bool { return true }
				f.repeat(how, all)
				o := f.options(t)
				o.Key = keys
				var said bytes.Buffer
				o.Note = func(s string) { fmt.Fprintln(&said, s) }
				b, err := Push(t.Context(), tg, source("set", pushSet(12)), o)
				js, _ := json.Marshal(b)
				fmt.Fprintln(&said, err, string(js))
				filepath.WalkDir(filepath.Dir(o.Journal), func(path string, d os.DirEntry, err error) error {
					if err == nil && !d.IsDir() {
						content, _ := os.ReadFile(path)
						fmt.Fprintf(&said, "%s: %s\n", d.Name(), content)
					}
					return err
				})
				for kind, form := range keyForms(key) {
					if shows(said.String(), form) {
						t.Fatalf("%s: the key is shown, %s: %s", how, kind, said.String())
					}
				}
			}
		})
	}
}

// repeat makes the provider put words into its answers.
func (f *fake) repeat(how, words string) {
	serve := f.serve
	said := map[string]any{"message": words, "detail": words, "errors": []any{map[string]string{"message": words}}}
	f.serve = func(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
		rec := httptest.NewRecorder()
		serve(f, rec, r, body)
		writes := r.Method != "GET" && r.Method != "DELETE"
		var status int
		fmt.Sscan(how, &status)
		switch {
		case how == "401", status > 0 && writes:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			json.NewEncoder(w).Encode(said)
			return
		case how == "jobs" && rec.Code < 300: // every text in the answer, names of jobs too
			var v any
			if json.Unmarshal(rec.Body.Bytes(), &v) == nil {
				w.WriteHeader(rec.Code)
				json.NewEncoder(w).Encode(speak(v, words))
				return
			}
		case how == "rows" && writes && rec.Code < 300:
			var in struct {
				Members      []map[string]any
				Suppressions []map[string]any
			}
			json.Unmarshal(body, &in)
			for _, row := range append(in.Members, in.Suppressions...) {
				row["error"], row["Message"], row["Status"] = words, words, "Failed"
			}
			if in.Members != nil || in.Suppressions != nil {
				reply200(w, map[string]any{"errors": in.Members, "Suppressions": in.Suppressions})
				return
			}
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		io.Copy(w, rec.Body)
	}
}

// speak puts words in place of all texts but addresses and links.
func speak(v any, words string) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = speak(v[k], words)
		}
	case []any:
		for i := range v {
			v[i] = speak(v[i], words)
		}
	case string:
		if !strings.Contains(v, "@") && !strings.Contains(v, "/api/") && !strings.Contains(v, "/v3/") {
			return words
		}
	}
	return v
}

// TestCanary plants a key and an address everywhere and looks for them in what
// is said and in what is left on the disk.
func TestCanary(t *testing.T) {
	const address = "canary.person@example.com"
	for _, name := range pushTargets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, tg := newFake(t, name), small(t, name)
			f.odd = func(a string) bool { return strings.EqualFold(a, address) }
			f.faults = map[int]string{2: "partial", 3: "throttle"}
			es := append([]Entry{{Address: address, Reason: HardBounce, Word: "bounce_user_unknown", Text: "550 " + address}, {Address: address + "x", Reason: Unsubscribe, Word: "user_unsubscribed"}}, pushSet(25)...)
			o := f.options(t)
			var said bytes.Buffer
			var mu sync.Mutex
			o.Note = func(s string) { mu.Lock(); fmt.Fprintln(&said, s); mu.Unlock() }
			b, err := Push(t.Context(), tg, source("set", es), o)
			fmt.Fprintln(&said, err, b.Notes)
			f.authed = func(*http.Request) bool { return false }
			_, err = Push(t.Context(), tg, source("set", es[:1]), o)
			fmt.Fprintln(&said, err)
			for _, s := range []string{canaryKey, address} {
				if strings.Contains(said.String(), s) {
					t.Errorf("%s is said: %s", s, said.String())
				}
			}
			for _, e := range must(os.ReadDir(o.Journal))(t) {
				got := string(must(os.ReadFile(filepath.Join(o.Journal, e.Name())))(t))
				if strings.Contains(got, canaryKey) {
					t.Errorf("the key is in %s", e.Name())
				}
				if strings.Contains(got, address) && e.Name() != "rejected.csv" && e.Name() != "unknown.csv" {
					t.Errorf("the address is in %s:\n%s", e.Name(), got)
				}
				if fi := must(e.Info())(t); fi.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", e.Name(), fi.Mode())
				}
			}
		})
	}
}
