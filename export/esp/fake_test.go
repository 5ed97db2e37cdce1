package esp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/winnow-email/winnow/internal/api"
)

// fake is a provider on loopback: it keeps what it is told, lists it in pages,
// and misbehaves in its own way when it is asked to.
type fake struct {
	t     testing.TB
	name  string // of the target
	srv   *httptest.Server
	serve func(f *fake, w http.ResponseWriter, r *http.Request, body []byte)

	mu       sync.Mutex
	state    map[string]string // "place address" -> word
	log      []string          // method and path of every call
	writes   int               // calls that may change something
	jobs     map[string]string // id -> status
	faults   map[int]string    // by the number of the writing call: throttle, partial, reset, slow, refuse
	left     int               // entries that are still taken before the answer becomes a 503; -1: all
	object   map[string][]byte // of the S3 beside it
	odd      func(address string) bool
	authed   func(r *http.Request) bool
	onCall   func(n int) // after a writing call
	failJobs bool
	failed   map[string]int    // id -> records that a job left out
	done     map[string]int    // id -> records that a job worked off
	silent   func(string) bool // addresses that it drops without a word
	next     func(string) string
	clock    *fakeClock
}

// fakeClock is a clock on which nobody waits.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *fakeClock) clock() *api.Clock {
	return &api.Clock{
		Now: func() time.Time {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.now
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.now, c.slept = c.now.Add(d), append(c.slept, d)
			return ctx.Err()
		},
	}
}

const canaryKey = "CANARY-KEY-7f3a9c-us21"

// fakes has a fake for every target that can be pushed to.
var fakes = map[string]func(*fake, http.ResponseWriter, *http.Request, []byte){
	"mailgun": fakeMailgun, "sendgrid": fakeSendGrid, "sendgrid-group": fakeSendGrid, "ses": fakeSES, "ses-import": fakeSES,
	"postmark": fakePostmark, "sparkpost": fakeSparkPost, "mailchimp": fakeMailchimp, "brevo": fakeBrevo, "klaviyo": fakeKlaviyo, "listmonk": fakeListmonk,
}

var fakeScope = map[string]string{
	"mailgun": "mg.example.com", "sendgrid-group": "42", "ses": "eu-west-1", "ses-import": "s3://bucket/winnow/in", "postmark": "broadcast", "mailchimp": "aud1", "brevo": "7",
}

func newFake(t testing.TB, target string) *fake {
	f := &fake{
		t: t, name: target, serve: fakes[target], state: map[string]string{}, jobs: map[string]string{}, failed: map[string]int{}, done: map[string]int{}, faults: map[int]string{}, object: map[string][]byte{}, left: -1,
		clock:  &fakeClock{now: time.Now()},
		silent: func(string) bool { return false },
		next:   func(link string) string { return link },
	}
	f.odd = func(a string) bool { return strings.Contains(a, "odd") }
	f.authed = func(r *http.Request) bool {
		user, pass, _ := r.BasicAuth()
		switch target {
		case "mailgun":
			return user == "api" && pass == canaryKey
		case "mailchimp":
			return pass == canaryKey
		case "sendgrid", "sendgrid-group":
			return r.Header.Get("Authorization") == "Bearer "+canaryKey
		case "postmark":
			return r.Header.Get("X-Postmark-Server-Token") == canaryKey
		case "sparkpost":
			return r.Header.Get("Authorization") == canaryKey
		case "brevo":
			return r.Header.Get("api-key") == canaryKey
		case "klaviyo":
			return r.Header.Get("Authorization") == "Klaviyo-API-Key "+canaryKey && r.Header.Get("revision") != ""
		case "listmonk":
			return r.Header.Get("Authorization") == "token user:"+canaryKey
		}
		return strings.Contains(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
	}
	f.srv = httptest.NewServer(f)
	f.srv.Config.ErrorLog = nil
	t.Cleanup(f.srv.Close)
	return f
}

func fakeKeys(name string) string {
	switch name {
	case "AWS_ACCESS_KEY_ID":
		return "AKIDEXAMPLE"
	case "AWS_REGION":
		return "eu-west-1"
	case "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION":
		return ""
	case "LISTMONK_TOKEN":
		return "user:" + canaryKey
	}
	return canaryKey
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.log = append(f.log, r.Method+" "+r.URL.Path)
	if !f.authed(r) {
		f.mu.Unlock()
		http.Error(w, `{"message":"the key `+canaryKey+` is not good"}`, http.StatusUnauthorized)
		return
	}
	fault, n := "", 0
	if r.Method != "GET" && r.Method != "DELETE" {
		f.writes++
		n = f.writes
		fault = f.faults[n]
	}
	f.left = -1
	rec := httptest.NewRecorder()
	switch fault {
	case "throttle":
		f.throttle(rec)
	case "partial":
		f.left = 2
		f.serve(f, rec, r, body)
		rec = httptest.NewRecorder()
		rec.WriteHeader(http.StatusServiceUnavailable)
	case "lie": // by its status all went well
		reply200(rec, lies[f.name])
	case "mute": // done, and not confirmed
		f.serve(f, rec, r, body)
		rec = httptest.NewRecorder()
		reply200(rec, map[string]any{})
	default:
		f.serve(f, rec, r, body)
	}
	f.left = -1
	after := f.onCall
	f.mu.Unlock()
	if after != nil && n > 0 {
		after(n)
	}
	switch fault {
	case "reset": // done, but nobody is told
		c, _, _ := http.NewResponseController(w).Hijack()
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		return
	case "slow":
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

// throttle answers as the provider does: no two do it alike.
func (f *fake) throttle(w http.ResponseWriter) {
	switch f.name {
	case "mailgun":
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(f.clock.now.Add(7500*time.Millisecond).UnixMilli(), 10))
	case "sendgrid", "sendgrid-group":
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(f.clock.now.Unix()+8, 10))
	case "ses":
		w.Header().Set("X-Amzn-Errortype", "ThrottlingException")
		w.WriteHeader(400)
		fmt.Fprint(w, `{"message":"Rate exceeded"}`)
		return
	case "mailchimp":
		w.WriteHeader(403)
		fmt.Fprint(w, "<html>Access denied</html>")
		return
	case "brevo":
		w.Header().Set("x-sib-ratelimit-reset", "7")
	case "klaviyo":
		w.Header().Set("Retry-After", "7")
	}
	w.WriteHeader(429)
	fmt.Fprint(w, `{"message":"slow down"}`)
}

// lies are the bodies with which a provider that has answered 200 says that it did
// nothing.
var lies = map[string]any{
	"mailgun":        map[string]any{"message": "Bounces were not added: the domain is disabled"},
	"sendgrid":       map[string]any{"errors": []any{map[string]any{"field": nil, "message": "internal error"}}},
	"sendgrid-group": map[string]any{"errors": []any{map[string]any{"field": "group_id", "message": "group not found"}}},
	"ses":            map[string]any{"__type": "InternalServiceErrorException", "message": "try again"},
	"ses-import":     map[string]any{"__type": "InternalServiceErrorException", "message": "try again"},
	"postmark":       map[string]any{"ErrorCode": 100, "Message": "Maintenance"},
	"sparkpost":      map[string]any{"errors": []any{map[string]any{"message": "resource limit", "code": "1900"}}},
	"mailchimp":      map[string]any{"title": "Internal Server Error", "status": 500, "detail": "An unexpected internal error has occurred."},
	"brevo":          map[string]any{"code": "invalid_parameter", "message": "import refused"},
	"klaviyo":        map[string]any{"errors": []any{map[string]any{"title": "A server error occurred."}}},
	"listmonk":       map[string]any{"message": "Internal Server Error"},
}

// patient are the fakes that say how long to wait: about 7 seconds.
var patient = []string{"mailgun", "sendgrid", "sendgrid-group", "brevo", "klaviyo"}

// put takes one entry, unless the fault of the call says that it is lost.
func (f *fake) put(place, address, word string) {
	if f.left == 0 || f.silent(address) {
		return
	}
	if f.left > 0 {
		f.left--
	}
	f.state[place+" "+strings.ToLower(address)] = word
}

// list returns the addresses of a place, sorted.
func (f *fake) list(place string) []string {
	var as []string
	for k := range f.state {
		if p, a, _ := strings.Cut(k, " "); p == place {
			as = append(as, a)
		}
	}
	slices.Sort(as)
	return as
}

func page[T any](all []T, offset, limit int) []T {
	offset = min(max(offset, 0), len(all))
	return all[offset:min(offset+limit, len(all))]
}

func reply200(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, format string, args ...any) {
	w.WriteHeader(400)
	json.NewEncoder(w).Encode(map[string]string{"message": fmt.Sprintf(format, args...)})
}

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}
