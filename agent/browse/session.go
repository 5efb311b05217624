package browse

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Limits of sessions.
const (
	idleLimit    = 30 * time.Minute // without a request
	sessionLimit = 12 * time.Hour   // a shift
	linkLimit    = time.Minute      // of a one-time link
	maxSessions  = 32
	maxLinks     = 8
	loginBurst   = 5                // tries at once
	loginEvery   = 10 * time.Second // and then one in so long
	cookieName   = "labcourier_session"
)

// sessions knows who is signed in. Nothing of it is on disk.
type sessions struct {
	now   func() time.Time
	tries *rate.Limiter

	mu    sync.Mutex
	open  map[string]*session  // by cookie
	links map[string]time.Time // one-time codes and when they end
}

// session is one signed-in browser.
type session struct {
	Mark  string // what its forms must carry
	begun time.Time
	used  time.Time
	word  atomic.Pointer[string] // what an action did, for the next page
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{
		now: now, tries: rate.NewLimiter(rate.Every(loginEvery), loginBurst),
		open: map[string]*session{}, links: map[string]time.Time{},
	}
}

// marked reports whether a form is the session's own.
func (s *session) marked(mark string) bool {
	return subtle.ConstantTimeCompare([]byte(s.Mark), []byte(mark)) == 1
}

// of returns the session of a request, nil if it has none that is good.
func (x *sessions) of(r *http.Request) *session {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sweep()
	s := x.open[c.Value]
	if s != nil {
		s.used = x.now()
	}
	return s
}

// lives reports whether the session of a request is still good, without counting
// as a use of it.
func (x *sessions) lives(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sweep()
	return x.open[c.Value] != nil
}

// begin signs a browser in.
func (x *sessions) begin(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sweep()
	if len(x.open) >= maxSessions {
		x.dropOldest()
	}
	id := rand.Text()
	x.open[id] = &session{Mark: rand.Text(), begun: x.now(), used: x.now()}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}

// end signs a browser out.
func (x *sessions) end(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		x.mu.Lock()
		delete(x.open, c.Value)
		x.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// link makes a code that signs in once.
func (x *sessions) link() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sweep()
	if len(x.links) >= maxLinks {
		clear(x.links)
	}
	code := rand.Text()
	x.links[code] = x.now().Add(linkLimit)
	return code
}

// follow uses a code up.
func (x *sessions) follow(code string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sweep()
	_, good := x.links[code]
	delete(x.links, code)
	return good
}

// allowed tells whether one more try to sign in is within the limit.
func (x *sessions) allowed() bool { return x.tries.AllowN(x.now(), 1) }

func (x *sessions) sweep() {
	now := x.now()
	for id, s := range x.open {
		if now.Sub(s.used) >= idleLimit || now.Sub(s.begun) >= sessionLimit {
			delete(x.open, id)
		}
	}
	for code, end := range x.links {
		if !now.Before(end) {
			delete(x.links, code)
		}
	}
}

func (x *sessions) dropOldest() {
	var oldest string
	for id, s := range x.open {
		if oldest == "" || s.used.Before(x.open[oldest].used) {
			oldest = id
		}
	}
	delete(x.open, oldest)
}
