package esp

import (
	"context"
	"fmt"
	"strings"

	"github.com/winnow-email/winnow/internal/api"
)

// account is whose suppressions are pushed to.
type account struct {
	api.Config
	scope string // the domain, stream, audience … that Target.ScopeHelp names
}

// need returns what the scope names, or says what it should name.
func (a *account) need(what string) (string, error) {
	if a.scope == "" {
		return "", fmt.Errorf("--scope is missing: %s", what)
	}
	return a.scope, nil
}

// scoped returns what the scope names, and the secrets of those names.
func (a *account) scoped(what string, names ...string) (scope string, keys []api.Secret, err error) {
	if scope, err = a.need(what); err == nil {
		keys, err = a.Keys.Need(names...)
	}
	return scope, keys, err
}

// service is how one provider is spoken to. Each call is made by one goroutine.
// What it hands over of the provider's words is as it came; who uses it makes it
// plain.
type service struct {
	c *api.Client
	// check asks for credentials, scope and settings before anything is sent.
	// words are the provider's words that will be used.
	check func(ctx context.Context, words map[string]bool) error
	// fetch reports the addresses that are there, and in which place.
	fetch func(ctx context.Context, found found) error
	// places are where an entry with this word has to be to be there; nil: anywhere.
	places func(word string) []string
	// lane names what may go into one call; nil: everything.
	lane func(word string) string
	// send makes one call. A job in the outcome is to be waited for.
	send func(ctx context.Context, lane string, batch []item) (outcome, error)
	// wait waits for a job; nil: there are none.
	wait   func(ctx context.Context, job string, batch []item) (outcome, error)
	serial bool // a job must end before the next call
	verify bool // the answers do not tell what was done: look afterwards
}

// laneOf returns what an entry with this word goes together with.
func (s *service) laneOf(word string) string {
	if s == nil || s.lane == nil {
		return ""
	}
	return s.lane(word)
}

// there asks for what is there.
func (s *service) there(ctx context.Context) (set, error) {
	there := set{}
	err := s.fetch(ctx, func(address, place string) bool {
		return there.add(place + "\x00" + strings.ToLower(address))
	})
	return there, err
}

// holds says whether an item is there, in every place where it has to be.
func (s *service) holds(there set, it *item) bool {
	if len(there) == 0 {
		return false
	}
	places := []string{""}
	if s.places != nil {
		places = s.places(it.Say)
	}
	for _, place := range places {
		if !there.has(place+"\x00"+it.ID) && !there.has(place+"\x00"+strings.ToLower(it.Address)) {
			return false
		}
	}
	return true
}

// found takes an address that is there, and says whether it is new.
type found func(address, place string) bool

// each reports the addresses of a page, and counts the new ones.
func each[T any](f found, page []T, of func(*T) (address, place string)) (fresh int) {
	for i := range page {
		if f(of(&page[i])) {
			fresh++
		}
	}
	return fresh
}

// item is an entry on its way.
type item struct {
	Entry
	Say string // the provider's word
	ID  string // what it is compared by
}

// outcome is what became of the items of one call. What is neither rejected nor
// unknown was confirmed by the provider.
type outcome struct {
	rejected []rejection
	unknown  int
	why      string // of the unknown
	job      string
}

type rejection struct {
	At  int    `json:"at"` // index in the batch; -1: which one is not known
	N   int    `json:"n"`
	Why string `json:"why"`
}

// unsure is the outcome of a call that went well by its status, with an answer
// that does not confirm what was done.
func unsure(batch []item, name string, answer []byte) outcome {
	why := name + " did not confirm it"
	if m := api.Message(answer); m != "" {
		why += ": " + m
	}
	return outcome{unknown: len(batch), why: why}
}

// ended says how a job ended that did not end well.
func ended(status string) string {
	if status == "" {
		return "ended as nobody knows"
	}
	return "ended as " + status
}

func addresses(batch []item) []string {
	as := make([]string, len(batch))
	for i := range batch {
		as[i] = batch[i].Address
	}
	return as
}

// byAddress turns an answer that names addresses into an outcome. What it does
// not name is unknown, as in unsure.
func byAddress(batch []item, name string, answer []byte, answers func(yield func(address, why string, ok bool))) outcome {
	at := map[string]int{}
	for i := range batch {
		at[strings.ToLower(batch[i].Address)] = i
	}
	out := unsure(batch, name, answer)
	answers(func(address, why string, ok bool) {
		i, known := at[strings.ToLower(address)]
		if !known {
			return
		}
		delete(at, strings.ToLower(address))
		if !ok {
			out.rejected = append(out.rejected, rejection{At: i, N: 1, Why: why})
		}
	})
	if out.unknown = len(at); out.unknown == 0 {
		out.why = ""
	}
	return out
}
