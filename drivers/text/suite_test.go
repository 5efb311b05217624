package text_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/text"
)

// with is a section that a test writes in Go.
func with(o text.Options) drivers.Section {
	return drivertest.Section(func(dst any) error { *dst.(*text.Options) = o; return nil })
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func suite(t *testing.T, o text.Options, messages []string, noise, endless, filler string) drivertest.Suite {
	send, err := text.NewSender(o)
	if err != nil {
		t.Fatal(err)
	}
	// An analyzer that is refused hangs up. What the driver keeps of its message is
	// waited for, since the suite changes the store then.
	refusable := func(ctx context.Context, c drivers.Conn, message []byte) error {
		err := send.Send(ctx, c, message)
		if err != nil {
			c.Close()
			synctest.Wait()
		}
		return err
	}
	s := drivertest.Suite{Kind: text.Kind(), Section: with(o), Send: refusable, Wire: send.Wire,
		Noise: []byte(noise), Endless: []byte(endless), Filler: []byte(filler)}
	for _, m := range messages {
		s.Messages = append(s.Messages, []byte(m))
	}
	return s
}

// acked is a description whose analyzer waits for answers.
func acked(o text.Options) text.Options {
	o.Ack, o.Nak = text.Bytes{0x06}, text.Bytes{0x15}
	return o
}

func TestConformance(t *testing.T) {
	const noise = "\x00\x00\r\n\x15garbage\x06"
	framed := acked(options(t, "kx-21"))
	crc := framed
	crc.Frame.Check, crc.Frame.CheckForm, crc.Frame.CheckAt, crc.Frame.CheckOver = "crc16", "hex", "before", "start+text"
	fixed := framed
	fixed.Frame = text.Frame{By: "length", Length: 10, Start: text.Bytes{0x02}, Check: "crc16-modbus", CheckLowFirst: true, CheckOver: "start+text+end"}
	eot := acked(options(t, "tosoh-g8"))
	eot.Message = text.Assembly{End: text.Bytes{0x04}}
	for name, s := range map[string]drivertest.Suite{
		"mini-vidas":      suite(t, options(t, "mini-vidas"), messages["mini-vidas"], noise, "\x05\x02\x1emtrsl|", "\x1eqn1|"),
		"tosoh-g8":        suite(t, options(t, "tosoh-g8"), messages["tosoh-g8"], noise, "\x021", "abcdefgh"),
		"tosoh-g8 to EOT": suite(t, eot, messages["tosoh-g8"], noise, "\x021", "abcdefgh"),
		"CRC digits":      suite(t, crc, messages["kx-21"], noise, "\x02D1U", "0000 "),
		"lines with ACK":  suite(t, acked(options(t, "csv-printer")), messages["csv-printer"], "\r\n\r\r\n", "1;", "2;3;"),
		"report of lines": suite(t, acked(options(t, "rapidlab-348")), messages["rapidlab-348"], "\r\n\r\r\n", "--- Siemens", "abcdefgh"),
		"xml with ACK":    suite(t, acked(options(t, "xml-export")), messages["xml-export"], "", "<Export>", "<a>b</a>"),
	} {
		t.Run(name, func(t *testing.T) { drivertest.Run(t, s) })
	}
	// Every frame of this length is one, so that nothing can be endless.
	s := suite(t, fixed, []string{"AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC"}, noise, "\x02", "\xFF")
	t.Run("fixed length", func(t *testing.T) { drivertest.Run(t, s) })
}

// run runs a driver against a store.
func run(t *testing.T, o text.Options, store *drivertest.Store) (port *drivertest.Port, d drivers.Driver, stop func()) {
	port = drivertest.NewPort()
	d, err := text.New("bench", with(o), drivers.Deps{Port: port, Handler: store, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return port, d, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// write sends raw in pieces of n bytes and hangs up.
func write(port *drivertest.Port, raw []byte, n int) {
	c := port.Dial()
	for part := range slices.Chunk(raw, n) {
		if _, err := c.Write(part); err != nil {
			break
		}
	}
	synctest.Wait()
	c.Close()
	synctest.Wait()
}

// The status names what changes how bytes are read.
func TestOptionsInForce(t *testing.T) {
	plain := text.Options{Frame: text.Frame{By: "idle", Idle: time.Second}, Record: options(t, "csv-printer").Record}
	bent := plain
	bent.CloseEnds, bent.Decimal = true, ","
	for _, c := range []struct {
		o    text.Options
		want []string
	}{{plain, nil}, {bent, []string{"close_ends = true", "decimal = ,"}}} {
		d, err := text.New("bench", with(c.o), drivers.Deps{Port: drivertest.NewPort(), Handler: &drivertest.Store{}, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Status().Options; !slices.Equal(got, c.want) {
			t.Errorf("options %q, want %q", got, c.want)
		}
	}
}

// An analyzer that is not answered: what the suite shows of the others.
func TestWithoutAnswers(t *testing.T) {
	for _, name := range []string{"kx-21", "rapidlab-348", "csv-printer", "xml-export"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(t, name)
				send, err := text.NewSender(o)
				if err != nil {
					t.Fatal(err)
				}
				store := &drivertest.Store{}
				port, d, stop := run(t, o, store)
				defer stop()
				var raw []byte
				var want []string
				for _, m := range messages[name] {
					raw = append(raw, send.Wire([]byte(m))...)
				}
				for _, n := range []int{1, 2, 3, 7, 64, len(raw)} {
					write(port, raw, n)
					want = append(want, messages[name]...)
					if got := store.Payloads(drivers.Complete); !slices.Equal(got, want) {
						t.Fatalf("split %d: stored %q\nwant %q", n, got, want)
					}
				}
				if st := d.Status(); st.Acknowledged != uint64(len(want)) || st.Broken != 0 {
					t.Errorf("status %+v", st)
				}
				// Cut off at every byte: the message, or what came of it as broken.
				whole := send.Wire([]byte(messages[name][0]))
				for cut := range whole {
					complete, broken := len(store.Payloads(drivers.Complete)), len(store.Payloads(drivers.Broken))
					write(port, whole[:cut], len(whole))
					more := store.Payloads(drivers.Complete)[complete:]
					left := store.Payloads(drivers.Broken)[broken:]
					if len(more) > 1 || len(more) == 1 && more[0] != messages[name][0] || len(more) == 0 && cut > 20 && len(left) != 1 {
						t.Fatalf("cut at %d: complete %q, broken %q", cut, more, left)
					}
				}
			})
		})
	}
}

// Nobody sends such a message again, so storing is tried until it succeeds.
func TestWithoutAnswersStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(t, "csv-printer")
		send, err := text.NewSender(o)
		if err != nil {
			t.Fatal(err)
		}
		store := &drivertest.Store{}
		port, d, stop := run(t, o, store)
		defer stop()
		store.Refuse(drivers.ErrStoreFull)
		c := port.Dial()
		if err := send.Send(t.Context(), c, []byte(messages["csv-printer"][0])); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if got := store.Payloads(drivers.Complete); len(got) != 0 || d.Status().Refused == 0 || d.Status().Acknowledged != 0 {
			t.Fatalf("stored %q, status %+v", got, d.Status())
		}
		store.Refuse(nil)
		c.Close() // the message outlives its connection
		time.Sleep(time.Minute)
		if got := store.Payloads(drivers.Complete); !slices.Equal(got, messages["csv-printer"][:1]) {
			t.Errorf("stored %q", got)
		}
	})
}

// While nothing can be stored, what comes is held, in order and up to a limit, and
// stored later; what is held when the agent stops is tried once more, and counted
// as lost if that fails.
func TestWithoutAnswersHold(t *testing.T) {
	for _, heals := range []bool{true, false} {
		t.Run(fmt.Sprintf("heals %v", heals), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := text.Options{Frame: text.Frame{By: "line"}, Record: options(t, "csv-printer").Record}
				store := &drivertest.Store{}
				port, d, stop := run(t, o, store)
				store.Refuse(drivers.ErrStoreFull)
				c := port.Dial()
				line := strings.Repeat("x", 1<<19-8)
				sent := 0
				for {
					if err := c.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
						t.Fatal(err)
					}
					if _, err := fmt.Fprintf(c, "%06d %s\r", sent, line); err != nil {
						break // it is not read any more
					}
					if sent++; sent > 100 {
						t.Fatal("held without a limit")
					}
				}
				if sent < 30 || !strings.Contains(d.Status().Reason, "held in memory") {
					t.Fatalf("%d messages taken, status %+v", sent, d.Status())
				}
				c.Close()
				synctest.Wait()
				if heals {
					store.Refuse(nil)
				}
				stop()
				got := append(store.Payloads(drivers.Complete), store.Payloads(drivers.Broken)...)
				lost := d.Status().Counters["lost_messages"]
				if heals && (len(got) < sent || lost != 0) || !heals && (len(got) != 0 || lost < uint64(sent)) {
					t.Fatalf("%d sent, %d stored, %d lost", sent, len(got), lost)
				}
				for i, m := range got[:min(sent, len(got))] {
					if !strings.HasPrefix(m, fmt.Sprintf("%06d ", i)) {
						t.Fatalf("message %d is %.10q", i, m)
					}
				}
			})
		})
	}
}

// Silence ends what has no marks.
func TestIdle(t *testing.T) {
	lines := text.Options{Frame: text.Frame{By: "line"}, Message: text.Assembly{Idle: time.Second, First: "^H"}, Record: options(t, "csv-printer").Record}
	chunk := text.Options{Frame: text.Frame{By: "idle", Idle: time.Second}, Record: lines.Record}
	for _, c := range []struct {
		name   string
		o      text.Options
		closes bool
		do     func(c drivers.Conn)
		want   []string // complete
		broken []string
	}{
		{"a burst", chunk, false, func(c drivers.Conn) {
			c.Write([]byte("a\rb"))
			time.Sleep(900 * time.Millisecond)
			c.Write([]byte("c"))
			time.Sleep(1100 * time.Millisecond)
			c.Write([]byte("d"))
			time.Sleep(1100 * time.Millisecond)
		}, []string{"a\rbc", "d"}, nil},
		{"a burst cut off", chunk, false, func(c drivers.Conn) { c.Write([]byte("ab")) }, nil, []string{"ab"}},
		{"a burst that hanging up ends", chunk, true, func(c drivers.Conn) { c.Write([]byte("ab")) }, []string{"ab"}, nil},
		{"lines", lines, false, func(c drivers.Conn) {
			c.Write([]byte("\r\nH1\r\n1\r\n\r\n2\r\n"))
			time.Sleep(1100 * time.Millisecond)
			c.Write([]byte("H2\r"))
			time.Sleep(time.Minute)
		}, []string{"H1\r1\r\r2\r", "H2\r"}, nil},
		{"lines with the next message at once", lines, false, func(c drivers.Conn) {
			c.Write([]byte("H1\n1\nH2\n2\n"))
			time.Sleep(time.Minute)
		}, []string{"H1\n1\n", "H2\n2\n"}, nil},
		{"a line cut off", lines, false, func(c drivers.Conn) {
			c.Write([]byte("H1\r1"))
			time.Sleep(time.Minute)
		}, nil, []string{"H1\r1"}},
		{"lines cut off", lines, false, func(c drivers.Conn) { c.Write([]byte("H1\r1\r")) }, nil, []string{"H1\r1\r"}},
		{"lines that hanging up ends", lines, true, func(c drivers.Conn) { c.Write([]byte("H1\r1\r")) }, []string{"H1\r1\r"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &drivertest.Store{}
				c.o.CloseEnds = c.closes
				port, _, stop := run(t, c.o, store)
				defer stop()
				conn := port.Dial()
				c.do(conn)
				synctest.Wait()
				conn.Close()
				synctest.Wait()
				if got, broken := store.Payloads(drivers.Complete), store.Payloads(drivers.Broken); !slices.Equal(got, c.want) || !slices.Equal(broken, c.broken) {
					t.Errorf("complete %q, broken %q", got, broken)
				}
			})
		})
	}
}
