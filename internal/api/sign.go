package api

import (
	"net/http"
	"time"
)

// Signer puts the credentials on a request. It returns what it made of a key for
// this request alone, which must not be shown either: "" when there is nothing.
type Signer func(r *http.Request, body []byte, now time.Time) (made string)

// Basic signs by Basic authentication (RFC 7617).
func Basic(user string, key Secret) Signer {
	return func(r *http.Request, _ []byte, _ time.Time) string {
		r.SetBasicAuth(user, key.s)
		return ""
	}
}

// Header signs by a header that holds the key behind a prefix.
func Header(name, prefix string, key Secret) Signer {
	return func(r *http.Request, _ []byte, _ time.Time) string {
		r.Header.Set(name, prefix+key.s)
		return ""
	}
}
