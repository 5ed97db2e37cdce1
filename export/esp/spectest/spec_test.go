package spectest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/winnow-email/winnow/export/esp"
)

// recorded is one call that winnow made.
type recorded struct {
	method, url string
	header      http.Header
	body        []byte
}

// record pushes a few entries to a target and returns the calls. Every call is
// answered in the plainest way that lets the push go on.
func record(t *testing.T, target, scope string) []recorded {
	var mu sync.Mutex
	var calls []recorded
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		calls = append(calls, recorded{r.Method, r.URL.RequestURI(), r.Header.Clone(), body})
		mu.Unlock()
		switch {
		case strings.Contains(r.URL.Path, "bulk-create-jobs"):
			io.WriteString(w, `{"data":{"type":"profile-suppression-bulk-create-job","id":"1","attributes":{"status":"complete"}}}`)
		case r.URL.Path == "/v3/suppression/unsubscribes", strings.HasSuffix(r.URL.Path, "/suppressions") && r.Method == "GET":
			io.WriteString(w, `[]`)
		case strings.Contains(r.URL.Path, "/processes/"):
			io.WriteString(w, `{"status":"completed"}`)
		case r.URL.Path == "/v3/contacts/import":
			io.WriteString(w, `{"processId":1}`)
		default:
			io.WriteString(w, `{}`)
		}
	}))
	defer srv.Close()
	tg, err := esp.Find(target)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list := filepath.Join(dir, "suppressed.csv")
	os.WriteFile(list, []byte("Email,winnow_reason,winnow_detail,winnow_suggestion,winnow_evidence,winnow_date\n"+
		"ann@quietharbor.com,bounce_user_unknown,x,,\"user_unknown: 550 5.1.1 User unknown (b.csv:2, 2026-04-01)\",2026-04-01\n"+
		"o'neil+news@quietharbor.com,user_unsubscribed,x,,,\n"+
		"cid@quietharbor.com,bounce_complaint,x,,,2026-04-01\n"), 0o600)
	src, err := esp.OpenRun(list)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	o := esp.PushOptions{
		Scope:   scope,
		BaseURL: srv.URL,
		Key:     func(string) string { return "user:key-us1" },
		Yes:     true,
		Allow:   tg.Dangers(),
		Journal: filepath.Join(dir, "journal"),
	}
	done := make(chan error, 1)
	go func() { _, err := esp.Push(ctx, tg, src, o); done <- err }()
	select {
	case err = <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(5 * time.Second): // it looks for entries that this server never shows
	}
	mu.Lock()
	defer mu.Unlock()
	return calls
}

func TestSpecs(t *testing.T) {
	dir := os.Getenv("WINNOW_SPECS")
	if dir == "" {
		t.Skip("skipped: WINNOW_SPECS names no folder with OpenAPI files")
	}
	for _, c := range []struct{ file, target, scope string }{
		{"sendgrid.json", "sendgrid", ""},
		{"sendgrid.json", "sendgrid-group", "42"},
		{"klaviyo.json", "klaviyo", ""},
		{"sparkpost.json", "sparkpost", ""},
		{"mailchimp.json", "mailchimp", "aud1"},
		{"brevo.json", "brevo", "7"},
		{"mailgun.json", "mailgun", "mg.example.com"},
		{"postmark.json", "postmark", "broadcast"},
	} {
		t.Run(c.target, func(t *testing.T) {
			router := load(t, filepath.Join(dir, c.file))
			writes := 0
			for _, call := range record(t, c.target, c.scope) {
				if call.method == http.MethodGet {
					continue // the files often hold only a part of the API
				}
				writes++
				if err := validate(t, router, call); err != nil {
					t.Errorf("%s %s: %v\n%s", call.method, call.url, err, call.body)
				}
				// The control: a body that is wrong must be found wrong.
				var v map[string]any
				if json.Unmarshal(call.body, &v) == nil {
					for k := range v {
						v[k] = 7
					}
					call.body, _ = json.Marshal(v)
					if validate(t, router, call) == nil {
						t.Errorf("%s %s: the file lets anything through", call.method, call.url)
					}
				}
			}
			if writes == 0 {
				t.Error("nothing was sent")
			}
		})
	}
}

func load(t *testing.T, file string) routers.Router {
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Skipf("skipped: %s is not there", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil // the calls went to this machine
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func validate(t *testing.T, router routers.Router, c recorded) error {
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(c.method, u.String(), bytes.NewReader(c.body))
	r.Header = c.header
	route, params, err := router.FindRoute(r)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateRequest(t.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
}
