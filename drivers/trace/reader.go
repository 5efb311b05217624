package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Errors of a Reader.
var (
	// ErrNotTrace: what is read does not begin as a recording does.
	ErrNotTrace = errors.New("this is not a recording of labcourier")

	// ErrVersion: the recording was written by a newer labcourier.
	ErrVersion = errors.New("the recording is of a version that this labcourier does not know: use a newer one")
)

// Sniff reports whether raw begins a recording, so that a reader of captures can
// tell it from raw traffic.
func Sniff(raw []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, "\n"), []byte(`{"labcourier_trace":`))
}

// Reader reads a recording.
type Reader struct {
	in     *bufio.Reader
	header Header
	begun  bool
	line   int
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, 64<<10)} }

// Header is the header of the recording that the last event belongs to. It is
// known after the first call of Next, and as soon as ReadHeader returned nil.
func (r *Reader) Header() Header { return r.header }

// ReadHeader reads up to the first header, for a stream whose first event may
// come late.
func (r *Reader) ReadHeader() error {
	for !r.begun {
		line, err := r.next()
		if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
			if errors.Is(err, io.EOF) || errors.Is(err, errLongLine) {
				return ErrNotTrace
			}
			return err
		}
		if len(line) == 0 {
			continue
		}
		isHeader, err := r.head(line)
		if err != nil {
			return err
		}
		if !isHeader {
			return ErrNotTrace
		}
	}
	return nil
}

// Next returns the next event, and io.EOF behind the last. A line that cannot be
// read is a Gap. Other errors than io.EOF are ErrNotTrace, ErrVersion, or those
// of the underlying reader.
func (r *Reader) Next() (Event, error) {
	if err := r.ReadHeader(); err != nil {
		return Event{}, err
	}
	for {
		line, err := r.next()
		switch {
		case errors.Is(err, errLongLine):
			return r.unreadable(), nil
		case len(line) == 0 && err != nil:
			return Event{}, err
		case len(line) == 0:
			continue
		}
		// The last line may lack its end: a crash wrote only a part of it.
		if isHeader, err := r.head(line); err != nil {
			return Event{}, err
		} else if isHeader {
			continue
		}
		e, known, err := r.event(line)
		if err != nil {
			return r.unreadable(), nil //nolint:nilerr // a line that cannot be read is an event of its own
		}
		if known {
			return e, nil
		}
	}
}

func (r *Reader) unreadable() Event {
	return Event{At: r.header.Began, Kind: Gap, Note: fmt.Sprintf("line %d of the recording cannot be read", r.line)}
}

var errLongLine = errors.New("line too long")

// next returns the next line without its end. The rest of a line that is too long
// is passed over.
func (r *Reader) next() (line []byte, err error) {
	r.line++
	tooLong := false
	for {
		part, err := r.in.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(line) > maxLine {
			line, tooLong = nil, true
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if tooLong {
			return nil, errLongLine
		}
		return bytes.Trim(line, "\r\n\x00"), err // NUL: what a power cut leaves in some file systems
	}
}

// head reads a header.
func (r *Reader) head(line []byte) (isHeader bool, err error) {
	if !Sniff(line) {
		return false, nil
	}
	var h struct {
		Version int       `json:"labcourier_trace"`
		Began   time.Time `json:"began"`
		Name    string    `json:"name"`
		Link    string    `json:"link"`
	}
	if err := json.Unmarshal(line, &h); err != nil {
		if r.begun {
			return false, nil // a torn one: an unreadable line
		}
		return false, ErrNotTrace
	}
	if h.Version != Version {
		return false, ErrVersion
	}
	r.header, r.begun = Header{Began: h.Began, Name: h.Name, Link: h.Link}, true
	return true, nil
}

var errEvent = errors.New("not an event")

// event reads an event; one of a kind that is not known is passed over.
func (r *Reader) event(line []byte) (e Event, known bool, err error) {
	var l struct {
		T    *float64 `json:"t"`
		Conn uint64   `json:"conn"`
		Kind Kind     `json:"kind"`
		From Side     `json:"from"`
		Data string   `json:"data"`
		Lost uint64   `json:"lost"`
		Note string   `json:"note"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return e, false, err
	}
	const century = 100 * 365 * 24 * 3600
	if l.T == nil || l.Kind == "" || math.Abs(*l.T) > century {
		return e, false, errEvent
	}
	at := r.header.Began.Add(time.Duration(math.Round(*l.T*1e6)) * time.Microsecond)
	e = Event{At: at, Conn: l.Conn, Kind: l.Kind, From: l.From, Lost: l.Lost, Note: l.Note}
	switch l.Kind {
	case Data, End, Reset:
		if l.From != Analyzer && l.From != Host {
			return e, false, errEvent
		}
	case Open, Close, Gap, Note:
	default:
		return e, false, nil
	}
	if l.Kind == Data {
		e.Data = make([]byte, 0, len(l.Data))
		for _, c := range l.Data {
			if c > 0xFF {
				return e, false, errEvent
			}
			e.Data = append(e.Data, byte(c))
		}
	}
	return e, true, nil
}

// ReadAll reads a whole recording.
func ReadAll(in io.Reader) (h Header, events []Event, err error) {
	r := NewReader(in)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.header, events, nil
		}
		if err != nil {
			return r.header, events, err
		}
		events = append(events, e)
	}
}

// Stream is what one side sent over one connection.
type Stream struct {
	Conn uint64
	Data []byte
}

// Sent puts together what a side sent, connection by connection in the order in
// which they come up first.
func Sent(events []Event, from Side) (streams []Stream) {
	at := map[uint64]int{}
	for _, e := range events {
		if e.Kind != Data || e.From != from {
			continue
		}
		i, known := at[e.Conn]
		if !known {
			i = len(streams)
			at[e.Conn] = i
			streams = append(streams, Stream{Conn: e.Conn})
		}
		streams[i].Data = append(streams[i].Data, e.Data...)
	}
	return streams
}
