package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/trace"
)

// stillPort opens connections that read one message, and then nothing until they
// are closed.
type stillPort struct{}

func (stillPort) Open(context.Context) (drivers.Conn, error) {
	return &stillConn{over: make(chan struct{})}, nil
}
func (stillPort) Close() error   { return nil }
func (stillPort) String() string { return "still" }

type stillConn struct {
	said bool
	over chan struct{}
}

func (c *stillConn) Read(p []byte) (int, error) {
	if !c.said {
		c.said = true
		return copy(p, "\x05"), nil
	}
	<-c.over
	return 0, io.EOF
}
func (c *stillConn) Write(p []byte) (int, error)   { return len(p), nil }
func (c *stillConn) Close() error                  { close(c.over); return nil }
func (*stillConn) SetReadDeadline(time.Time) error { return nil }
func (*stillConn) SetWriteDeadline(time.Time) error {
	return nil
}
func (*stillConn) Peer() string { return "peer" }

type links map[string]*trace.Feed

func (l links) Feed(name string) (*trace.Feed, bool) { f, ok := l[name]; return f, ok }

func TestTraffic(t *testing.T) {
	port, feed := trace.Watch(stillPort{})
	s := openSpool(t)
	srv := httptest.NewServer(NewHandler(s, links{"xn 550": feed}, "the token"))
	defer srv.Close()
	address := strings.TrimPrefix(srv.URL, "http://")
	c := NewClient(address, "the token")

	_, err := NewClient(address, "no").Traffic(t.Context(), "xn 550")
	wantStatus(t, err, http.StatusUnauthorized)
	_, err = c.Traffic(t.Context(), "other")
	wantStatus(t, err, http.StatusNotFound)
	_, err = InProcess(s).Traffic(t.Context(), "xn 550")
	wantStatus(t, err, http.StatusConflict)

	conn, err := port.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body, err := c.Traffic(t.Context(), "xn 550")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	r := trace.NewReader(body)
	if e, err := r.Next(); err != nil || e.Kind != trace.Open {
		t.Fatalf("%+v, %v", e, err)
	}
	if h := r.Header(); h.Name != "xn 550" {
		t.Errorf("%+v", h)
	}
	conn.Read(make([]byte, 10))
	conn.Write([]byte("\x06"))
	conn.Close()
	var got []string
	for range 3 {
		e, err := r.Next() // at once, not when a buffer is full
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Kind)+string(e.From)+string(e.Data))
	}
	if strings.Join(got, " ") != "dataanalyzer\x05 datahost\x06 close" {
		t.Errorf("%q", got)
	}
	feed.Close()
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	log, err := c.Audit(t.Context(), 0, 0)
	if err != nil || len(log) != 1 || log[0].What != "watched" || log[0].Lane != "xn 550" {
		t.Errorf("audit %+v, %v", log, err)
	}
}

func TestTooManyWatch(t *testing.T) {
	_, feed := trace.Watch(stillPort{})
	srv := httptest.NewServer(NewHandler(openSpool(t), links{"a": feed}, "the token"))
	defer srv.Close()
	defer feed.Close()
	c := NewClient(strings.TrimPrefix(srv.URL, "http://"), "the token")
	for range maxWatchers {
		body, err := c.Traffic(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
	}
	_, err := c.Traffic(t.Context(), "a")
	wantStatus(t, err, http.StatusServiceUnavailable)
}
