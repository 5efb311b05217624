package browse_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/trace"
)

// wire is a port whose connections say what they are told to.
type wire struct{ says chan string }

func (w wire) Open(context.Context) (drivers.Conn, error) { return &wireConn{says: w.says}, nil }
func (wire) Close() error                                 { return nil }
func (wire) String() string                               { return "wire" }

type wireConn struct{ says chan string }

func (c *wireConn) Read(p []byte) (int, error) {
	text, ok := <-c.says
	if !ok {
		return 0, io.EOF
	}
	return copy(p, text), nil
}
func (*wireConn) Write(p []byte) (int, error)      { return len(p), nil }
func (*wireConn) Close() error                     { return nil }
func (*wireConn) SetReadDeadline(time.Time) error  { return nil }
func (*wireConn) SetWriteDeadline(time.Time) error { return nil }
func (*wireConn) Peer() string                     { return "10.0.0.9:4001" }

// wires are the links of the analyzer xn.
type wires struct{ feed *trace.Feed }

func (w wires) Feed(name string) (*trace.Feed, bool) { return w.feed, name == "xn" }

// linked is a desk whose analyzer xn is connected: what is sent to says, the
// analyzer says.
func linked(t *testing.T) (d *desk, conn drivers.Conn, says chan string) {
	t.Helper()
	says = make(chan string)
	port, feed := trace.Watch(wire{says})
	d = openWith(t, wires{feed})
	t.Cleanup(feed.Close)
	conn, err := port.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d, conn, says
}

// TestLinkNeedsSession asks for a link's pages and bytes without a session.
func TestLinkNeedsSession(t *testing.T) {
	d, _, _ := linked(t)
	d.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]int{"/links": 303, "/links/xn": 303, "/links/xn/events": 401} {
		if code, body := d.get(path); code != want || strings.Contains(body, "10.0.0.9") {
			t.Errorf("%s: %d\n%s", path, code, body)
		}
	}
	log, err := d.spool.AuditLog(0, 100)
	if err != nil || len(log) > 0 {
		t.Errorf("%v, %v", log, err)
	}
	if code, _ := d.post("/login", url.Values{"token": {string(token)}, "to": {"/links/xn"}}); code != http.StatusSeeOther {
		t.Errorf("signing in on the way to a link: %d", code)
	}
	if code, body := d.get("/links"); code != http.StatusOK || !strings.Contains(body, `href="/links/xn"`) {
		t.Errorf("%d\n%s", code, body)
	}
	if code, body := d.get("/links/xn"); code != http.StatusOK || !strings.Contains(body, `role="log"`) {
		t.Errorf("%d\n%s", code, body)
	}
	if code, _ := d.get("/links/other/events"); code != http.StatusNotFound {
		t.Errorf("an analyzer that there is not: %d", code)
	}
}

// TestLinkEvents hears both directions as a recording, audited, until the
// session ends.
func TestLinkEvents(t *testing.T) {
	d, conn, says := linked(t)
	d.signIn()
	resp, err := d.http.Get(d.site.URL + "/links/xn/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	hear := func() string {
		for lines.Scan() {
			if text := lines.Text(); text != "" && text != ":" {
				return text
			}
		}
		return "over"
	}
	var recording strings.Builder
	next := func() {
		text, ok := strings.CutPrefix(hear(), "data: ")
		if !ok {
			t.Fatalf("no event: %q", text)
		}
		recording.WriteString(text + "\n")
	}
	next() // header
	next() // what is open
	go func() { says <- "\x02H|SECRET\r" }()
	if _, err := conn.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	next()
	if _, err := conn.Write([]byte("\x06")); err != nil {
		t.Fatal(err)
	}
	next()
	h, events, err := trace.ReadAll(strings.NewReader(recording.String()))
	if err != nil || h.Name != "xn" || len(events) != 3 || string(events[1].Data) != "\x02H|SECRET\r" || events[2].From != trace.Host {
		t.Fatalf("%+v %+v %v", h, events, err)
	}
	log, err := d.spool.AuditLog(0, 100)
	if err != nil || len(log) != 1 || log[0].What != "watched" || log[0].Lane != "xn" {
		t.Errorf("audit: %+v, %v", log, err)
	}
	_, page := d.get("/links")
	d.post("/logout", url.Values{"mark": {d.mark(page)}})
	go func() { says <- "\x02P|AFTER\r" }()
	if _, err := conn.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if said := hear() + hear() + hear(); said != "event: overdata: sessionover" {
		t.Errorf("after the sign-out: %q", said)
	}
}
