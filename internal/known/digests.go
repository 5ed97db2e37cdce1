package known

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/winnow-email/winnow/internal/keyset"
)

// digestKind is a way in which suppression lists hide their addresses. What is
// hashed is the key of the address: lower case, the domain as A-labels.
type digestKind uint8

const (
	md5Digest digestKind = iota
	sha1Digest
	sha256Digest
	hmacDigest // HMAC-SHA-256 under Options.Secret
	digestKinds
	eitherDigest = digestKinds // SHA-256 or, where there is a secret, HMAC-SHA-256: nothing tells which
)

// digest is a kind of hash that stands in a suppression list.
type digest struct {
	kind   digestKind
	filter *keyset.Filter // of the first 8 bytes of the digests of all addresses on the list
}

// digester computes digests, for one goroutine.
type digester struct {
	mac hash.Hash
	sum [sha256.Size]byte
	key []byte
}

func (d *digester) of(k digestKind, key, secret []byte) []byte {
	switch k {
	case md5Digest:
		s := md5.Sum(key)
		return d.sum[:copy(d.sum[:], s[:])]
	case sha1Digest:
		s := sha1.Sum(key)
		return d.sum[:copy(d.sum[:], s[:])]
	case sha256Digest:
		d.sum = sha256.Sum256(key)
		return d.sum[:]
	}
	if d.mac == nil {
		d.mac = hmac.New(sha256.New, secret)
	}
	d.mac.Reset()
	d.mac.Write(key)
	return d.mac.Sum(d.sum[:0])
}

// digestKey is the key of a digest in the table of facts. No address key begins
// with a zero byte.
func digestKey(dst []byte, k digestKind, sum []byte) []byte {
	return append(append(dst, 0, byte(k)), sum...)
}

// digestHash is the hash of a digest in a filter of digests.
func digestHash(sum []byte) uint64 { return binary.BigEndian.Uint64(sum) | 1 }

// digestOf reads a hash: by its width, or as its name says, like "sha256:" and
// hexadecimal digits. What has a name is nothing else.
func digestOf(sum []byte, text []byte) (k digestKind, n int, ok bool) {
	named, hasName := digestKind(0), false
	if at := bytes.IndexAny(text, ":="); at > 0 && at < len("{hmac-sha256}")+1 {
		switch name := string(bytes.ToLower(bytes.Trim(text[:at], "{} \t"))); name {
		case "md5":
			named = md5Digest
		case "sha1", "sha-1":
			named = sha1Digest
		case "sha256", "sha-256":
			named = sha256Digest
		case "hmac", "hmac-sha256", "hmac-sha-256", "hmacsha256":
			named = hmacDigest
		default:
			return 0, 0, false
		}
		hasName = true
		text = bytes.TrimSpace(text[at+1:])
	}
	switch len(text) {
	case 2 * md5.Size:
		k = md5Digest
	case 2 * sha1.Size:
		k = sha1Digest
	case 2 * sha256.Size:
		k = eitherDigest
	default:
		return 0, 0, false
	}
	if hasName && named != k && !(k == eitherDigest && (named == sha256Digest || named == hmacDigest)) {
		return 0, 0, false
	}
	if hasName {
		k = named
	}
	n, err := hex.Decode(sum, text)
	return k, n, err == nil
}
