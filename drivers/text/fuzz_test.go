package text

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// descriptions are one of each kind of framing and assembly.
func descriptions() []Options {
	acks := func(o Options) Options { o.Ack, o.Nak = Bytes{6}, Bytes{0x15}; return o }
	stx := Frame{By: byMarks, Check: "xor"}
	return []Options{
		{Frame: Frame{By: byMarks}},
		acks(Options{Frame: stx}),
		acks(Options{Frame: stx, Message: Assembly{First: "^1", Last: "^8"}}),
		acks(Options{Frame: stx, Message: Assembly{End: Bytes{4}}, Enquiry: Bytes{5}}),
		acks(Options{Frame: stx, Message: Assembly{Idle: time.Second, First: "^1"}}),
		{Frame: stx, Message: Assembly{Last: "^8"}},
		{Frame: Frame{By: byLine}},
		{Frame: Frame{By: byLine}, Message: Assembly{First: "^1", Last: "^8"}},
		acks(Options{Frame: Frame{By: byLine, Check: "sum", CheckForm: "hex", CheckAt: "before"}}),
		{Frame: Frame{By: byEnd, End: Bytes("</a>"), KeepMarks: true}},
		{Frame: Frame{By: byMarks, Start: Bytes("<a>"), End: Bytes("</a>"), KeepMarks: true}},
		acks(Options{Frame: Frame{By: byLength, Length: 4, Start: Bytes{2}, Check: "crc16"}}),
		{Frame: Frame{By: byLength, Length: 4}, Message: Assembly{Idle: time.Second}},
		{Frame: Frame{By: byIdle, Idle: time.Second}},
		{Frame: Frame{By: byIdle, Idle: time.Second}, CloseEnds: true},
		acks(Options{Frame: Frame{By: byMarks, Check: "crc16-ccitt", CheckForm: "hex", CheckAt: "before", CheckOver: "start+text"}}),
	}
}

func addSeeds(f *testing.F) {
	for i := range descriptions() {
		f.Add([]byte(xored("1a")+xored("2b")+xored("8c")+"\x04"), uint8(i), uint8(3))
		f.Add([]byte("\x05\x02\x021\x02abc\x03\r\n1x\r8y\r\n<a>1</a>\x00"), uint8(i), uint8(0))
	}
}

// FuzzSplit: however the bytes are split, the same things happen.
func FuzzSplit(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte, which, step uint8) {
		o := descriptions()[int(which)%len(descriptions())]
		o.MaxMessage = 64
		run := func(step int) []string {
			b := newBench(t, o)
			for p := range slices.Chunk(raw, step) {
				b.feed(string(p))
			}
			b.do(b.link.Silence(time.Time{}))
			b.hangUp()
			return b.log
		}
		if whole, split := run(len(raw)+1), run(int(step)+1); !slices.Equal(whole, split) {
			t.Errorf("whole %q\nsplit %q", whole, split)
		}
	})
}

// FuzzLink: no order of bytes, silences and failed stores makes the link
// acknowledge what it could not store, lose what nobody will send again, panic,
// or hoard.
func FuzzLink(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte, which, script uint8) {
		if len(raw) > 4096 {
			t.Skip("longer than what the link may hold")
		}
		o := descriptions()[int(which)%len(descriptions())]
		o.MaxMessage = 64
		b := newBench(t, o)
		for i := 0; len(raw) > 0; i++ {
			n := min(len(raw), 1+i*int(script&7))
			b.fail = 0
			if b.link.answers() && script>>3&1 != 0 && i%3 == 1 {
				b.fail = 1
			}
			before := len(b.log)
			b.feed(string(raw[:n]))
			raw = raw[n:]
			if script>>4&1 != 0 && i%5 == 4 && b.link.Wait() > 0 {
				b.do(b.link.Silence(time.Time{}))
			}
			falseAck(t, b.log[before:])
			if c := cap(b.link.msg) + cap(b.link.dec.buf) + cap(b.link.unsettled); c > 16<<10 {
				t.Fatalf("holds %d bytes", c)
			}
		}
		b.fail = 0
		b.hangUp()
		if b.link.unsettled != nil || len(b.link.msg) != 0 || len(b.link.dec.buf) != 0 && b.link.Wait() != 0 {
			t.Errorf("something is left: %q", b.log)
		}
	})
}

// falseAck looks for an ACK that follows a failure without anything in between.
// What is left of a broken message is kept only if it can be.
func falseAck(t *testing.T, log []string) {
	for i := range len(log) - 1 {
		if log[i] == "failed" && log[i+1] == "whole" {
			t.Fatalf("acknowledged after a failed store: %q", log)
		}
	}
}

// FuzzSender: what is framed comes out again.
func FuzzSender(f *testing.F) {
	f.Add([]byte("1abc"), []byte("2"), []byte("8x"), uint8(2))
	f.Fuzz(func(t *testing.T, a, b, c []byte, which uint8) {
		o := descriptions()[int(which)%len(descriptions())]
		if o.Frame.By == byIdle || o.Frame.By == byLength || o.Frame.KeepMarks || strings.ContainsAny(string(a)+string(b)+string(c), "\x02\x03\x04\x05\r\n") {
			t.Skip("not sendable so")
		}
		bench := newBench(t, o)
		s := Sender{bench.link.description}
		message := a
		if s.desc.many() {
			if s.desc.last != nil && (s.desc.last.Match(a) || s.desc.last.Match(b) || !s.desc.last.Match(c)) ||
				s.desc.first != nil && (!s.desc.first.Match(a) || s.desc.first.Match(b) || s.desc.first.Match(c)) || len(strings.TrimSpace(string(a))) == 0 {
				t.Skip("no message of this kind")
			}
			end := "\x03"
			if o.Frame.By == byLine {
				end = "\r"
			}
			message = slices.Concat(a, []byte(end), b, []byte(end), c, []byte(end))
		}
		if len(strings.TrimSpace(string(message))) == 0 {
			t.Skip("blank")
		}
		bench.feed(string(s.Wire(message)))
		bench.do(bench.link.Silence(time.Time{}))
		want := "complete:" + strings.ReplaceAll(string(message), "\x03", "/")
		if !slices.Contains(bench.log, want) {
			t.Errorf("%q is not in %q", want, bench.log)
		}
	})
}
