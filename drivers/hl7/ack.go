package hl7

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding"
)

// answers are the acknowledgements that are due to one message, nil where none is.
type answers struct {
	accept      []byte // CA, CE, CR
	application []byte // AA, AE, AR
}

// acknowledge makes the answers to a message. In original mode there is the
// application acknowledgement alone (HL7 2.9.2); in enhanced mode each goes by
// its condition, and what was not accepted gets no application acknowledgement
// besides (2.9.3).
func (in incoming) acknowledge(o Options, now time.Time, id func() string) (a answers) {
	if in.outcome == ignored {
		return a
	}
	accept, application, enhanced := in.head.conditions(o)
	if !enhanced {
		a.application = in.ack('A', false, now, id())
		return a
	}
	if wanted(accept, in.outcome) {
		a.accept = in.ack('C', true, now, id())
	}
	if wanted(application, in.outcome) && (a.accept == nil || in.outcome == accepted) {
		a.application = in.ack('A', true, now, id())
	}
	return a
}

// conditions reads MSH-15 and MSH-16. Digits are no conditions but Mindray's mark
// for controls. Where only one is there the other means never.
func (h header) conditions(o Options) (accept, application string, enhanced bool) {
	if o.AckMode == "original" || h.name == "" {
		return "", "", false
	}
	accept, application = h.condition(15), h.condition(16)
	return accept, application, accept != "" || application != ""
}

func (h header) condition(n int) string {
	c := strings.ToUpper(h.component(n, 1))
	if c != "" && isDigit(c[0]) {
		return ""
	}
	return c
}

// wanted says whether a condition of HL7 table 0155 asks for an answer. One that
// is no condition asks for it: an answer too many does less harm.
func wanted(condition string, o outcome) bool {
	switch condition {
	case "", "NE":
		return false
	case "ER":
		return o != accepted
	case "SU":
		return o == accepted
	}
	return true
}

// ack makes one ACK message: MSH, MSA, and ERR where it is a refusal. Level is
// 'C' for the accept and 'A' for the application acknowledgement.
func (in incoming) ack(level byte, enhanced bool, now time.Time, id string) []byte {
	h := in.head
	w := &writer{d: h.d}
	msh := []string{"MSH", h.encodingCharacters(), h.echo(5), h.echo(6), h.echo(3), h.echo(4), h.now(now), "", h.ackType(),
		id, or(h.echo(11), "P"), or(h.echo(12), "2.5.1"), "", "", "", "", "", h.echo(18), "", "", h.echo(21)}
	if enhanced { // an acknowledgement is never acknowledged itself
		msh[14], msh[15] = "NE", "NE"
	}
	w.segment(msh...)
	code := string([]byte{level, "AER"[in.outcome]})
	if in.outcome == accepted {
		w.segment("MSA", code, h.echo(10))
	} else {
		w.segment("MSA", code, h.echo(10), h.words(in.fault))
		w.segment(h.errFields(in.fault)...)
	}
	return h.encode(w.b.String())
}

// encodingCharacters is MSH-2 of the answer. A MSH-2 that leaves some out is
// echoed, for want of better.
func (h header) encodingCharacters() string {
	set := string([]byte{h.d.component, h.d.repeat, h.d.escape, h.d.sub})
	if strings.IndexByte(set, 0) >= 0 {
		return h.echo(2)
	}
	return set
}

// echo returns field n as the sender wrote it. A stray FS could end the block.
func (h header) echo(n int) string { return strings.ReplaceAll(h.field(n), "\x1c", "") }

// words are the fault's for the analyzer; hints in brackets are for us.
func (h header) words(f fault) string {
	text, _, _ := strings.Cut(f.text, " (")
	return h.d.escapeText(text)
}

// now writes the time as the sender writes it: not every one can read an offset.
func (h header) now(t time.Time) string {
	if strings.ContainsAny(h.field(7), "+-") {
		return t.Format("20060102150405-0700")
	}
	return t.Format("20060102150405")
}

// ackType is MSH-9 of the answer: ACK, the trigger event of the message, and the
// structure since there are structures (HL7 2.4), or where the sender names one.
func (h header) ackType() string {
	trigger := h.echoComponent(9, 2)
	if trigger == "" || h.d.component == 0 {
		return "ACK"
	}
	c := string(rune(h.d.component))
	if h.minor() >= 4 || h.component(9, 3) != "" {
		return "ACK" + c + trigger + c + "ACK"
	}
	return "ACK" + c + trigger
}

func (h header) echoComponent(n, c int) string {
	return strings.TrimSpace(part(h.cutComponents(h.echo(n)), c))
}

// minor is the x of version 2.x.
func (h header) minor() int {
	rest, ok := strings.CutPrefix(h.component(12, 1), "2.")
	if !ok {
		return 5
	}
	rest, _, _ = strings.Cut(rest, ".")
	n, _ := strconv.Atoi(rest)
	return n
}

// errFields makes the ERR segment, which changed its shape in 2.5.
func (h header) errFields(f fault) []string {
	c, s := string(rune(h.d.component)), string(rune(h.d.sub))
	at := strings.ReplaceAll(f.at, "^", c)
	meaning := map[int]string{100: "Segment sequence error", 101: "Required field missing", 200: "Unsupported message type",
		202: "Unsupported processing id", 203: "Unsupported version id", 207: "Application internal error"}[f.code]
	code := strconv.Itoa(f.code)
	if h.d.component == 0 {
		return []string{"ERR", "", "", code, "E"}
	}
	if h.minor() >= 5 {
		return []string{"ERR", "", at, code + c + meaning + c + "HL70357", "E", "", "", "", h.words(f)}
	}
	if h.d.sub == 0 {
		s = " "
	}
	at += strings.Repeat(c, 3-strings.Count(at, c))
	return []string{"ERR", at + code + s + meaning + s + "HL70357"}
}

// encode writes text in the sender's character set.
func (h header) encode(text string) []byte {
	if h.enc == nil {
		return []byte(text)
	}
	raw, err := encoding.ReplaceUnsupported(h.enc.NewEncoder()).Bytes([]byte(text))
	if err != nil {
		return []byte(text)
	}
	return raw
}

// writer puts segments together.
type writer struct {
	d delimiters
	b strings.Builder
}

// segment adds one segment, without the empty fields at its end.
func (w *writer) segment(fields ...string) {
	for len(fields) > 1 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	w.b.WriteString(strings.Join(fields, string(rune(w.d.field))))
	w.b.WriteByte('\r')
}
