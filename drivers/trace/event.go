package trace

import (
	"encoding/json"
	"strconv"
	"time"
)

// Version is the version of the format that this package writes, and the only
// one it reads.
const Version = 1

// Header begins a recording.
type Header struct {
	Began time.Time // what the events' times count from
	Name  string    // the analyzer's, if it has one
	Link  string    // what was recorded, for people
}

// Kind is what an Event tells.
type Kind string

// The kinds of events.
const (
	Open  Kind = "open"  // a connection; Note names its ends
	Data  Kind = "data"  // bytes that From sent
	End   Kind = "end"   // From sends no more
	Reset Kind = "reset" // From broke the connection off
	Close Kind = "close" // the connection is over
	Gap   Kind = "gap"   // Lost bytes, or a line of the file, are missing here
	Note  Kind = "note"  // something for people to know
)

// Side is an end of the link.
type Side string

// The two sides of a link. Host is whoever takes the results: labcourier, or the
// laboratory's present system.
const (
	Analyzer Side = "analyzer"
	Host     Side = "host"
)

// Event is one thing that happened on a link.
type Event struct {
	At   time.Time
	Conn uint64 // the connection, counted from 1; 0: none
	Kind Kind
	From Side   // of Data, End and Reset
	Data []byte // of Data
	Lost uint64 // of Gap: how many bytes are missing; 0: not known
	Note string // in words without patient data
}

// maxData is how many bytes one line holds. A longer event is written as several
// lines of the same time.
const maxData = 16 << 10

// maxLine is the longest line that a Reader takes: every byte of maxData as an
// escape of six characters, and room for the rest.
const maxLine = 6*maxData + 4096

const stamp = "2006-01-02T15:04:05.000000Z07:00"

// AppendHeader appends the line of h.
func AppendHeader(dst []byte, h Header) []byte {
	dst = append(dst, `{"labcourier_trace":`...)
	dst = strconv.AppendInt(dst, Version, 10)
	dst = append(dst, `,"began":"`...)
	dst = h.Began.UTC().AppendFormat(dst, stamp)
	dst = append(dst, '"')
	dst = appendText(dst, "name", h.Name)
	dst = appendText(dst, "link", h.Link)
	return append(dst, "}\n"...)
}

// AppendEvent appends the line or lines of e to a recording that began then.
func AppendEvent(dst []byte, began time.Time, e Event) []byte {
	for {
		data := e.Data[:min(len(e.Data), maxData)]
		dst = append(dst, `{"t":`...)
		dst = appendSeconds(dst, e.At.Sub(began))
		if e.Conn != 0 {
			dst = append(dst, `,"conn":`...)
			dst = strconv.AppendUint(dst, e.Conn, 10)
		}
		dst = append(dst, `,"kind":"`...)
		dst = append(dst, e.Kind...)
		dst = append(dst, '"')
		dst = appendText(dst, "from", string(e.From))
		if e.Kind == Data {
			dst = append(dst, `,"data":"`...)
			dst = appendBytes(dst, data)
			dst = append(dst, '"')
		}
		if e.Lost != 0 {
			dst = append(dst, `,"lost":`...)
			dst = strconv.AppendUint(dst, e.Lost, 10)
		}
		dst = appendText(dst, "note", e.Note)
		dst = append(dst, "}\n"...)
		if e.Data = e.Data[len(data):]; len(e.Data) == 0 {
			return dst
		}
	}
}

// appendSeconds writes microseconds as seconds. A clock that goes back makes a
// negative time, which is as true as any other.
func appendSeconds(dst []byte, d time.Duration) []byte {
	us := d.Microseconds()
	if us < 0 {
		dst, us = append(dst, '-'), -us
	}
	dst = strconv.AppendInt(dst, us/1e6, 10)
	dst = append(dst, '.')
	frac := strconv.AppendInt(nil, us%1e6+1e6, 10)
	return append(dst, frac[1:]...)
}

const hexDigits = "0123456789abcdef"

// appendBytes writes each byte as one character.
func appendBytes(dst, data []byte) []byte {
	for _, c := range data {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c < ' ' || c >= 0x7F:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendText writes a member whose value is text, unless that is empty.
func appendText(dst []byte, key, text string) []byte {
	if text == "" {
		return dst
	}
	if len(text) > 1024 {
		text = text[:1024]
	}
	value, err := json.Marshal(text)
	if err != nil {
		return dst // cannot be: every string can be written
	}
	dst = append(dst, `,"`...)
	dst = append(dst, key...)
	dst = append(dst, `":`...)
	return append(dst, value...)
}
