package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// AWS are the credentials of an AWS account.
type AWS struct {
	ID, Key Secret
	Session Secret // of temporary credentials; may be empty
	Region  string
}

// Sign returns a Signer for a service of the account.
func (k AWS) Sign(service string) Signer {
	return func(r *http.Request, body []byte, now time.Time) string { return k.sign(r, body, service, now) }
}

// sign puts a Signature Version 4 on a request (AWS General Reference, "Create
// a signed AWS API request") and returns it. Path segments are encoded twice
// except for S3.
func (k AWS) sign(r *http.Request, body []byte, service string, now time.Time) string {
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	stamp := now.UTC().Format("20060102T150405Z")
	day := stamp[:8]
	r.Header.Set("X-Amz-Date", stamp)
	if k.Session.s != "" {
		r.Header.Set("X-Amz-Security-Token", k.Session.s)
	}
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", payload)
	}

	// Only these headers are signed: the others may be changed by a proxy.
	head := map[string]string{"host": r.URL.Host}
	if r.Host != "" {
		head["host"] = r.Host
	}
	for name, v := range r.Header {
		if n := strings.ToLower(name); n == "content-type" || strings.HasPrefix(n, "x-amz-") {
			head[n] = strings.Join(strings.Fields(strings.Join(v, ",")), " ")
		}
	}
	names := make([]string, 0, len(head))
	for n := range head {
		names = append(names, n)
	}
	slices.Sort(names)
	var canonical strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if service != "s3" {
		path = Escape(path, true)
	}
	canonical.WriteString(r.Method + "\n" + path + "\n" + awsQuery(r.URL.Query()) + "\n")
	for _, n := range names {
		canonical.WriteString(n + ":" + head[n] + "\n")
	}
	signed := strings.Join(names, ";")
	canonical.WriteString("\n" + signed + "\n" + payload)

	scope := day + "/" + k.Region + "/" + service + "/aws4_request"
	digest := sha256.Sum256([]byte(canonical.String()))
	key := []byte("AWS4" + k.Key.s)
	for _, part := range []string{day, k.Region, service, "aws4_request"} {
		key = mac(key, part)
	}
	sig := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(digest[:])))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+k.ID.s+"/"+scope+", SignedHeaders="+signed+", Signature="+sig)
	return sig
}

func mac(key []byte, s string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(s))
	return m.Sum(nil)
}

// awsQuery returns the query sorted by name and value, encoded as RFC 3986 has it.
func awsQuery(q url.Values) string {
	var pairs []string
	for name, vs := range q {
		for _, v := range vs {
			pairs = append(pairs, Escape(name, false)+"="+Escape(v, false))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}
