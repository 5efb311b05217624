package outbound

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = 5 * time.Second

// transport is an http.Transport that is replaced when its files change.
type transport struct {
	o      Options
	limits limits

	mu     sync.Mutex
	http   *http.Transport
	looked time.Time
	seen   string // how the files were when they were last read
}

var _ http.RoundTripper = (*transport)(nil)

func newTransport(o Options, l limits) (*transport, error) {
	t := &transport{o: o, limits: l, looked: time.Now(), seen: stamp(o)}
	var err error
	t.http, err = build(o, l)
	return t, err
}

// RoundTrip sends r over connections made with the files as they are.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.current(time.Now()).RoundTrip(r)
}

// CloseIdleConnections closes what no request uses.
func (t *transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.http.CloseIdleConnections()
}

func (t *transport) current(now time.Time) *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.looked) < lookEvery {
		return t.http
	}
	t.looked = now
	found := stamp(t.o)
	if found == t.seen {
		return t.http
	}
	t.seen = found
	next, err := build(t.o, t.limits)
	if err != nil {
		t.o.Log.Warn().Err(err).Msg("changed certificates cannot be used; those from before stay in use")
		return t.http
	}
	t.http.CloseIdleConnections() // those in use close when they are idle for long
	t.http = next
	t.o.Log.Info().Msg("certificates have changed; new connections use them")
	return t.http
}

// stamp tells the files from what they were before.
func stamp(o Options) string {
	var b strings.Builder
	for _, path := range []string{o.CAFile, o.CertFile, o.CertKeyFile} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%d %d\n", info.ModTime().UnixNano(), info.Size())
		} else {
			b.WriteString("none\n")
		}
	}
	return b.String()
}

// ProxyOf is the proxy through which a client made by [New] reaches an address;
// nil for none.
func ProxyOf(c *http.Client, to *url.URL) (*url.URL, error) {
	t, ok := c.Transport.(*transport)
	if !ok {
		return nil, nil
	}
	choose := t.current(time.Now()).Proxy
	if choose == nil {
		return nil, nil
	}
	return choose(&http.Request{URL: to})
}
