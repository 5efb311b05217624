package astm

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Bare records: where a message begins and ends, and what is answered.
func TestRaw(t *testing.T) {
	const idle = 2 * time.Second
	for _, c := range []struct {
		name string
		opts Options
		do   func(b *bench)
		want []string
	}{
		{"a message", Options{}, func(b *bench) { b.feed(h + "R|1\r" + l) }, []string{"complete:H|\\^&/R|1/L|1|N/"}},
		{"with ACK", Options{Answer: "ack"}, func(b *bench) { b.feed(h + l) }, []string{"complete:H|\\^&/L|1|N/", "ACK"}},
		{"two at once", Options{Answer: "ack"}, func(b *bench) { b.feed(h + l + h + "R|1\r" + l) },
			[]string{"complete:H|\\^&/L|1|N/", "ACK", "complete:H|\\^&/R|1/L|1|N/", "ACK"}},
		{"LF ends records", Options{}, func(b *bench) { b.feed("H|\\^&\nL|1|N\n") }, []string{"complete:H|\\^&\nL|1|N\n"}},
		{"CR LF ends records", Options{}, func(b *bench) { b.feed("H|\\^&\r\nL|1|N\r\nH|\\^&\r\nL|1\r\n") },
			[]string{"complete:H|\\^&/\nL|1|N/", "complete:H|\\^&/\nL|1/"}},
		{"noise before and between", Options{}, func(b *bench) { b.feed("\x00\x02HHello H|" + h + l + "\x00\xffH\r\n" + h + l) },
			[]string{"complete:H|\\^&/L|1|N/", "complete:H|\\^&/L|1|N/"}},
		{"a header without delimiters at the beginning of a line", Options{}, func(b *bench) { b.feed("junk\rH||||X\r" + l) },
			[]string{"complete:H||||X/L|1|N/"}},
		{"an L record that may go on", Options{}, func(b *bench) { b.feed(h + "L|1|"); b.silence(31 * time.Second) },
			[]string{"broken:H|\\^&/L|1|"}},
		{"an L record that silence ends", Options{IdleEnd: idle}, func(b *bench) { b.feed(h + "L|1|N"); b.silence(idle) },
			[]string{"complete:H|\\^&/L|1|N"}},
		{"an L record that hanging up ends", Options{IdleEnd: idle}, func(b *bench) { b.feed(h + "L|1|N"); b.do(b.link.HangUp(b.now)) },
			[]string{"complete:H|\\^&/L|1|N"}},
		{"cut off by hanging up", Options{IdleEnd: idle}, func(b *bench) { b.feed(h + "R|1\r"); b.do(b.link.HangUp(b.now)) },
			[]string{"broken:H|\\^&/R|1/"}},
		{"no L record, silence", Options{IdleEnd: idle}, func(b *bench) { b.feed(h + "R|1\r"); b.silence(idle) },
			[]string{"complete:H|\\^&/R|1/"}},
		{"no L record, the next message", Options{IdleEnd: idle}, func(b *bench) { b.feed(h + "R|1\r" + h + "R|2\r"); b.silence(idle) },
			[]string{"complete:H|\\^&/R|1/", "complete:H|\\^&/R|2/"}},
		{"begun anew", Options{}, func(b *bench) { b.feed(h + "R|1\r" + h + "R|1\r" + l) },
			[]string{"broken:H|\\^&/R|1/", "complete:H|\\^&/R|1/L|1|N/"}},
		{"the store refuses", Options{Answer: "ack"}, func(b *bench) { b.fail = 1; b.feed(h + l + h + l) },
			[]string{"failed", "NAK", "complete:H|\\^&/L|1|N/", "ACK"}},
		{"the store refuses an analyzer that is not answered", Options{}, func(b *bench) { b.fail = 1; b.feed(h + l) }, []string{"failed"}},
		{"ENQ: it does send frames", Options{}, func(b *bench) { b.feed(enq) }, []string{"NAK"}},
		{"too long", Options{MaxMessage: 300}, func(b *bench) { b.feed(h + "R|1\r" + strings.Repeat("x", 400) + "\r" + h + l) },
			[]string{"broken:H|\\^&/R|1/", "complete:H|\\^&/L|1|N/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Framing = "none"
			if err := c.opts.validate(); err != nil {
				t.Fatal(err)
			}
			b := newBench(c.opts)
			c.do(b)
			if !slices.Equal(b.log, c.want) {
				t.Errorf("got  %q\nwant %q", b.log, c.want)
			}
		})
	}
}

// Whoever chose the wrong framing is told so.
func TestWrongFraming(t *testing.T) {
	for _, c := range []struct{ framing, wire, hint string }{
		{"none", enq, `take framing = "none" out`},
		{"lis01", h + l, `astm = { framing = "none" }`},
		{"lis01", "xH|\\^&|||A\r", `astm = { framing = "none" }`},
		{"lis01", "\x00Hallo\rnoise|", ""},
	} {
		link := Options{Framing: c.framing}.link(func() error { return nil })
		refused := ""
		for p := []byte(c.wire); len(p) > 0; {
			n, s := link.Feed(time.Time{}, p)
			p, refused = p[n:], refused+s.Refused
		}
		if (c.hint == "") != (refused == "") || !strings.Contains(refused, c.hint) {
			t.Errorf("%s, %q: %q", c.framing, c.wire, refused)
		}
	}
}
