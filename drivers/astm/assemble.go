package astm

import "bytes"

// assembler joins the text of frames and cuts it into messages, each ending
// with its L record. Frames are cut anywhere (LIS01-A2 6.3.1.1), so records are
// looked for in the joined text only.
type assembler struct {
	buf  []byte // accepted text of the message that is coming in
	tail int    // where the unfinished record begins in buf
}

// mark is what assembler.undo goes back to.
type mark struct{ buf, tail int }

// add takes the text of one good frame. It returns the messages that the frame
// completes and the state to go back to if they cannot be stored. Rest holds
// what remains when they were: it is taken over by keep.
func (a *assembler) add(text []byte, final bool) (whole [][]byte, rest int, before mark) {
	before = mark{len(a.buf), a.tail}
	a.buf = append(a.buf, text...)
	begin := 0
	for {
		end, next := a.record(final)
		if end < 0 {
			break
		}
		if isTerminator(a.buf[begin:], a.buf[a.tail:end]) {
			whole = append(whole, trimLead(a.buf[begin:next]))
			begin = next
		}
		a.tail = next
	}
	return whole, begin, before
}

// record finds the end of the record at tail, and where the next one begins.
// Final says that the end of buf ends a record as well (an ETX frame does).
func (a *assembler) record(final bool) (end, next int) {
	rest := a.buf[a.tail:]
	if i := bytes.IndexByte(rest, CR); i >= 0 {
		return a.tail + i, a.tail + i + 1
	}
	if final && len(bytes.TrimLeft(rest, "\r\n")) > 0 {
		// The record may go on in the next frame all the same: some senders end
		// every frame with ETX. Only an L record is taken as ended here.
		if isTerminator(a.buf, rest) {
			return len(a.buf), len(a.buf)
		}
	}
	return -1, -1
}

// undo forgets what the last add took.
func (a *assembler) undo(m mark) { a.buf, a.tail = a.buf[:m.buf], m.tail }

// keep drops the messages that the last add completed.
func (a *assembler) keep(rest int) {
	if rest == 0 {
		return
	}
	n := copy(a.buf, a.buf[rest:])
	a.buf, a.tail = a.buf[:n], a.tail-rest
}

// pending is the text of a message that has begun, without blank lines.
func (a *assembler) pending() []byte { return trimLead(a.buf) }

func (a *assembler) reset() { a.buf, a.tail = a.buf[:0], 0 }

// trimLead cuts what stands between messages and belongs to neither: record
// ends, and the LF of senders that end records with CR LF. Without this the same
// message would differ by where in its session it stood.
func trimLead(b []byte) []byte { return bytes.TrimLeft(b, "\r\n\x00 ") }

// isTerminator reports whether rec is an L record of the message that begins
// msg, whose H record tells the field delimiter (LIS02-A2 6.4.1).
func isTerminator(msg, rec []byte) bool {
	rec = bytes.TrimLeft(rec, "\n")
	if len(rec) == 0 || rec[0] != 'L' {
		return false
	}
	if len(rec) == 1 {
		return true
	}
	msg = trimLead(msg)
	if len(msg) > 1 && msg[0] == 'H' {
		return rec[1] == msg[1]
	}
	return rec[1] == '|'
}
