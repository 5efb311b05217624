package fhir

import (
	"crypto/sha1" //nolint:gosec // a UUID of version 5 is made of it (RFC 9562), nothing is secured with it
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/labcourier/labcourier/drivers"
)

// message is the mapping of one message: what all of its resources share.
type message struct {
	*Mapper
	in     Input
	issued string
	source string         // meta.source
	dev    string         // full URL of the Device
	spec   map[int]string // report index -> full URL of its Specimen
	origin string         // "<agent>/<analyzer>"
	buf    encodeBuffer   // reused between resources
}

func (m *Mapper) message(in Input) *message {
	msg := &message{Mapper: m, in: in, spec: map[int]string{}}
	msg.issued = in.Received.UTC().Format("2006-01-02T15:04:05.000Z")
	msg.origin = escapeName(m.agent) + "/" + escapeName(in.Source.Name)
	msg.source = "urn:labcourier:" + msg.origin + "#" + in.Key[:min(12, len(in.Key))]
	msg.dev = fullURL(m.base+":device", msg.origin)
	return msg
}

func (msg *message) specimenValue(report int) string {
	return msg.in.Key + "-s" + strconv.Itoa(report)
}

func (msg *message) reportValue(report int) string {
	return msg.in.Key + "-" + strconv.Itoa(report)
}

func (msg *message) resultValue(report, result int) string {
	return msg.in.Key + "-" + strconv.Itoa(report) + "-" + strconv.Itoa(result)
}

// identity returns an entry without its resource, and the identifier that
// belongs into the resource.
func (msg *message) identity(typ, kind, value string) (Entry, identifier) {
	system := msg.base + ":" + kind
	return Entry{FullURL: fullURL(system, value), Type: typ, System: system, Value: value},
		identifier{System: system, Value: value}
}

// encode puts resource r into e.
func (msg *message) encode(e Entry, r any) (Entry, error) {
	raw, err := msg.buf.encode(r)
	if err != nil {
		return Entry{}, err
	}
	e.Resource = json.RawMessage(raw)
	return e, nil
}

// meta is the provenance that every resource of a message but the Device
// carries: where it came from, and which version mapped it.
func (msg *message) meta(tags ...coding) *meta {
	if msg.version != "" {
		tags = append(tags, coding{System: "urn:labcourier:version", Code: msg.version})
	}
	return &meta{Source: msg.source, Tag: tags}
}

// vendorSystem is the code system of an instrument's own codes.
func vendorSystem(src Source, s *drivers.Sender) string {
	sys := "urn:labcourier:code"
	if maker := slug(first(src.Manufacturer, s.Manufacturer)); maker != "" {
		sys += ":" + maker
	}
	model := slug(first(src.Model, s.Model, s.Name))
	if model == "" {
		model = slug(src.Name)
	}
	if model == "" {
		return sys
	}
	return sys + ":" + model
}

// first returns the first of its arguments that is more than blanks.
func first(texts ...string) string {
	for _, t := range texts {
		if t = clean(t); t != "" {
			return t
		}
	}
	return ""
}

// fullURL is the UUID version 5 (RFC 9562, 5.5) of an identifier, in the
// namespace of URLs. SHA-1 is the standard's; nothing secret hangs on it.
func fullURL(system, value string) string {
	h := sha1.New() //nolint:gosec // see the import
	h.Write([]byte{ // 6ba7b811-9dad-11d1-80b4-00c04fd430c8
		0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
	})
	h.Write([]byte(system + "|" + value))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	x := hex.EncodeToString(u)
	return "urn:uuid:" + x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
