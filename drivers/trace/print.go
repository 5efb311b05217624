package trace

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Printer writes events for people: a line for each frame or record, with the time
// of its first byte and control characters by their names. Bytes that were read
// one by one are put together.
type Printer struct {
	out   io.Writer
	parts map[part]*pending
}

type part struct {
	conn uint64
	from Side
}

type pending struct {
	began, last time.Time
	data        []byte
}

// NewPrinter returns a Printer that writes to out.
func NewPrinter(out io.Writer) *Printer { return &Printer{out: out, parts: map[part]*pending{}} }

// pauseEnds is how long a silence ends a line.
const pauseEnds = 500 * time.Millisecond

// longestLine is how many bytes a line shows at most.
const longestLine = 4096

// Print writes what can be written now; the beginning of a line waits for its end.
func (p *Printer) Print(e Event) {
	if e.Kind != Data {
		p.Flush()
		p.line(e.At, e.Conn, "", strings.TrimSpace(words(e)))
		return
	}
	for other, held := range p.parts {
		if other.conn == e.Conn && other.from != e.From || e.At.Sub(held.last) > pauseEnds {
			p.flush(other)
		}
	}
	key := part{e.Conn, e.From}
	for _, c := range e.Data {
		held := p.parts[key]
		if held == nil {
			held = &pending{began: e.At}
			p.parts[key] = held
		}
		if afterEnd(held.data) && c != '\n' {
			p.flush(key)
			held = &pending{began: e.At}
			p.parts[key] = held
		}
		held.data, held.last = append(held.data, c), e.At
		if endsLine(c) || len(held.data) >= longestLine {
			p.flush(key)
		}
	}
}

// Flush writes lines that have not ended.
func (p *Printer) Flush() {
	for key := range p.parts {
		p.flush(key)
	}
}

// endsLine knows the bytes behind which something else begins, in every protocol:
// ENQ, ACK, NAK, EOT and LF.
func endsLine(c byte) bool {
	switch c {
	case 0x04, 0x05, 0x06, 0x15, '\n':
		return true
	}
	return false
}

// afterEnd reports whether only an LF could still belong to the line.
func afterEnd(data []byte) bool { return len(data) > 0 && data[len(data)-1] == '\r' }

func (p *Printer) flush(key part) {
	held := p.parts[key]
	if held == nil {
		return
	}
	delete(p.parts, key)
	arrow := "->"
	if key.from == Host {
		arrow = "<-"
	}
	p.line(held.began, key.conn, arrow, Visible(held.data))
}

func (p *Printer) line(at time.Time, conn uint64, arrow, text string) {
	fmt.Fprintf(p.out, "%s %3d %-2s %s\n", at.Local().Format("15:04:05.000"), conn, arrow, text)
}

func words(e Event) string {
	switch e.Kind {
	case Open:
		return "open: " + e.Note
	case End:
		return "the " + string(e.From) + " sends no more"
	case Reset:
		return "the " + string(e.From) + " broke the connection off"
	case Close:
		return "closed"
	case Gap:
		lost := "something"
		if e.Lost > 0 {
			lost = fmt.Sprintf("%d bytes", e.Lost)
		}
		return "GAP: " + lost + " missing: " + e.Note
	}
	return e.Note
}

// Visible shows bytes with the control characters by their names: <STX>1H|\^&<CR>.
func Visible(data []byte) string {
	names := [...]string{
		"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI",
		"DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
	}
	var b strings.Builder
	for _, c := range data {
		switch {
		case c < ' ':
			b.WriteString("<" + names[c] + ">")
		case c >= 0x7F:
			fmt.Fprintf(&b, "<%02X>", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
