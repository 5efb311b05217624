package status

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

// Remote is a second way to the endpoint, for other computers: TLS only, and
// nothing without the password. What steers the agent, AdminPrefix, is not there.
type Remote struct {
	Listen string // address and port; port 0 takes a free one

	// Certificate reads the certificate with its key. The names in it are those
	// by which the endpoint may be called.
	Certificate func() (tls.Certificate, error)

	// Password reads what HTTP Basic has to bring, with any user name.
	Password func() (string, error)

	Allow []netip.Prefix // who may connect; nil: everybody
}

// MinPassword is how long a password for other computers is at least, in bytes.
const MinPassword = 12

// Limits of the way for other computers.
const (
	lookAgain   = 10 * time.Second // how often certificate and password are read again, at most
	triesBurst  = 5                // wrong passwords of one address at once
	triesEvery  = 10 * time.Second // and then one in so long
	maxTryers   = 1024             // addresses that are told apart
	needsSecret = `Basic realm="labcourier", charset="UTF-8"`
)

// remote serves a Remote.
type remote struct {
	Remote
	log   zerolog.Logger
	now   func() time.Time
	cert  fresh[tls.Certificate]
	word  fresh[[sha256.Size]byte]
	tries tries
}

// newRemote reads the certificate and the password for the first time.
func newRemote(o Remote, log zerolog.Logger, now func() time.Time) (*remote, error) {
	r := &remote{Remote: o, log: log, now: now}
	r.cert.read = o.Certificate
	r.word.read = func() (sum [sha256.Size]byte, err error) {
		word, err := o.Password()
		if err == nil && len(word) < MinPassword {
			err = fmt.Errorf("it is shorter than %d characters", MinPassword)
		}
		return sha256.Sum256([]byte(word)), err
	}
	r.tries = tries{by: map[netip.Addr]*rate.Limiter{}, others: newTries()}
	if _, err := r.cert.get(now()); err != nil {
		return nil, fmt.Errorf("certificate of [status.remote]: %w", err)
	}
	if _, err := r.word.get(now()); err != nil {
		return nil, fmt.Errorf("password of [status.remote]: %w", err)
	}
	return r, nil
}

// listen opens the port.
func (r *remote) listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", r.Listen)
	if err != nil {
		return nil, fmt.Errorf("open status endpoint for other computers: %w: change [status.remote] listen", err)
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // whose limits are those of the endpoint
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert := r.certificate()
			return &cert, nil
		},
	}
	return tls.NewListener(newCappedListener(&allowing{ln, r.Allow}, maxConns), c), nil
}

// certificate is the newest that could be read.
func (r *remote) certificate() tls.Certificate {
	cert, err := r.cert.get(r.now())
	if err != nil {
		r.log.Warn().Err(err).Msg("the certificate of [status.remote] cannot be read; the one from before stays in use")
	}
	return cert
}

// ownName reports whether a request calls the endpoint by a name of its
// certificate and by its port, so that no page that rebinds a name is answered.
func (r *remote) ownName(host, port string) bool {
	name, given, err := net.SplitHostPort(host)
	if err != nil {
		name, given = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "443"
	}
	cert := r.certificate()
	return given == port && cert.Leaf != nil && cert.Leaf.VerifyHostname(name) == nil
}

// withPassword lets through who brings the password.
func (r *remote) withPassword(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		want, err := r.word.get(r.now())
		if err != nil {
			r.log.Warn().Err(err).Msg("the password of [status.remote] cannot be read; the one from before stays in use")
		}
		_, word, given := q.BasicAuth()
		if !given {
			w.Header().Set("WWW-Authenticate", needsSecret)
			plain(w, http.StatusUnauthorized, "the password is needed, with any user name")
			return
		}
		got := sha256.Sum256([]byte(word))
		right := subtle.ConstantTimeCompare(got[:], want[:]) == 1
		switch from := r.tries.of(q.RemoteAddr, r.now()); {
		case from.TokensAt(r.now()) < 1 || !right && !from.AllowN(r.now(), 1):
			w.Header().Set("Retry-After", "10")
			plain(w, http.StatusTooManyRequests, "too many tries; wait ten seconds")
		case !right:
			r.log.Warn().Str("from", q.RemoteAddr).Msg("status page asked for with a wrong password")
			w.Header().Set("WWW-Authenticate", needsSecret)
			plain(w, http.StatusUnauthorized, "that is not the password")
		case strings.HasPrefix(q.URL.Path, AdminPrefix):
			plain(w, http.StatusNotFound, "this is for the computer alone on which labcourier runs")
		default:
			next.ServeHTTP(w, q)
		}
	})
}

// fresh is a value that is read again every so often. One that cannot be read
// leaves what was read before.
type fresh[T any] struct {
	read func() (T, error)

	mu     sync.Mutex
	value  T
	looked time.Time
}

// get returns the value; the error is of the attempt to read it that this call
// made.
func (f *fresh[T]) get(now time.Time) (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.looked.IsZero() && now.Sub(f.looked) < lookAgain {
		return f.value, nil
	}
	f.looked = now
	v, err := f.read()
	if err == nil {
		f.value = v
	}
	return f.value, err
}

// tries limits wrong passwords by where they come from.
type tries struct {
	mu     sync.Mutex
	by     map[netip.Addr]*rate.Limiter
	others *rate.Limiter // of those that find no room in by
}

func newTries() *rate.Limiter { return rate.NewLimiter(rate.Every(triesEvery), triesBurst) }

// of is the limit for a peer; computers of one IPv6 network share it.
func (t *tries) of(peer string, now time.Time) *rate.Limiter {
	at, err := netip.ParseAddrPort(peer)
	if err != nil {
		return t.others
	}
	key := at.Addr().Unmap().WithZone("")
	if key.Is6() {
		key = netip.PrefixFrom(key, 64).Masked().Addr()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.by[key]; l != nil {
		return l
	}
	if len(t.by) >= maxTryers {
		for k, l := range t.by {
			if l.TokensAt(now) >= triesBurst {
				delete(t.by, k)
			}
		}
		if len(t.by) >= maxTryers {
			return t.others
		}
	}
	t.by[key] = newTries()
	return t.by[key]
}

// allowing is a listener that hangs up on those who may not connect.
type allowing struct {
	net.Listener
	allow []netip.Prefix
}

// Accept waits for a peer that may connect.
func (l *allowing) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.allow == nil {
			return c, err
		}
		at, ok := c.RemoteAddr().(*net.TCPAddr)
		if ok && slices.ContainsFunc(l.allow, func(p netip.Prefix) bool { return p.Contains(at.AddrPort().Addr().Unmap()) }) {
			return c, nil
		}
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			continue // the peer was faster
		}
	}
}
