package detect

import (
	"fmt"
	"math/bits"
	"strings"
)

// Settings are those of a serial line that are tried.
type Settings struct {
	Baud     int    `json:"baud"`
	DataBits int    `json:"data_bits"`
	Parity   string `json:"parity"` // "none", "odd", "even"
}

func (s Settings) String() string {
	return fmt.Sprintf("%d %d%s1", s.Baud, s.DataBits, strings.ToUpper(s.Parity[:1]))
}

// first are the speeds in the order in which they are tried: by how often they are
// met.
func first() []int { return []int{9600, 19200, 38400, 4800, 115200, 57600, 2400, 1200} }

// Ladder decides which settings to listen with next.
type Ladder struct {
	now   Settings
	tried map[Settings]bool
	turn  int // in first
}

// NewLadder begins with the most usual settings. A speed other than 0 is kept.
func NewLadder(baud int) *Ladder {
	if baud == 0 {
		baud = first()[0]
	}
	l := &Ladder{now: Settings{baud, 8, "none"}, tried: map[Settings]bool{}}
	l.tried[l.now] = true
	return l
}

// Now is what to listen with.
func (l *Ladder) Now() Settings { return l.now }

// Judge takes what came with the present settings. It reports whether that makes
// sense; if not, Now says what to try next.
func (l *Ladder) Judge(data []byte) (fits bool) {
	c := count(data)
	if l.now.Parity == "none" && l.now.DataBits == 8 {
		switch {
		case c.n >= 2 && c.stripped*10 >= c.n*9 && c.high > 0 && c.even == c.n:
			return l.settle(Settings{l.now.Baud, 7, "even"})
		case c.n >= 1 && c.stripped*10 >= c.n*9 && c.high > 0 && c.odd == c.n:
			return l.settle(Settings{l.now.Baud, 7, "odd"})
		}
	}
	if c.nul == 0 && c.valid*10 >= c.n*8 && c.n > 0 {
		return true
	}
	for _, parity := range []string{"even", "odd"} { // a parity bit where a stop bit is due damages bytes
		if s := (Settings{l.now.Baud, 8, parity}); c.nul > 0 && !l.tried[s] && l.now.DataBits == 8 {
			l.try(s)
			return false
		}
	}
	for range first() {
		l.turn = (l.turn + 1) % len(first())
		if s := (Settings{first()[l.turn], 8, "none"}); !l.tried[s] {
			l.try(s)
			return false
		}
	}
	l.tried, l.turn = map[Settings]bool{}, 0 // all were tried: anew
	l.try(Settings{first()[0], 8, "none"})
	return false
}

func (l *Ladder) try(s Settings) {
	l.now = s
	l.tried[s] = true
}

// settle changes the settings to those that the bytes themselves show.
func (l *Ladder) settle(s Settings) bool {
	if l.tried[s] { // it was believed before, and wrongly
		return false
	}
	l.try(s)
	return false
}

type counts struct{ n, nul, valid, stripped, high, even, odd int }

// count looks at bytes one by one: which may stand in a message, as they are and
// without their eighth bit, and which parity they have.
func count(data []byte) (c counts) {
	for _, b := range data {
		c.n++
		switch {
		case b == 0:
			c.nul++
		case sensible(b):
			c.valid++
		}
		if sensible(b & 0x7F) {
			c.stripped++
		}
		if b >= 0x80 {
			c.high++
		}
		if bits.OnesCount8(b)%2 == 0 {
			c.even++
		} else {
			c.odd++
		}
	}
	return c
}

// sensible reports whether a byte is printable ASCII or a control character that
// protocols use.
func sensible(b byte) bool {
	return b >= ' ' && b < 0x7F || strings.IndexByte("\x02\x03\x04\x05\x06\x0B\x15\x17\x1C\x1D\x1E\t\r\n", b) >= 0
}
