package poct

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"
)

// Types of ACK.type_cd.
const (
	accepted = "AA"
	refused  = "AE"
)

// wallFormat is how POCT1-A2 writes a time.
const wallFormat = "2006-01-02T15:04:05-07:00"

// writer writes the messages of one side of a conversation, which it numbers.
type writer struct{ sent int }

// message appends one message of that name with the given body.
func (w *writer) message(out []byte, now time.Time, name, body string) ([]byte, string) {
	w.sent++
	id := strconv.Itoa(w.sent)
	return append(out, `<`+name+`><HDR>`+
		v("HDR.control_id", id)+v("HDR.version_id", "POCT1")+v("HDR.creation_dttm", now.Format(wallFormat))+
		`</HDR>`+body+`</`+name+`>`...), id
}

// ack appends an acknowledgement of the message with that control id.
func (w *writer) ack(out []byte, now time.Time, kind, id, note string) []byte { //nolint:unparam // like its siblings
	body := v("ACK.type_cd", kind) + v("ACK.ack_control_id", id)
	if note != "" {
		body += v("ACK.note_txt", note)
	}
	out, _ = w.message(out, now, "ACK.R01", "<ACK>"+body+"</ACK>")
	return out
}

// v is an element that holds a value.
func v(name, value string) string {
	var s strings.Builder
	s.WriteString("<" + name + ` V="`)
	_ = xml.EscapeText(&s, []byte(value)) // a strings.Builder never fails
	s.WriteString(`"/>`)
	return s.String()
}
