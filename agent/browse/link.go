package browse

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labcourier/labcourier/agent/admin"
)

// Limits of watching a link.
const (
	maxTraceLine = 128 << 10        // of a recording; its own limit is below that
	linkPatience = 15 * time.Second // for a browser that does not read
)

// links lists the analyzers whose links can be watched.
func (h *Handler) links(w http.ResponseWriter, _ *http.Request, s *session) error {
	h.page(w, http.StatusOK, "links.html", map[string]any{"Session": s, "Analyzers": h.o.Analyzers()})
	return nil
}

// link is the page that shows what goes over one link. The bytes come with its
// script; that look is audited, not this empty page.
func (h *Handler) link(w http.ResponseWriter, r *http.Request, s *session) error {
	h.page(w, http.StatusOK, "link.html", map[string]any{"Session": s, "Analyzer": r.PathValue("analyzer")})
	return nil
}

// linkEvents passes a recording on as server-sent events, one line of it in
// each, until somebody ends it: the browser, the sign-out, or the end of the
// session. Watching is no use of a session: a screen that nobody has touched for
// half an hour goes quiet.
func (h *Handler) linkEvents(w http.ResponseWriter, r *http.Request, _ *session) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	recording, err := h.o.Admin.Traffic(ctx, r.PathValue("analyzer"))
	if err != nil {
		return err
	}
	defer recording.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // the endpoint's own limits are for short answers
	lines := bufio.NewReaderSize(recording, maxTraceLine)
	var event []byte
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return nil // the link, the agent or the browser ended it
		}
		_ = c.SetWriteDeadline(time.Now().Add(linkPatience))
		if !h.sessions.lives(r) {
			_, _ = io.WriteString(w, "event: over\ndata: session\n\n") // so that the page does not ask again
			return nil
		}
		event = appendEvent(event, bytes.TrimRight(line, "\n"))
		if lines.Buffered() > 0 && len(event) < maxTraceLine {
			continue // what comes at once leaves at once
		}
		if _, err := w.Write(event); err != nil || c.Flush() != nil {
			return nil // the browser is gone
		}
		event = event[:0]
	}
}

// appendEvent appends a line of a recording as an event; an empty line as the
// sign of life that it is.
func appendEvent(dst, line []byte) []byte {
	if len(line) == 0 {
		return append(dst, ":\n\n"...)
	}
	dst = append(dst, "data: "...)
	dst = append(dst, line...)
	return append(dst, "\n\n"...)
}

// asks lets only a session through, as signedIn does, for a script, which cannot
// follow to the sign-in page and has no use for pages.
func (h *Handler) asks(serve func(http.ResponseWriter, *http.Request, *session) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := h.sessions.of(r)
		if s == nil {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		if err := serve(w, r, s); err != nil {
			e, ok := errors.AsType[*admin.Error](err)
			if !ok {
				e = &admin.Error{Status: http.StatusInternalServerError, Text: "that did not work; labcourier's log has the reason"}
				h.o.Log.Error().Err(err).Msg("message browser")
			}
			http.Error(w, e.Text, e.Status)
		}
	}
}
