package sandbox

import (
	"compress/gzip"
	"context"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is one request on its way through the server.
type call struct {
	r     *http.Request
	fault Fault
	body  []byte
	entry Request // what the log will say of it
}

// reply is what a call came to, before its fault acts on the answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

const (
	jsonType = "application/json; charset=utf-8"
	fhirType = "application/fhir+json; charset=utf-8"
	textType = "text/plain; charset=utf-8"
)

func newReply(status int, contentType string, body []byte) reply {
	return reply{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
}

// ServeHTTP answers one request, as far as its fault lets it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{r: r, fault: s.faultOf(r)}
	c.entry = Request{
		Time: s.o.Now(), Method: r.Method, Path: r.URL.Path,
		Auth: authScheme(r), Kind: kindOf(r), Break: c.fault.Break,
	}
	// Logged before the answer leaves: who has the answer may ask for the log.
	if c.fault.Break == BreakAtOnce {
		s.log.add(c.entry)
		drop(w, true)
		return
	}
	rep := s.answer(c)
	pause(r.Context(), c.fault.Hold)
	if c.fault.Break == NoBreak {
		c.entry.Status = rep.status
	}
	s.log.add(c.entry)
	send(w, rep, c.fault.Break)
}

// answer does the work of a call, or what its fault has instead.
func (s *Server) answer(c *call) reply {
	now := s.o.Now()
	head := http.Header{}
	token := c.r.URL.Path == TokenPath
	w := &s.requestWindow
	if token {
		w = &s.tokenWindow
	}
	allowed := w.take(1, now)
	bodyFault := s.readBody(c)
	pause(c.r.Context(), c.fault.Delay)

	var rep reply
	switch {
	case c.fault.Status != 0:
		rep = s.cannedReply(c)
	case !allowed:
		rep = s.throttled(w).reply()
	case bodyFault != nil:
		rep = bodyFault.reply()
	case token:
		rep = s.token(c)
	default:
		rep = s.route(c)
	}
	w.header(head, "requests", now)
	if !token && strings.HasPrefix(c.r.URL.Path, BasePath) {
		s.unitWindow.header(head, "fhirInteractions", now)
	}
	maps.Copy(head, rep.header)
	rep.header = head
	return rep
}

func (s *Server) route(c *call) reply {
	path := c.r.URL.Path
	if path == "/healthcheck" {
		return newReply(http.StatusOK, jsonType, []byte(`{"ok":true,"version":"sandbox"}`))
	}
	if rest, ok := strings.CutPrefix(path, BasePath); ok && (rest == "" || rest[0] == '/') {
		return s.fhir(c, strings.Trim(rest, "/"))
	}
	return newReply(http.StatusNotFound, textType, []byte("Not found"))
}

// maxDrain is how much of a body that is too large is still read. Closing at
// once would make the sender see a reset instead of the answer.
const maxDrain = 64 << 20

// readBody takes in the body, unpacked. The limit holds after gunzip, as
// observed: a small body can be too large.
func (s *Server) readBody(c *call) *outcome {
	var in io.Reader = c.r.Body
	defer func() { _, _ = io.Copy(io.Discard, io.LimitReader(c.r.Body, maxDrain)) }()
	switch c.r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(c.r.Body)
		if err != nil {
			return badRequest("Content could not be parsed")
		}
		in = z
	default:
		o := badRequest("Unsupported content encoding")
		o.status = http.StatusUnsupportedMediaType
		return o
	}
	body, err := io.ReadAll(io.LimitReader(in, int64(s.o.MaxBody)+1))
	if len(body) > s.o.MaxBody {
		return badRequest("File too large")
	}
	if err != nil {
		return badRequest("Content could not be parsed")
	}
	c.body, c.entry.Bytes = body, len(body)
	return nil
}

// mediaType is the request's content type without parameters.
func (c *call) mediaType() string {
	t, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

func send(w http.ResponseWriter, rep reply, b Break) {
	if b == BreakAfterWork {
		drop(w, true)
		return
	}
	maps.Copy(w.Header(), rep.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(rep.body)))
	w.WriteHeader(rep.status)
	if b == BreakInAnswer {
		w.Write(rep.body[:len(rep.body)/2])
		http.NewResponseController(w).Flush()
		drop(w, false)
		return
	}
	w.Write(rep.body) // the peer may be gone: nobody is left to tell
}

// drop kills the connection: by a reset, or by closing it after what was
// written. A server that cannot give the connection away aborts the handler.
func drop(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// pause waits for d, or until the client is gone.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
