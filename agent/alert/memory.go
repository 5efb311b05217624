package alert

import (
	"slices"
	"time"
)

// Memory is what each receiver was told. It goes from one Run to the next, so that
// other settings do not make anybody hear again what he knows, or hear never that
// it is over. Only one Run has it at a time.
type Memory struct{ books map[string]*book } // by receiver

// audience are the receivers of one way who have heard the same.
type audience struct {
	way  Way
	to   []string
	book *book
}

// audiences are those of all ways. Somebody new has heard nothing yet; who is not a
// receiver any more is forgotten.
func (m *Memory) audiences(ways []Way, l Limits, now time.Time) (all []audience) {
	books := map[string]*book{}
	for _, w := range ways {
		first := len(all) // of this way
		fresh := newBook(l, now)
		for _, r := range w.Receivers() {
			b := m.books[r]
			if b == nil {
				b = fresh
			}
			books[r] = b
			i := slices.IndexFunc(all[first:], func(a audience) bool { return a.book == b })
			if i < 0 {
				all = append(all, audience{way: w, book: b})
				i = len(all) - 1 - first
			}
			all[first+i].to = append(all[first+i].to, r)
		}
	}
	m.books = books
	return all
}

// adopt goes over to other limits. What is wrong by those before and not by these is
// not over: nobody wants to hear of it any more.
func (b *book) adopt(l Limits, before, now []problem) {
	b.limits = l
	for _, p := range before {
		if !slices.ContainsFunc(now, func(q problem) bool { return q.key() == p.key() }) {
			delete(b.sights, p.key())
		}
	}
	for key, s := range b.sights {
		if slices.Contains(l.Mute, s.kind) {
			delete(b.sights, key)
		}
	}
}
