package astm

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/labcourier/labcourier/drivers"
)

// FuzzDecoder: however the bytes are split, the same frames come out.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x02"+"1H|\\^&\r\x03"+"88\r\n"), uint8(1), uint8(0))
	f.Add([]byte("\x02\x02\x021abc\x17"+"0F\n\x03\x03\x02"), uint8(3), uint8(5))
	f.Fuzz(func(t *testing.T, raw []byte, step, opts uint8) {
		type seen struct {
			number byte
			text   string
			final  bool
			fault  Fault
		}
		run := func(step int) (out []seen) {
			d := Decoder{NoChecksum: opts&1 != 0, AnyCase: opts&2 != 0, NoCRLF: opts&4 != 0, MaxText: int(opts >> 3)}
			take := func(f Frame) { out = append(out, seen{f.Number, string(f.Text), f.Final, f.Fault}) }
			for p := raw; len(p) > 0; {
				chunk := p[:min(step, len(p))]
				p = p[len(chunk):]
				for len(chunk) > 0 {
					n, f, done := d.Feed(chunk)
					if n == 0 && !done {
						t.Fatal("no progress")
					}
					chunk = chunk[n:]
					if done {
						take(f)
					}
				}
			}
			if f, done := d.Silence(); done {
				take(f)
			}
			return out
		}
		whole, split := run(len(raw)+1), run(int(step)+1)
		if !slices.Equal(whole, split) {
			t.Errorf("whole %+v\nsplit %+v", whole, split)
		}
	})
}

// FuzzFrames: what is framed comes out again.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("H|\\^&\rL|1|N\r"), uint16(240), true)
	f.Fuzz(func(t *testing.T, text []byte, maxText uint16, perRecord bool) {
		if bytes.ContainsAny(text, "\x02\x03\x17") || len(text) > 100_000 {
			t.Skip("not sendable")
		}
		var d Decoder
		var got []byte
		for i, fr := range Frames(text, int(maxText), perRecord) {
			n, out, done := d.Feed(fr)
			if !done || n != len(fr) || out.Fault != FaultNone || out.Number != '0'+byte((i+1)&7) {
				t.Fatalf("frame %d %q: %d of %d, %+v", i, fr, n, len(fr), out)
			}
			got = append(got, out.Text...)
		}
		if !bytes.Equal(got, text) {
			t.Errorf("got %q want %q", got, text)
		}
	})
}

// FuzzLink: no order of bytes, silences and failed stores makes the link
// acknowledge what it did not store, or panic, or hoard.
func FuzzLink(f *testing.F) {
	f.Add([]byte(enq+frame(1, h)+frame(2, l)+eot), []byte{0}, false)
	f.Add([]byte(enq+enq+frame(1, h+"+")+frame(2, l)+eot), []byte{3, 200, 1}, true)
	f.Fuzz(func(t *testing.T, raw, script []byte, endEOT bool) {
		o := Options{MaxMessage: 4096, MaxFrame: 1024}
		if endEOT {
			o.End = "eot"
		}
		b := newBench(o)
		link := b.link.(*Link)
		for i := 0; len(raw) > 0; i++ {
			n, wait := len(raw), byte(0)
			if len(script) > 0 {
				s := script[i%len(script)]
				n, wait = 1+int(s&31), s>>5
			}
			n = min(n, len(raw))
			b.fail = int(wait & 1)
			before := len(b.log)
			b.feed(string(raw[:n]))
			raw = raw[n:]
			if wait > 1 {
				b.silence(time.Duration(wait) * 7 * time.Second)
			}
			for j := before; j+1 < len(b.log); j++ {
				if b.log[j] == "failed" && b.log[j+1] == "ACK" {
					t.Fatalf("acknowledged after a failed store: %q", b.log)
				}
			}
			if c := cap(link.msg.buf) + cap(link.dec.buf); c > 64<<10 {
				t.Fatalf("holds %d bytes", c)
			}
		}
	})
}

// FuzzParse: any bytes make reports of valid text or an error, never a panic.
func FuzzParse(f *testing.F) {
	for _, m := range []string{
		"H|\\^&|||X^1\rP|1||||A^B||19800101|F\rO|1|S1||^^^GLU\\^^^K|R||20261122||||Q\rR|1|^^^GLU|<0.05|mg/dl|1^2\\3^4|L\\H|N|F||a^b|20261122080000|20261122080000|I\rC|1|I|1^x|G\rM|1|x\rS|1\rL|1|N\r",
		"H|`^&\rQ|1|^S1||ALL||||||||A\rL|1|I\r",
		"H|@^\\|a\\X41\\\rR|1|@@|1\\F\\2\r",
		"H\rO\rR\rC\rL",
	} {
		f.Add([]byte(m), uint8(0))
	}
	f.Fuzz(func(t *testing.T, payload []byte, which uint8) {
		reports, err := Parse(payload, drivers.ParseOptions{})
		if err != nil {
			if len(reports) != 0 {
				t.Error("reports beside an error")
			}
			return
		}
		if len(reports) == 0 {
			t.Error("neither reports nor an error")
		}
		for i, rep := range reports {
			if rep.Index != i || rep.Purpose == "" {
				t.Errorf("report %d: %+v", i, rep)
			}
			for j, r := range rep.Results {
				if r.Index != j || r.Status == "" {
					t.Errorf("result %d: %+v", j, r)
				}
				for _, s := range append([]string{r.Value.Text, r.Test.Code, r.Unit, r.Operator}, r.Flags...) {
					if !utf8.ValidString(s) || s != strings.TrimSpace(s) {
						t.Errorf("text %q", s)
					}
				}
			}
		}
	})
}

// FuzzRaw: no order of bytes, silences and failed stores makes the receiver of bare
// records acknowledge what it did not store, or panic, or hoard; and how the bytes
// are split changes nothing.
func FuzzRaw(f *testing.F) {
	f.Add([]byte("\x00H|\\^&\rR|1\rL|1|N\r"), []byte{0}, false, true)
	f.Add([]byte("gH|`^&|x\nH|\\^&\r\nL\n\x05"), []byte{3, 200, 1}, true, false)
	f.Fuzz(func(t *testing.T, raw, script []byte, idle, answered bool) {
		o := Options{Framing: "none", MaxMessage: 4096}
		if idle {
			o.IdleEnd = time.Second
		}
		if answered {
			o.Answer = "ack"
		}
		whole := newBench(o)
		whole.feed(string(raw))
		split := newBench(o)
		for _, c := range raw {
			split.feed(string([]byte{c}))
		}
		if !slices.Equal(whole.log, split.log) {
			t.Fatalf("whole %q\nsplit %q", whole.log, split.log)
		}
		b := newBench(o)
		for i := 0; len(raw) > 0; i++ {
			n, wait := len(raw), byte(0)
			if len(script) > 0 {
				s := script[i%len(script)]
				n, wait = 1+int(s&31), s>>5
			}
			n = min(n, len(raw))
			b.fail = int(wait & 1)
			before := len(b.log)
			b.feed(string(raw[:n]))
			raw = raw[n:]
			if wait > 1 {
				b.silence(time.Duration(wait) * 7 * time.Second)
			}
			for j := before; j+1 < len(b.log); j++ {
				if b.log[j] == "failed" && b.log[j+1] == "ACK" {
					t.Fatalf("acknowledged after a failed store: %q", b.log)
				}
			}
			if c := cap(b.link.(*rawLink).msg); c > 64<<10 {
				t.Fatalf("holds %d bytes", c)
			}
		}
	})
}
