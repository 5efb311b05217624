package browse

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// message is what the template of one message shows.
type message struct {
	Session   *session
	Message   admin.Message
	Done      string
	Life      []event
	Resources []link
	Lines     [][]piece
	Cut       bool // not all of it is shown
	Reading   Reading
	Retry     bool
	Discard   bool
	Specimen  bool // it is held for want of a specimen id
}

// event is one thing that happened to a message.
type event struct {
	What, When, Text string
}

// link is a resource on the server.
type link struct{ Name, URL string }

// maxShown bounds how much of a message the page shows, in bytes.
const maxShown = 128 << 10

// number is the message that the path names.
func number(r *http.Request) (spool.Seq, error) {
	n, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		return 0, &admin.Error{Status: http.StatusNotFound, Text: "That is not a message's number."}
	}
	return spool.Seq(n), nil
}

// named is the message that the path names.
func (h *Handler) named(r *http.Request) (admin.Content, error) {
	n, err := number(r)
	if err != nil {
		return admin.Content{}, err
	}
	return h.o.Admin.Get(r.Context(), n)
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, s *session) error {
	m, err := h.named(r)
	if err != nil {
		return err
	}
	shown := m.Payload[:min(len(m.Payload), maxShown)]
	h.page(w, http.StatusOK, "show.html", message{
		Session: s, Message: m.Message, Done: s.said(), Life: h.life(m.Message), Resources: h.resources(m.Message),
		Lines: pieces(shown), Cut: len(shown) < len(m.Payload), Reading: h.o.Read(m),
		Retry: canRetry(m.Message), Discard: m.State == "waiting" || m.State == "parked", Specimen: m.Held(),
	})
	return nil
}

// life tells what became of m, in the order in which it happened.
func (h *Handler) life(m admin.Message) []event {
	life := []event{{"Received, stored, acknowledged", moment(m.Received), fmt.Sprintf("%d bytes over %s", m.Bytes, m.Driver)}}
	if m.Stage == spool.Broken.String() {
		life[0] = event{"Broken off", moment(m.Received), "The analyzer did not finish it; it was not acknowledged as a whole."}
	}
	if m.Duplicates > 0 {
		life = append(life, event{"Sent again", "", fmt.Sprintf("%d times, byte for byte; acknowledged and not delivered again", m.Duplicates)})
	}
	if m.Retries > 0 {
		life = append(life, event{"Put back by a person", "", fmt.Sprintf("%d times", m.Retries)})
	}
	last := event{What: strings.ToUpper(m.State[:1]) + m.State[1:], When: moment(m.Changed)}
	switch {
	case m.State == "waiting":
		last.Text = h.o.Waiting(m.Analyzer)
		if last.Text == "" {
			last.Text = "Its turn comes by itself."
		}
	case m.Reason != nil:
		last.Text = m.Reason.Text
	case m.Receipt != nil:
		last.Text = m.Receipt.Note
	}
	return append(life, last)
}

func (h *Handler) resources(m admin.Message) (all []link) {
	if m.Receipt == nil {
		return nil
	}
	base := strings.TrimRight(h.o.Server(), "/")
	for _, name := range m.Receipt.Resources {
		all = append(all, link{name, base + "/" + name})
	}
	return all
}

func (h *Handler) raw(w http.ResponseWriter, r *http.Request, _ *session) error {
	m, err := h.named(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="message-%d.bin"`, m.Seq))
	w.Write(m.Payload)
	return nil
}

// piece is a run of text, or the name of a control character.
type piece struct {
	Text    string
	Control bool
}

// pieces cuts a payload into lines at CR and LF, and shows every control
// character by its name. Bytes that are not UTF-8 are shown as ISO 8859-1: what
// they mean depends on the analyzer's character set, which the results below
// take into account.
func pieces(payload []byte) (lines [][]piece) {
	var line []piece
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			line = append(line, piece{Text: text.String()})
			text.Reset()
		}
	}
	all := characters(payload)
	for i, c := range all {
		name := controlName(c)
		if name == "" {
			text.WriteRune(c)
			continue
		}
		flush()
		line = append(line, piece{name, true})
		if c == '\n' || c == '\r' && (i+1 == len(all) || all[i+1] != '\n') {
			lines, line = append(lines, line), nil
		}
	}
	if flush(); len(line) > 0 {
		lines = append(lines, line)
	}
	return lines
}

// rangeText joins the reference ranges of a result.
func rangeText(r drivers.Result) string { return strings.Join(r.Range, " / ") }
