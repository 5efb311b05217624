package status

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// policy lets the page load its own style, script and icon, lets the script
// ask this endpoint, and forbids everything else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guard lets through what a person, a script or a monitor may ask of the
// endpoint, and nothing that a foreign web page can send. own says whether a Host
// header names the endpoint, called how it is called.
func guard(own func(host string) bool, called string, takesPost func(path string) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")        // for browsers older than frame-ancestors
		h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers send a form's Origin as null
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !own(r.Host):
			plain(w, http.StatusMisdirectedRequest, "this endpoint is called "+called+" and nothing else")
		case foreign(r):
			plain(w, http.StatusForbidden, "requests of other sites are refused")
		case r.Method != http.MethodGet && r.Method != http.MethodHead && !takesPost(r.URL.Path):
			h.Set("Allow", "GET, HEAD")
			plain(w, http.StatusMethodNotAllowed, "this endpoint only shows; it takes GET and HEAD")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ownHost reports whether a Host header names loopback and the endpoint's own
// port. A page that rebinds its name to 127.0.0.1 still sends that name.
func ownHost(host, port string) bool {
	name, given, err := net.SplitHostPort(host)
	if err != nil { // no port: that of http
		name, given = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "80"
	}
	if given != port {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Zone() == "" && ip.IsLoopback()
}

// foreign reports whether a browser sent r on behalf of another site, which
// other ports of this computer are too. Following a link to the page is let
// through: the other site cannot read or frame what it opens.
func foreign(r *http.Request) bool {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	if origin := r.Header.Values("Origin"); len(origin) > 0 {
		return len(origin) > 1 || !strings.EqualFold(origin[0], scheme+r.Host)
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Method != http.MethodGet || r.URL.Path != "/" ||
		r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

// cappedListener holds at most so many connections open; further ones wait in
// the system's queue until one ends.
type cappedListener struct {
	net.Listener
	slots chan struct{}
	once  sync.Once
	done  chan struct{}
}

func newCappedListener(ln net.Listener, n int) *cappedListener {
	return &cappedListener{Listener: ln, slots: make(chan struct{}, n), done: make(chan struct{})}
}

// Accept waits for a free slot, then for a peer.
func (l *cappedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &cappedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close also wakes an Accept that waits for a slot.
func (l *cappedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// cappedConn gives its slot back when it is closed.
type cappedConn struct {
	net.Conn
	release func()
}

// Close closes the connection and frees its slot, once.
func (c *cappedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
