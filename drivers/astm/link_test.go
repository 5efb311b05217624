package astm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

// frame builds one good frame that ends with ETX, or with ETB if text ends in "+".
func frame(n int, text string) string {
	text, more := strings.CutSuffix(text, "+")
	return string(AppendFrame(nil, n, []byte(text), !more))
}

// spoil changes the text of a frame and leaves its checksum.
func spoil(f string) string { return f[:3] + "~" + f[4:] }

const (
	enq = "\x05"
	eot = "\x04"
	h   = "H|\\^&\r"
	l   = "L|1|N\r"
)

var errStore = errors.New("disk on fire")

// bench runs a link and writes down what it does, in short words:
// "ACK", "NAK", "complete:TEXT", "broken:TEXT", "draft:TEXT".
type bench struct {
	link session.Link
	now  time.Time
	fail int // how many stores are to fail
	log  []string
	step session.Step // the last one that refused
}

func newBench(o Options) *bench {
	b := &bench{now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	b.link = o.link(func() error { return nil })
	return b
}

func (b *bench) feed(s string) {
	for p := []byte(s); len(p) > 0; {
		n, step := b.link.Feed(b.now, p)
		p = p[n:]
		b.do(step)
	}
}

func (b *bench) do(s session.Step) {
	for len(s.Store) > 0 {
		var err error
		for _, p := range s.Store {
			if b.fail > 0 {
				b.fail--
				err = errStore
				word := "failed"
				if p.Stage == drivers.Broken {
					word = "not kept" // a broken message, which is kept only if it can be
				}
				b.log = append(b.log, word)
				break
			}
			b.log = append(b.log, fmt.Sprintf("%s:%s", p.Stage, strings.ReplaceAll(string(p.Payload), "\r", "/")))
		}
		s = b.link.Stored(b.now, err)
	}
	switch string(s.Reply) {
	case "\x06":
		b.log = append(b.log, "ACK")
	case "\x15":
		b.log = append(b.log, "NAK")
		b.step = s
	}
}

func (b *bench) silence(d time.Duration) {
	for w := b.link.Wait(); w > 0 && w <= d; w = b.link.Wait() {
		b.now, d = b.now.Add(w), d-w
		b.do(b.link.Silence(b.now))
	}
	b.now = b.now.Add(d)
}

func TestLink(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name string
		opts Options
		do   func(b *bench)
		want []string
	}{
		{"a session", Options{}, func(b *bench) { b.feed(enq + frame(1, h) + frame(2, "R|1\r") + frame(3, l) + eot) },
			[]string{"ACK", "ACK", "ACK", "complete:H|\\^&/R|1/L|1|N/", "ACK"}},
		{"neutral state ignores all but ENQ", Options{}, func(b *bench) { b.feed(frame(1, h+l) + eot + "\x06\x15") }, nil},
		{"two messages in one session", Options{}, func(b *bench) { b.feed(enq + frame(1, h+l) + frame(2, h+"C|1\r"+l) + eot) },
			[]string{"ACK", "complete:H|\\^&/L|1|N/", "ACK", "complete:H|\\^&/C|1/L|1|N/", "ACK"}},
		{"two messages in one frame", Options{}, func(b *bench) { b.feed(enq + frame(1, h+l+h+l) + eot) },
			[]string{"ACK", "complete:H|\\^&/L|1|N/", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"records cut between frames", Options{}, func(b *bench) {
			b.feed(enq + frame(1, "H|\\+") + frame(2, "^&\rL+") + frame(3, "|1|N+") + frame(4, "\r") + eot)
		},
			[]string{"ACK", "ACK", "ACK", "ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"L ends with ETX without CR", Options{}, func(b *bench) { b.feed(enq + frame(1, h) + frame(2, "L|1|N") + eot) },
			[]string{"ACK", "ACK", "complete:H|\\^&/L|1|N", "ACK"}},
		{"L in an ETB frame without CR is not over", Options{}, func(b *bench) { b.feed(enq + frame(1, h) + frame(2, "L|1|+") + eot) },
			[]string{"ACK", "ACK", "ACK", "broken:H|\\^&/L|1|"}},
		{"every frame ends with ETB but the last, as c111", Options{}, func(b *bench) { b.feed(enq + frame(1, h+"+") + frame(2, "O|1\r+") + frame(3, l) + eot) },
			[]string{"ACK", "ACK", "ACK", "complete:H|\\^&/O|1/L|1|N/", "ACK"}},
		{"CR LF between records", Options{}, func(b *bench) { b.feed(enq + frame(1, "H|\\^&\r\n") + frame(2, "L|1|N\r\n") + frame(3, h+l) + eot) },
			[]string{"ACK", "ACK", "complete:H|\\^&/\nL|1|N/", "ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"a comment that begins with L is none", Options{}, func(b *bench) { b.feed(enq + frame(1, h+"C|1|I|x\rLATE|1\r") + eot) },
			[]string{"ACK", "ACK", "broken:H|\\^&/C|1|I|x/LATE|1/"}},
		{"checksum differs, then sent again", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h) + spoil(frame(2, "R|1\r")) + frame(2, "R|1\r") + frame(3, l))
		}, []string{"ACK", "ACK", "NAK", "ACK", "complete:H|\\^&/R|1/L|1|N/", "ACK"}},
		{"the ACK was lost, the frame comes again (6.3.2.2)", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h) + frame(2, "R|1\r") + frame(2, "R|1\r") + frame(3, l) + frame(3, l))
		}, []string{"ACK", "ACK", "ACK", "ACK", "complete:H|\\^&/R|1/L|1|N/", "ACK", "ACK"}},
		{"the same number with another text is no repetition", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h) + frame(1, "R|1\r") + frame(2, l) + eot)
		}, []string{"ACK", "ACK", "NAK", "NAK", "broken:H|\\^&/"}},
		{"a frame left out poisons the session even when numbers fit again", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h) + frame(3, "R|2\r") + frame(2, l) + eot + enq + frame(1, h+l))
		}, []string{"ACK", "ACK", "NAK", "NAK", "broken:H|\\^&/", "ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"numbers begin at 1", Options{}, func(b *bench) { b.feed(enq + frame(0, h)) }, []string{"ACK", "NAK"}},
		{"numbers roll over from 7 to 0", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h))
			for n := 2; n < 18; n++ {
				b.feed(frame(n, "C\r"))
			}
			b.feed(frame(18, l))
		}, append(slices.Repeat([]string{"ACK"}, 18), "complete:H|\\^&/"+strings.Repeat("C/", 16)+"L|1|N/", "ACK")},
		{"ENQ in the middle begins anew", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h) + frame(2, "R|1\r"))
			b.silence(5 * time.Second)
			b.feed(enq + frame(1, h+l))
		}, []string{"ACK", "ACK", "ACK", "broken:H|\\^&/R|1/", "ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"the same bid twice is answered once (Access 2)", Options{}, func(b *bench) { b.feed(enq + enq + frame(1, h+l)) },
			[]string{"ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"a second bid is answered again", Options{}, func(b *bench) {
			b.feed(enq)
			b.silence(10 * time.Second)
			b.feed(enq)
		}, []string{"ACK", "ACK"}},
		{"ENQ inside a frame is text while the frame goes on", Options{}, func(b *bench) {
			f := frame(1, h+"C|1|a\x05b\r"+l)
			b.feed(enq + f[:14])
			b.silence(900 * time.Millisecond)
			b.feed(f[14:])
		}, []string{"ACK", "complete:H|\\^&/C|1|a\x05b/L|1|N/", "ACK"}},
		{"ENQ inside a frame is a bid once it stays the last byte", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h) + "\x022R|1" + enq)
			b.silence(2 * time.Second)
			b.feed(frame(1, h+l))
		}, []string{"ACK", "ACK", "broken:H|\\^&/", "ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"EOT inside a frame likewise", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h) + "\x022R|1" + eot)
			b.silence(2 * time.Second)
		}, []string{"ACK", "ACK", "broken:H|\\^&/"}},
		{"EOT before ETX", Options{}, func(b *bench) { b.feed(enq + frame(1, h+"R|1|+") + eot) },
			[]string{"ACK", "ACK", "broken:H|\\^&/R|1|"}},
		{"EOT without L", Options{}, func(b *bench) { b.feed(enq + frame(1, h) + eot) }, []string{"ACK", "ACK", "broken:H|\\^&/"}},
		{"ENQ and EOT as keep-alive (H550)", Options{}, func(b *bench) { b.feed(enq + eot + enq + eot) }, []string{"ACK", "ACK"}},
		{"30 s of silence", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h))
			b.silence(29 * time.Second)
			b.log = append(b.log, "29 s")
			b.silence(31 * time.Second)
			b.feed(frame(2, l)) // too late: neutral again
		}, []string{"ACK", "ACK", "29 s", "broken:H|\\^&/"}},
		{"a store that fails", Options{}, func(b *bench) {
			b.feed(enq + frame(1, h))
			b.fail = 1
			b.feed(frame(2, l) + frame(2, l) + eot)
		}, []string{"ACK", "ACK", "failed", "NAK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"frame longer than max_frame", Options{MaxFrame: 240}, func(b *bench) { b.feed(enq + frame(1, long) + frame(1, h+l)) },
			[]string{"ACK", "NAK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"frame of max_frame", Options{MaxFrame: 300}, func(b *bench) { b.feed(enq + frame(1, long)) }, []string{"ACK", "ACK"}},
		{"message longer than max_message", Options{MaxMessage: 301}, func(b *bench) { b.feed(enq + frame(1, long) + frame(2, "ab") + frame(2, "a")) },
			[]string{"ACK", "ACK", "NAK", "ACK"}},
		{"no H record: stored all the same", Options{}, func(b *bench) { b.feed(enq + frame(1, "R|1|\r"+l)) }, []string{"ACK", "complete:R|1|/L|1|N/", "ACK"}},
		{"other delimiters", Options{}, func(b *bench) { b.feed(enq + frame(1, "H!`^&\rL|1\rL!1\r")) }, []string{"ACK", "complete:H!`^&/L|1/L!1/", "ACK"}},

		{"end = eot: every ETX frame is durable", Options{End: "eot"}, func(b *bench) {
			b.feed(enq + frame(1, h+"+") + frame(2, "P|1\r") + frame(3, "R|1\r") + eot)
		}, []string{"ACK", "ACK", "draft:H|\\^&/P|1/", "ACK", "draft:H|\\^&/P|1/R|1/", "ACK", "complete:H|\\^&/P|1/R|1/"}},
		{"end = eot: an L record ends it too", Options{End: "eot"}, func(b *bench) { b.feed(enq + frame(1, h+l) + eot) },
			[]string{"ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"end = eot: cut off in a record", Options{End: "eot"}, func(b *bench) { b.feed(enq + frame(1, h) + frame(2, "R|+") + eot) },
			[]string{"ACK", "draft:H|\\^&/", "ACK", "ACK", "broken:H|\\^&/R|"}},
		{"end = eot: a draft that cannot be stored", Options{End: "eot"}, func(b *bench) {
			b.feed(enq)
			b.fail = 1
			b.feed(frame(1, h) + frame(1, h) + eot)
		}, []string{"ACK", "failed", "NAK", "draft:H|\\^&/", "ACK", "complete:H|\\^&/"}},
		{"end = eot: not stored at EOT, so before the next session", Options{End: "eot"}, func(b *bench) {
			b.feed(enq + frame(1, h))
			b.fail = 2
			b.feed(eot + enq + enq)
		}, []string{"ACK", "draft:H|\\^&/", "ACK", "failed", "failed", "NAK", "complete:H|\\^&/", "ACK"}},

		{"no CR LF, asked for", Options{FrameEnd: "any"}, func(b *bench) {
			f1, f2 := frame(1, h), frame(2, l)
			b.feed(enq + f1[:len(f1)-2] + f2[:len(f2)-2])
			b.silence(time.Second)
		}, []string{"ACK", "ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"LF alone, asked for (c111)", Options{FrameEnd: "any"}, func(b *bench) {
			f := frame(1, h+l)
			b.feed(enq + f[:len(f)-2] + "\n")
		}, []string{"ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"no CR LF", Options{}, func(b *bench) {
			f := frame(1, h+l)
			b.feed(enq + f[:len(f)-2])
			b.silence(time.Second)
		}, []string{"ACK", "NAK"}},
		{"lower-case checksum", Options{}, func(b *bench) { b.feed(enq + lowerCase()) }, []string{"ACK", "NAK"}},
		{"lower-case checksum, asked for", Options{Checksum: "any-case"}, func(b *bench) { b.feed(enq + lowerCase()) }, []string{"ACK", "ACK"}},
		{"no checksum", Options{}, func(b *bench) { b.feed(enq + "\x021" + h + "\x03\r\n") }, []string{"ACK", "NAK"}},
		{"no checksum, asked for", Options{Checksum: "none"}, func(b *bench) { b.feed(enq + "\x021" + h + l + "\x03\r\n") },
			[]string{"ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"noise and runs of STX before a frame", Options{}, func(b *bench) { b.feed(enq + "\x00\xff\r\n\x02\x02\x02\x02" + frame(1, h+l)) },
			[]string{"ACK", "complete:H|\\^&/L|1|N/", "ACK"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(c.opts)
			c.do(b)
			if !slices.Equal(b.log, c.want) {
				t.Errorf("\ngot  %q\nwant %q", b.log, c.want)
			}
		})
	}
}

// lowerCase is a frame whose checksum has a letter, in lower case.
func lowerCase() string {
	for i := range 256 {
		f := frame(1, fmt.Sprintf("H%d\r", i))
		if sum := f[len(f)-4 : len(f)-2]; strings.ContainsAny(sum, "ABCDEF") {
			return f[:len(f)-4] + strings.ToLower(sum) + "\r\n"
		}
	}
	panic("unreachable")
}

func TestBusyStoreRefusesTheSession(t *testing.T) {
	var full error = drivers.ErrStoreFull
	l := NewLink(Options{}, func() error { return full })
	_, s := l.Feed(time.Time{}, []byte{ENQ})
	if string(s.Reply) != "\x15" || !strings.Contains(s.Refused, "full") {
		t.Fatalf("got %+v", s)
	}
	full = nil
	if _, s = l.Feed(time.Time{}, []byte{ENQ}); string(s.Reply) != "\x06" {
		t.Fatalf("got %+v", s)
	}
}

// The refusal names the option that would have prevented it.
func TestRefusalsSayWhatToDo(t *testing.T) {
	f := frame(1, h)
	for name, c := range map[string]struct{ wire, want string }{
		"no CR LF":    {f[:len(f)-2], "frame_end"},
		"lower case":  {lowerCase(), "any-case"},
		"no checksum": {"\x021H|\x03\r\n", "checksum = \"none\""},
	} {
		b := newBench(Options{})
		b.feed(enq + c.wire)
		b.silence(time.Second)
		if !strings.Contains(b.step.Refused, c.want) {
			t.Errorf("%s: refused with %q", name, b.step.Refused)
		}
	}
}

// A checksum worked out by hand: '1' 'H' '|' CR ETX is 31+48+7C+0D+03 = 105.
func TestChecksumByHand(t *testing.T) {
	if got := string(AppendFrame(nil, 1, []byte("H|\r"), true)); got != "\x021H|\r\x0305\r\n" {
		t.Errorf("got %q", got)
	}
	if got := string(AppendFrame(nil, 8, []byte("A"), false)); got != "\x020A\x1788\r\n" { // 30+41+17 = 88
		t.Errorf("got %q", got)
	}
}
