package hl7

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"github.com/labcourier/labcourier/drivers"
)

// header is the MSH segment, read before the message is stored. Its fields hold
// the sender's own bytes, so that they can be echoed as they came.
type header struct {
	segment
	d   delimiters
	enc encoding.Encoding // nil, or the set in which the fields must be written again
}

var errNoMSH = errors.New("there is no MSH segment")

// readHeader finds and reads the MSH segment of a message.
func readHeader(message []byte) (header, error) {
	line := findLine(message, "MSH")
	if line == nil {
		return header{}, errNoMSH
	}
	h, err := cutHeader(string(line), nil)
	if err != nil || h.plausible() {
		return h, err
	}
	// The second byte of a character may look like a delimiter, and the names
	// that stand before MSH-9 are not always ASCII (Finecare sends GBK in MSH-4).
	for _, enc := range []encoding.Encoding{simplifiedchinese.GB18030, japanese.ShiftJIS, traditionalchinese.Big5} {
		if other, err := cutHeader(decodeAll(enc, line), enc); err == nil && other.plausible() {
			return other, nil
		}
	}
	return h, nil
}

func cutHeader(line string, enc encoding.Encoding) (header, error) {
	d, err := readDelimiters(line)
	if err != nil {
		return header{}, err
	}
	h := header{d: d, enc: enc}
	seg, ok := cutSegment(&h.d, func(raw []byte) string { return string(raw) }, line)
	if !ok {
		return header{}, errSeparators
	}
	h.segment = seg
	return h, nil
}

// plausible reports whether MSH-9 stands where it should.
func (h header) plausible() bool {
	kind := h.component(9, 1)
	return len(kind) == 3 && isUpper(kind[0]) && isUpper(kind[1]) && isUpper(kind[2])
}

// kind is the message type. Some write the structure there, ORU_R01.
func (h header) kind() string {
	kind, _, _ := strings.Cut(strings.ToUpper(h.component(9, 1)), "_")
	return kind
}

// findLine returns the first line that begins with that segment name, or nil.
func findLine(message []byte, name string) []byte {
	for off := 0; off < len(message); {
		line := message[off:]
		next := lineEnd(line)
		if len(line) > 3 && string(line[:3]) == name && !isAlphanumeric(line[3]) {
			return bytes.TrimRight(line[:next], "\r\n")
		}
		off += next
	}
	return nil
}

// outcome is how a message fared.
type outcome uint8

const (
	accepted outcome = iota
	failed           // AE, CE
	rejected         // AR, CR
	ignored          // no answer is due
)

// verdict says what becomes of a message.
type verdict struct {
	outcome outcome
	keep    bool
	stage   drivers.Stage // of what is kept
	fault   fault
	count   string // a counter of its own, or ""
}

// fault is why a message is refused. It holds no content.
type fault struct {
	code int    // of HL7 table 0357
	at   string // segment^sequence^field
	text string
}

// incoming is one message of a block.
type incoming struct {
	payload []byte
	head    header
	verdict
}

// judge looks at no more of a message than decides whether it can be taken. What
// is wrong with its content is found after the spool, where nothing is lost by it.
func judge(message []byte, o Options) incoming {
	in := incoming{payload: message}
	h, err := readHeader(message)
	if err != nil {
		in.head.d = standard
		in.verdict = refusal(failed, true, fault{100, "MSH^1", "the message header cannot be read: " + err.Error()})
		return in
	}
	in.head = h
	kind := h.kind()
	results := kind == "ORU" || kind == "OUL"
	has := func(name string) bool { return findLine(message, name) != nil }
	holds := results || has("OBX")
	switch version := h.component(12, 1); {
	case kind == "ACK" || kind == "MCF" || !holds && has("MSA"): // to answer these would never end
		in.verdict = verdict{outcome: ignored, count: "acks_ignored"}
	case kind == "":
		in.verdict = refusal(failed, true, fault{101, "MSH^1^9", "MSH-9 names no message type"})
	case !processing(h.component(11, 1), o):
		in.verdict = refusal(rejected, holds, fault{202, "MSH^1^11", "MSH-11 is no known processing id (if this analyzer means it so: hl7 = { processing_ids = [...] })"})
	case version != "" && version != "2" && !strings.HasPrefix(version, "2."):
		in.verdict = refusal(rejected, holds, fault{203, "MSH^1^12", "MSH-12 is no version 2 of HL7"})
	case results:
		in.verdict = verdict{keep: true}
	case isQuery(kind) || has("QPD") || has("QRD"):
		in.verdict = refusal(rejected, false, fault{200, "MSH^1^9", "query is not supported here"})
		in.count = "queries_refused"
	default:
		in.verdict = refusal(rejected, holds, fault{200, "MSH^1^9", "this message type is not supported"})
	}
	return in
}

func refusal(o outcome, keep bool, f fault) verdict {
	return verdict{outcome: o, keep: keep, stage: drivers.Broken, fault: f}
}

func processing(id string, o Options) bool {
	known := o.ProcessingIDs
	if known == nil {
		known = []string{"P", "D", "T", "Q"}
	}
	return id == "" || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, id) })
}

// isQuery reports whether a message type asks for something.
func isQuery(kind string) bool {
	return slices.Contains([]string{"QBP", "QRY", "QSB", "QVR", "QRF", "SQM", "VQQ", "EQQ", "SPQ", "RQQ"}, kind)
}

// judgeTooLong is the verdict on a block that does not fit: its head is kept, to
// say which message it was.
func judgeTooLong(head []byte, reason string) incoming {
	in := incoming{payload: head}
	in.head, _ = readHeader(head) // unreadable: the answer names no message
	if in.head.name == "" {
		in.head.d = standard
	}
	in.verdict = refusal(rejected, true, fault{207, "", reason})
	return in
}

// notStored is the verdict on a message that the store did not take. The store's
// own words may name files: the analyzer is told what it can use.
func notStored(err error) verdict {
	v := verdict{outcome: failed, fault: fault{207, "", "the message could not be stored; send it again"}}
	switch {
	case errors.Is(err, drivers.ErrStoreFull):
		v.fault.text = "the message store is full; send it again later"
	case errors.Is(err, drivers.ErrTooLarge):
		v.outcome, v.fault.text = rejected, "the message is larger than the store takes"
	}
	return v
}
