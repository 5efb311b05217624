package deliver

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	fhirJSON = "application/fhir+json"

	// compressFrom is the size of a body from which gzip is worth its time.
	compressFrom = 4 << 10

	// longestAnswer bounds what is read of an answer. The answer to a bundle
	// repeats its resources.
	longestAnswer = 16 << 20
)

// client makes single requests and reads their answers whole.
type client struct {
	http  *http.Client
	agent string
	plain atomic.Bool // the server does not take compressed bodies
	gzips sync.Pool   // of *gzip.Writer
}

// answer is an HTTP answer, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newClient(given *http.Client, agent string) *client {
	c := &client{http: &http.Client{}, agent: agent}
	if given != nil {
		*c.http = *given
	}
	if agent == "" {
		c.agent = "labcourier"
	}
	// A redirect could carry patient data to wherever it points.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// request makes a request whose body is compressed if that is wanted and pays.
func (c *client) request(ctx context.Context, method, address string, body []byte, compress bool) (*http.Request, error) {
	compressed := compress && len(body) >= compressFrom && !c.plain.Load()
	if compressed {
		var err error
		if body, err = c.compress(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", fhirJSON)
	r.Header.Set("User-Agent", c.agent)
	if len(body) > 0 {
		r.Header.Set("Content-Type", fhirJSON)
	}
	if compressed {
		r.Header.Set("Content-Encoding", "gzip")
	}
	return r, nil
}

func (c *client) compress(body []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(body) / 4)
	z, _ := c.gzips.Get().(*gzip.Writer)
	if z == nil {
		var err error
		if z, err = gzip.NewWriterLevel(&out, gzip.BestSpeed); err != nil {
			return nil, err
		}
	}
	defer c.gzips.Put(z)
	z.Reset(&out)
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// do sends r and reads the answer to its end.
func (c *client) do(r *http.Request) (answer, error) {
	res, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > longestAnswer {
		return answer{}, errors.New("the answer is too long")
	}
	return answer{res.StatusCode, res.Header, body}, nil
}

// retryAfter reads the header of that name, in seconds or as a date (RFC 9110,
// 10.2.3). The date is read against the server's own, so that a clock which is
// off does no harm.
func (a answer) retryAfter(now time.Time) time.Duration {
	text := strings.TrimSpace(a.header.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if d, err := time.ParseDuration(text + "s"); err == nil {
		return max(d, 0)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		now = date
	}
	return max(at.Sub(now), 0)
}

// graceful returns a context that ends with the timeout, or when the grace
// after parent's end is over.
func graceful(parent context.Context, timeout, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), timeout)
	var mu sync.Mutex
	var last *time.Timer
	stop := context.AfterFunc(parent, func() {
		mu.Lock()
		defer mu.Unlock()
		last = time.AfterFunc(grace, cancel)
	})
	return ctx, func() {
		stop()
		mu.Lock()
		if last != nil {
			last.Stop()
		}
		mu.Unlock()
		cancel()
	}
}

// describe puts the failure of a request in words without its address. It
// reports whether no server was reached at all.
func describe(err error) (why string, certain bool) {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		if failed.Timeout() {
			why = "no answer in time"
		}
		err = failed.Err
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		certain = true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		certain = true
	}
	switch {
	case why != "" || errors.Is(err, context.DeadlineExceeded):
		why = "no answer in time"
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		why = "the connection was closed before the answer was complete"
	case errors.Is(err, syscall.ECONNRESET):
		why = "the connection was reset"
	default:
		why = oneLine(err.Error())
	}
	return why, certain
}
