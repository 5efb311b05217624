package text

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers/session"
)

var errStore = errors.New("disk on fire")

// bench runs a link and writes down what it does: "complete:TEXT", "ACK", …
type bench struct {
	link *Link
	fail int // how many stores are to fail
	busy error
	log  []string
}

func newBench(t testing.TB, o Options) *bench {
	o.Record = []Rule{{Layout: "fixed", Fields: map[string]string{"test": "1", "value": "2-"}}}
	b := &bench{}
	var err error
	if b.link, err = NewLink(o, func() error { return b.busy }); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) feed(s string) {
	for p := []byte(s); len(p) > 0; {
		n, step := b.link.Feed(time.Time{}, p)
		p = p[n:]
		b.do(step)
	}
}

func (b *bench) do(s session.Step) {
	for {
		if s.Refused != "" {
			b.log = append(b.log, "refused")
		}
		for range s.Whole {
			b.log = append(b.log, "whole")
		}
		switch string(s.Reply) {
		case "\x06":
			b.log = append(b.log, "ACK")
		case "\x15":
			b.log = append(b.log, "NAK")
		}
		if len(s.Store) == 0 {
			return
		}
		var err error
		for _, p := range s.Store {
			if b.fail > 0 {
				b.fail--
				err = errStore
				b.log = append(b.log, "failed")
				break
			}
			b.log = append(b.log, fmt.Sprintf("%s:%s", p.Stage, strings.ReplaceAll(string(p.Payload), "\x03", "/")))
		}
		s = b.link.Stored(time.Time{}, err)
	}
}

func (b *bench) hangUp() {
	for {
		s := b.link.HangUp(time.Time{})
		if !s.Asks() {
			return
		}
		b.do(s)
	}
}

func xored(text string) string {
	return "\x02" + text + "\x03" + string(checker{kind: "xor", withEnd: true}.of(nil, []byte(text), []byte{3}))
}

func TestLink(t *testing.T) {
	stx := Options{Frame: Frame{By: "stx-etx"}}
	acks := stx
	acks.Ack, acks.Nak, acks.Frame.Check = Bytes{6}, Bytes{0x15}, "xor"
	silent := acks
	silent.Nak = nil
	plain := stx
	plain.Frame.Check = "xor"
	last := acks
	last.Message = Assembly{First: "^1", Last: "^8"}
	plainLast := stx
	plainLast.Message = last.Message
	eot := acks
	eot.Message, eot.Enquiry = Assembly{End: Bytes{4}}, Bytes{5}
	idle := acks
	idle.Message = Assembly{Idle: time.Second, First: "^H"}
	small := last
	small.MaxMessage = 16
	smallPlain := plainLast
	smallPlain.MaxMessage = 16
	smallLine := Options{Frame: Frame{By: "line"}, MaxMessage: 16}
	spoilt := "\x02abc\x03?"
	for _, c := range []struct {
		name string
		o    Options
		do   func(b *bench)
		want []string
	}{
		{"a frame", acks, func(b *bench) { b.feed(xored("abc")) }, []string{"complete:abc", "whole", "ACK"}},
		{"a frame without answers", stx, func(b *bench) { b.feed("\x02abc\x03\x02d\x03") }, []string{"complete:abc", "whole", "complete:d", "whole"}},
		{"an empty frame is acknowledged and no message", acks, func(b *bench) { b.feed(xored("")) }, []string{"ACK"}},
		{"a wrong check", acks, func(b *bench) { b.feed(spoilt) }, []string{"refused", "NAK"}},
		{"a wrong check without NAK is met with silence", silent, func(b *bench) { b.feed(spoilt + xored("abc")) }, []string{"refused", "complete:abc", "whole", "ACK"}},
		{"a wrong check without answers is kept", plain, func(b *bench) { b.feed(spoilt) }, []string{"refused", "broken:abc"}},
		{"a store that fails", acks, func(b *bench) { b.fail = 1; b.feed(xored("abc") + xored("abc")) },
			[]string{"failed", "refused", "NAK", "complete:abc", "whole", "ACK"}},
		{"a run of STX", stx, func(b *bench) { b.feed("\x02\x02\x02abc\x03") }, []string{"complete:abc", "whole"}},
		{"STX in the middle", stx, func(b *bench) { b.feed("\x02ab\x02cd\x03") }, []string{"broken:ab", "complete:cd", "whole"}},
		{"STX in the middle, sent again", acks, func(b *bench) { b.feed("\x02ab" + xored("cd")) }, []string{"complete:cd", "whole", "ACK"}},
		{"silence in a frame", stx, func(b *bench) { b.feed("\x02ab"); b.do(b.link.Silence(time.Time{})) }, []string{"broken:ab"}},
		{"silence in a frame of an analyzer that waits", acks, func(b *bench) { b.feed("\x02ab"); b.do(b.link.Silence(time.Time{})) }, nil},
		{"records to the last", last, func(b *bench) { b.feed(xored("1") + xored("2") + xored("8")) },
			[]string{"ACK", "ACK", "complete:1/2/8/", "whole", "ACK"}},
		{"the last cannot be stored, and comes again", last, func(b *bench) { b.fail = 1; b.feed(xored("1") + xored("8") + xored("8")) },
			[]string{"ACK", "failed", "refused", "NAK", "complete:1/8/", "whole", "ACK"}},
		{"the first before the last", last, func(b *bench) { b.feed(xored("1") + xored("2") + xored("1") + xored("8")) },
			[]string{"ACK", "ACK", "broken:1/2/", "ACK", "complete:1/8/", "whole", "ACK"}},
		{"hang-up before the last", last, func(b *bench) { b.feed(xored("1")); b.hangUp() }, []string{"ACK", "broken:1/"}},
		{"silence before the last", last, func(b *bench) { b.feed(xored("1")); b.do(b.link.Silence(time.Time{})); b.feed(xored("1") + xored("8")) },
			[]string{"ACK", "broken:1/", "ACK", "complete:1/8/", "whole", "ACK"}},
		{"a message that is too long", small, func(b *bench) {
			b.feed(xored("1234567890") + xored("2234567890") + xored("3") + xored("8") + xored("1") + xored("8"))
		},
			[]string{"ACK", "refused", "NAK", "refused", "NAK", "broken:1234567890/", "refused", "NAK", "ACK", "complete:1/8/", "whole", "ACK"}},
		{"a message that is too long, without answers", smallPlain, func(b *bench) {
			b.feed("\x021234567890\x03\x022234567890\x03\x028\x03\x021\x03\x028\x03")
		},
			[]string{"refused", "broken:1234567890/", "refused", "complete:1/8/", "whole"}},
		{"a spoilt record without answers", func() Options { o := plainLast; o.Frame.Check = "xor"; return o }(), func(b *bench) {
			b.feed(xored("1") + spoilt + xored("8") + xored("1") + xored("8"))
		}, []string{"refused", "broken:1/abc/8/", "complete:1/8/", "whole"}},
		{"every record is a draft before a mark without answer", eot, func(b *bench) { b.feed("\x05" + xored("1") + xored("2") + "\x04") },
			[]string{"ACK", "draft:1/", "ACK", "draft:1/2/", "ACK", "complete:1/2/", "whole"}},
		{"a draft that cannot be stored", eot, func(b *bench) { b.feed("\x05" + xored("1")); b.fail = 1; b.feed(xored("2") + xored("2") + "\x04") },
			[]string{"ACK", "draft:1/", "ACK", "failed", "refused", "NAK", "draft:1/2/", "ACK", "complete:1/2/", "whole"}},
		{"what the mark ended is stored before the next is let begin", eot, func(b *bench) {
			b.feed("\x05" + xored("1"))
			b.fail = 2
			b.feed("\x04\x05\x05" + xored("2") + "\x04")
		}, []string{"ACK", "draft:1/", "ACK", "failed", "refused", "failed", "refused", "NAK", "complete:1/", "whole", "ACK", "draft:2/", "ACK", "complete:2/", "whole"}},
		{"a new enquiry in the middle", eot, func(b *bench) { b.feed("\x05" + xored("1") + "\x05" + xored("2") + "\x04") },
			[]string{"ACK", "draft:1/", "ACK", "broken:1/", "ACK", "draft:2/", "ACK", "complete:2/", "whole"}},
		{"an enquiry while nothing can be stored", eot, func(b *bench) { b.busy = errStore; b.feed("\x05") }, []string{"refused", "NAK"}},
		{"silence ends", idle, func(b *bench) { b.feed(xored("H") + xored("2")); b.do(b.link.Silence(time.Time{})) },
			[]string{"draft:H/", "ACK", "draft:H/2/", "ACK", "complete:H/2/", "whole"}},
		{"the next begins", idle, func(b *bench) { b.feed(xored("H") + xored("H")) }, []string{"draft:H/", "ACK", "complete:H/", "draft:H/", "whole", "ACK"}},
		{"the next begins, and the one before cannot be stored", idle, func(b *bench) { b.feed(xored("H") + xored("1")); b.fail = 1; b.feed(xored("H") + xored("H")) },
			[]string{"draft:H/", "ACK", "draft:H/1/", "ACK", "failed", "refused", "NAK", "complete:H/1/", "draft:H/", "whole", "ACK"}},
		{"a line that is too long", smallLine, func(b *bench) { b.feed("12345678901234567890\r\nabc\r\n") },
			[]string{"refused", "broken:1234567890123456", "complete:abc", "whole"}},
		{"blank lines are no messages", smallLine, func(b *bench) { b.feed("\r\n\n\r  \rabc\r\n\r\n") }, []string{"complete:abc", "whole"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.o)
			c.do(b)
			got := slices.DeleteFunc(b.log, func(s string) bool { return s == "" })
			if c.name == "the next begins" || strings.HasPrefix(c.name, "the next begins,") {
				got = orderWhole(got)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if w := b.link.Wait(); w != 0 && len(b.link.msg) == 0 && !b.link.dec.inside() && b.link.unsettled == nil && !b.link.skipped {
				t.Errorf("waits %s for nothing", w)
			}
		})
	}
}

// orderWhole puts "whole" behind the draft that is stored in the same breath.
func orderWhole(log []string) []string {
	for i := range len(log) - 1 {
		if log[i] == "whole" && strings.HasPrefix(log[i+1], "draft:") {
			log[i], log[i+1] = log[i+1], log[i]
		}
	}
	return log
}

// The check values are those of the catalogues for the text 123456789.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ kind, want string }{
		{"crc16", "BB3D"}, {"crc16-modbus", "4B37"}, {"crc16-ccitt", "29B1"}, {"crc16-xmodem", "31C3"},
		{"xor", "31"}, {"sum", "DD"},
	} {
		if got := string(checker{kind: c.kind, hex: true}.of(nil, []byte("123456789"), nil)); got != c.want {
			t.Errorf("%s: %s, want %s", c.kind, got, c.want)
		}
	}
	c := checker{kind: "crc16", lowFirst: true}
	if got := c.of(nil, []byte("123456789"), nil); got[0] != 0x3D || got[1] != 0xBB {
		t.Errorf("low byte first: % X", got)
	}
	sum := checker{kind: "sum", hex: true, withStart: true, withEnd: true}
	if got := string(sum.of([]byte{2}, []byte("A"), []byte{3})); got != "46" || !sum.matches([]byte{2}, []byte("J"), []byte{3}, []byte("4f")) {
		t.Errorf("sum over all: %s", got)
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"<STX>", "\x02"}, {"<CR><LF>", "\r\n"}, {"<0x1e>x<0xFF>", "\x1ex\xff"}, {"</Report>", "</Report>"},
		{"<", "<"}, {"<stx>", "<stx>"}, {"a<SP>b<DEL>", "a b\x7f"}, {"\u0006\u00e9", "\x06\xe9"}, {"", ""},
	} {
		var b Bytes
		if err := b.UnmarshalText([]byte(c.text)); err != nil || string(b) != c.want {
			t.Errorf("%q: %q, %v", c.text, b, err)
		}
		var again Bytes
		if err := again.UnmarshalText([]byte(b.String())); err != nil || string(again) != string(b) {
			t.Errorf("%q shown as %q", b, b.String())
		}
	}
	var b Bytes
	if b.UnmarshalText([]byte("→")) == nil {
		t.Error("a character that is no byte was taken")
	}
}

func TestTimeFormats(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ format, text, want string }{
		{"DD.MM.YYYY hh:mm:ss", "22.11.2026 08:15:30", "2026-11-22T08:15:30+01:00"},
		{"MM/DD/YY hh:mm", "11/22/26 08:15", "2026-11-22T08:15:00+01:00"},
		{"D MMM YYYY hh:mm", "2 Nov 2026 08:15", "2026-11-02T08:15:00+01:00"},
		{"YYYYMMDDhhmmss", "20260722081530", "2026-07-22T08:15:30+02:00"},
		{"YYMMDD", "260722", "2026-07-22T00:00:00+02:00"},
		{"M/D/YYYY h:mm AM", "7/2/2026 3:05 pm", "2026-07-02T15:05:00+02:00"},
		{"M/D/YYYY h:mm AM", "7/2/2026 12:05 AM", "2026-07-02T00:05:00+02:00"},
		{"YYYY-MM-DDThh:mm", "2026-07-22T08:15", "2026-07-22T08:15:00+02:00"},
		{"DD.MM.YYYY hh:mm", "31.02.2026 08:15", ""},
		{"DD.MM.YYYY hh:mm", "22.11.2026", ""},
		{"DD.MM.YYYY", "22.11.2026 08:15", ""},
	} {
		f, err := newTimeFormat(c.format)
		if err != nil {
			t.Errorf("%s: %v", c.format, err)
			continue
		}
		got, ok := f.read(c.text, zurich)
		if ok != (c.want != "") || ok && (got.Value.Format(time.RFC3339) != c.want || got.Text != c.text) {
			t.Errorf("%s: %q: %+v", c.format, c.text, got)
		}
	}
	for _, bad := range []string{"", "hh:mm", "DD.MM", "YYYY-mm-DD", "YYYY hh:mm", "DD.MM.YYYY ss", "yyyy", "YYYY-MM-DD 15:04", "DD.MM.YYYY mm"} {
		if _, err := newTimeFormat(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	// The clocks of Zurich went back at 03:00: the format knows no offset.
	f, _ := newTimeFormat("DD.MM.YYYY hh:mm")
	if got, _ := f.read("25.10.2026 02:30", zurich); !got.Ambiguous {
		t.Error("an hour that comes twice is not marked")
	}
}

func TestValue(t *testing.T) {
	n := func(i int) *int { return &i }
	for _, c := range []struct {
		text     string
		comma    bool
		decimals *int
		number   string
	}{
		{"5,4", false, nil, ""}, {"5,4", true, nil, "5.4"}, {"< 5,40", true, nil, "<5.40"}, {"1,234,5", true, nil, ""},
		{"1.234", true, nil, ""}, {"1.234", false, nil, "1.234"}, {"12", true, nil, "12"}, {"5,4 mg", true, nil, ""},
		{"0064", false, n(1), "6.4"}, {"0064", false, n(0), "64"}, {"0000", false, n(0), "0"}, {"0005", false, n(4), "0.0005"},
		{"5", false, n(3), "0.005"}, {"-05", false, n(1), "-0.5"}, {"+05", false, n(1), "0.5"}, {"6.4", false, n(1), ""},
		{"<0064", false, n(1), "<6.4"}, {"*064", false, n(1), ""}, {"----", false, n(1), ""}, {"", false, n(1), ""},
	} {
		d := &description{}
		if c.comma {
			d.Decimal = ","
		}
		v := d.value(c.text, c.decimals)
		if v.Text != c.text || v.Comparator+v.Number != c.number {
			t.Errorf("%q: %+v", c.text, v)
		}
	}
	d := &description{Options: Options{Absent: []string{"ERR"}}}
	if v := d.value("ERR", nil); v.Absent == "" || v.Text != "ERR" {
		t.Errorf("%+v", v)
	}
}

func TestSplitFields(t *testing.T) {
	for _, c := range []struct {
		line, quote string
		want        []string
	}{
		{"a;b;;c", "", []string{"a", "b", "", "c"}},
		{"", `"`, []string{""}},
		{`"a;b";c`, `"`, []string{"a;b", "c"}},
		{`a; "b""c" ;d`, `"`, []string{"a", `b"c `, "d"}},
		{`"a;b`, `"`, []string{`"a`, "b"}},
		{`a"b;c"d`, `"`, []string{`a"b`, `c"d`}},
		{`"a";`, `"`, []string{"a", ""}},
	} {
		if got := split(c.line, ";", c.quote); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.line, got)
		}
	}
}
