package known

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/validate"
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

// kinds returns what a hash may be. A keyed one is nothing without the key.
func (k *Known) kinds(kind digestKind) []digestKind {
	keyed := len(k.opt.Secret) > 0
	switch {
	case kind == eitherDigest && keyed:
		return []digestKind{sha256Digest, hmacDigest}
	case kind == eitherDigest:
		return []digestKind{sha256Digest}
	case kind == hmacDigest && !keyed:
		return nil
	}
	return []digestKind{kind}
}

// fill puts the digests of all addresses on the list into the filters of the kinds
// that were seen. again reads the list once more.
func (k *Known) fill(ctx context.Context, kinds []digestKind, addresses int64, again Again) error {
	for _, kind := range kinds {
		k.digests = append(k.digests, digest{kind, keyset.NewFilter(addresses)})
	}
	return again(ctx, func() func(a *validate.Address) {
		var d digester
		return func(a *validate.Address) {
			d.key = a.AppendKey(d.key[:0])
			for j := range k.digests {
				k.digests[j].filter.Add(digestHash(d.of(k.digests[j].kind, d.key, k.opt.Secret)))
			}
		}
	})
}

// digested returns the source that lists a digest of an address, or 0.
func (r *Reader) digested(a *validate.Address) (uint32, error) {
	k := r.k
	r.key = a.AppendKey(r.key[:0])
	for _, d := range k.digests {
		r.digester.key = digestKey(r.digester.key[:0], d.kind, r.digester.of(d.kind, r.key, k.opt.Secret))
		var f fact
		if err := k.facts.Each(k.Hash(r.digester.key), r.digester.key, &r.buf, f.merge); err != nil {
			return 0, err
		}
		if f.block != NoBlock {
			k.listOf[f.source].matched.Add(1)
			return f.source, nil
		}
	}
	return 0, nil
}
