package mllp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	vt = "\x0b"
	fs = "\x1c"
)

// drain feeds raw in pieces of step bytes and tells what came out. In raw, \xff
// stands for silence and \xfe for a hang-up.
func drain(t testing.TB, d *Decoder, raw []byte, step int) (out []string) {
	tell := func(b Block, block bool) {
		if block {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s!%s", b.Payload, word[b.Fault]), "!"))
		}
	}
	feed := func(p []byte) {
		for len(p) > 0 {
			chunk := p[:min(step, len(p))]
			p = p[len(chunk):]
			for len(chunk) > 0 {
				n, b, block := d.Feed(chunk)
				if n == 0 && !block {
					t.Fatal("no progress")
				}
				chunk = chunk[n:]
				tell(b, block)
			}
		}
	}
	for len(raw) > 0 {
		i := bytes.IndexAny(raw, "\xff\xfe")
		if i < 0 {
			feed(raw)
			break
		}
		feed(raw[:i])
		if raw[i] == 0xff {
			tell(d.Silence())
		} else {
			tell(d.HangUp())
		}
		raw = raw[i+1:]
	}
	return out
}

var word = map[Fault]string{FaultCut: "cut", FaultSilence: "silence", FaultIdle: "idle", FaultHangUp: "hang-up", FaultTooLong: "too long"}

func TestDecoder(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		idle      bool
		want      []string
		noise     uint64
	}{
		{"one", vt + "one" + fs + "\r", false, []string{"one"}, 0},
		{"two at once", vt + "one" + fs + "\r" + vt + "two" + fs + "\r", false, []string{"one", "two"}, 0},
		{"line feed behind", vt + "one" + fs + "\r\n\r\n" + vt + "two" + fs + "\n", false, []string{"one", "two"}, 0},
		{"no CR, next follows", vt + "one" + fs + vt + "two" + fs + "\r", false, []string{"one", "two"}, 0},
		{"no CR, silence", vt + "one" + fs + "\xff", false, []string{"one"}, 0},
		{"no CR, hang-up", vt + "one" + fs + "\xfe", false, []string{"one"}, 0},
		{"noise before", "\x00\x02\x02abc\r\n" + vt + "one" + fs + "\r", false, []string{"one"}, 5},
		{"a run of VT", vt + vt + vt + "one" + fs + "\r", false, []string{"one"}, 2},
		{"cut by the next", vt + "one" + vt + "two" + fs + "\r", false, []string{"one!cut", "two"}, 0},
		{"FS in the message", vt + "o" + fs + "ne" + fs + fs + "\r", false, []string{"o" + fs + "ne" + fs}, 0},
		{"silence inside", vt + "one\xfftwo" + fs + "\r" + vt + "three" + fs + "\r", false, []string{"one!silence", "three"}, 4},
		{"hang-up inside", vt + "one\xfe", false, []string{"one!hang-up"}, 0},
		{"hang-up after VT", vt + "\xfe" + vt + "\xff", false, nil, 0},
		{"silence outside", "\xff\xfe", false, nil, 0},
		{"empty block", vt + fs + "\r", false, []string{""}, 0},
		{"a message without VT is noise", "MSH|" + fs + "\r", false, nil, 5},
		{"too long", vt + strings.Repeat("x", 21) + fs + "\r" + vt + "one" + fs + "\r", false, []string{strings.Repeat("x", 20) + "!too long", "one"}, 0},
		{"as long as may be", vt + strings.Repeat("x", 20) + fs + "\r", false, []string{strings.Repeat("x", 20)}, 0},
		{"idle: neither VT nor FS", "MSH|one\r\xffMSH|two\r\xff", true, []string{"MSH|one\r", "MSH|two\r"}, 0},
		{"idle: noise before", "xMMSH|one\r\xff", true, []string{"MSH|one\r"}, 2},
		{"idle: no FS", vt + "MSH|one\r" + vt + "MSH|two\r\xff", true, []string{"MSH|one\r", "MSH|two\r"}, 0},
		{"idle: all in order", vt + "MSH|one\r" + fs + "\r" + vt + "MSH|two\r" + fs + "\r\xff", true, []string{"MSH|one\r", "MSH|two\r"}, 0},
		{"idle: batch", "FHS|\rMSH|one\r\xffBHS|\r\xff", true, []string{"FHS|\rMSH|one\r", "BHS|\r"}, 0},
		{"idle: silence in a line", "MSH|one\rPI\xff", true, []string{"MSH|one\rPI!idle"}, 0},
		{"idle: VT in a line", vt + "MSH|o" + vt + "MSH|two\r\xff", true, []string{"MSH|o!cut", "MSH|two\r"}, 0},
		{"idle: hang-up", "MSH|one\r\xfe", true, []string{"MSH|one\r!hang-up"}, 0},
	} {
		for _, step := range []int{1, 2, 1000} {
			d := &Decoder{MaxBlock: 20}
			if c.idle {
				d.IdleEnd = time.Second
			}
			got := drain(t, d, []byte(c.raw), step)
			if noise := d.Noise(); !slices.Equal(got, c.want) || noise != c.noise {
				t.Errorf("%s, %d at a time: %q, noise %d; want %q, %d", c.name, step, got, noise, c.want, c.noise)
			}
			if d.Noise() != 0 {
				t.Errorf("%s: noise is told twice", c.name)
			}
		}
	}
}

func TestWait(t *testing.T) {
	var d Decoder
	feed := func(s string) { drain(t, &d, []byte(s), 1) }
	if d.Wait() != 0 {
		t.Error("waits although nothing began")
	}
	feed(vt + "a")
	if d.Wait() != BlockTimeout {
		t.Errorf("inside: %s", d.Wait())
	}
	feed(fs)
	if d.Wait() != EndTimeout {
		t.Errorf("after FS: %s", d.Wait())
	}
	d = Decoder{IdleEnd: time.Second}
	feed("MSH|")
	if d.Wait() != time.Second {
		t.Errorf("without FS: %s", d.Wait())
	}
}

// An endless block is held in bounded memory, and its memory is given back.
func TestMemory(t *testing.T) {
	d := Decoder{MaxBlock: 4 << 20}
	chunk := bytes.Repeat([]byte{'x'}, 64<<10)
	d.Feed([]byte{VT})
	for range 1024 {
		d.Feed(chunk)
	}
	if cap(d.buf) > 8<<20 {
		t.Errorf("holds %d bytes", cap(d.buf))
	}
	if _, b, _ := d.Feed([]byte{FS, CR}); b.Fault != FaultTooLong || len(b.Payload) != 4<<20 {
		t.Errorf("%d bytes, fault %q", len(b.Payload), b.Fault)
	}
	d.Feed([]byte{VT})
	if cap(d.buf) > keep {
		t.Errorf("keeps %d bytes", cap(d.buf))
	}
}

// FuzzDecoder: however the bytes are split, the same blocks come out.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("noise"+vt+"MSH|\r"+fs+"\r\n"+vt+"x"+vt+"y"+fs+vt+"\xff\xfe"), uint8(1), uint8(0))
	f.Add([]byte("MSMSH|\r\xff"+fs+"BHS\xfe"), uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, raw []byte, step, opts uint8) {
		run := func(step int) ([]string, uint64) {
			d := &Decoder{MaxBlock: int(opts >> 1)}
			if opts&1 != 0 {
				d.IdleEnd = time.Second
			}
			out := drain(t, d, raw, step)
			return out, d.Noise()
		}
		whole, noise := run(len(raw) + 1)
		split, noise2 := run(int(step) + 1)
		if !slices.Equal(whole, split) || noise != noise2 {
			t.Errorf("whole %q %d\nsplit %q %d", whole, noise, split, noise2)
		}
	})
}

// FuzzBlocks: what is put into blocks comes out again, with any noise between.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte("MSH|^~\\&|\r"), []byte("PID|1\r"), []byte("\r\n\x00abc"))
	f.Fuzz(func(t *testing.T, one, two, noise []byte) {
		for _, p := range [][]byte{one, two} {
			if len(p) == 0 || bytes.IndexByte(p, VT) >= 0 || bytes.Contains(p, []byte{FS, CR}) || bytes.Contains(p, []byte{FS, LF}) || bytes.ContainsAny(p, "\xff\xfe") {
				t.Skip("not sendable, or a mark of this test")
			}
		}
		if bytes.IndexByte(noise, VT) >= 0 || bytes.ContainsAny(noise, "\xff\xfe") {
			t.Skip("not noise")
		}
		raw := slices.Concat(noise, AppendBlock(nil, one), noise, AppendBlock(nil, two), noise)
		got := drain(t, &Decoder{}, raw, 7)
		if want := []string{string(one), string(two)}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	for _, size := range []int{600, 50_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			message := bytes.Repeat([]byte("OBX|1|NM|WBC^Leucocytes||7.5|10*3/uL|4.0-10.0|N|||F\r"), size/51)
			var raw []byte
			for len(raw) < 1<<20 {
				raw = AppendBlock(raw, message)
			}
			var d Decoder
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				for off := 0; off < len(raw); {
					chunk := raw[off:min(off+32<<10, len(raw))] // as read from a socket
					n, _, _ := d.Feed(chunk)
					off += n
				}
			}
		})
	}
}
