package hl7_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/mllp"
)

// bench is a driver with one peer connected, in a synctest bubble.
type bench struct {
	store  *drivertest.Store
	driver drivers.Driver
	peer   drivers.Conn

	mu  sync.Mutex
	got []byte
}

// with runs f against a driver with these options, and returns when all of it
// has ended.
func with(t *testing.T, o hl7.Options, f func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		p := drivertest.NewPort()
		b := &bench{store: &drivertest.Store{}}
		section := drivertest.Section(func(dst any) error { *dst.(*hl7.Options) = o; return nil })
		d, err := hl7.New("bench", section, drivers.Deps{Port: p, Handler: b.store, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.Run(ctx) }()
		b.driver, b.peer = d, p.Dial()
		go func() {
			buf := make([]byte, 4096)
			for {
				n, err := b.peer.Read(buf)
				b.mu.Lock()
				b.got = append(b.got, buf[:n]...)
				b.mu.Unlock()
				if err != nil {
					return
				}
			}
		}()
		f(b)
		b.peer.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// send writes raw and returns what is answered, with our time and control id
// masked, VT and FS written [ and ], and a / for each CR.
func (b *bench) send(raw string) string {
	if raw != "" {
		if _, err := io.WriteString(b.peer, raw); err != nil {
			return err.Error()
		}
	}
	time.Sleep(200 * time.Millisecond) // in the bubble: there is a pause between answers
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	got := string(b.got)
	b.got = nil
	got = ownOffset.ReplaceAllString(got, "${1}+")
	got = ownFields.ReplaceAllString(got, "TIME${1}ID|")
	return strings.NewReplacer("\x0b", "[", "\x1c\r", "]", "\r", "/").Replace(got)
}

// ownFields are our time, which begins about 2000 inside a bubble, and control id.
var (
	ownFields = regexp.MustCompile(`(?:1999|2000)\d{10}(\+?\|\|ACK[^|]*\|)[0-9A-Z]{8,14}\|`)
	ownOffset = regexp.MustCompile(`((?:1999|2000)\d{10})[+-]\d{4}`)
)

func block(m string) string { return string(mllp.AppendBlock(nil, []byte(m))) }

const body = "\rOBR|1||S-1|GLU\rOBX|1|NM|GLU||5.4\r"

// msh makes an ORU^R01 header with these MSH-9 to 12 and following fields.
func msh(rest string) string { return `MSH|^~\&|APP|FAC|HOST|SITE|20261122080000||` + rest }

func TestAcknowledgement(t *testing.T) {
	const back = `[MSH|^~\&|HOST|SITE|APP|FAC|TIME||`
	for _, c := range []struct {
		name, send, want string
		refuse           error
		opts             hl7.Options
		complete, broken int
	}{
		{name: "original", send: msh("ORU^R01^ORU_R01|7|P|2.5.1") + body, complete: 1,
			want: back + "ACK^R01^ACK|ID|P|2.5.1/MSA|AA|7/]"},
		{name: "before there were structures", send: msh("ORU^R01|7|P|2.3.1") + body, complete: 1,
			want: back + "ACK^R01|ID|P|2.3.1/MSA|AA|7/]"},
		{name: "no trigger event", send: msh("ORU|7|P|2.3") + body, complete: 1,
			want: back + "ACK|ID|P|2.3/MSA|AA|7/]"},
		{name: "character set and profile are echoed", send: msh("OUL^R22^OUL_R22|7|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-29^IHE") + body, complete: 1,
			want: back + "ACK^R22^ACK|ID|P|2.5.1|||NE|NE||UNICODE UTF-8|||LAB-29^IHE/MSA|AA|7/]"},
		{name: "LAW, ER and AL", send: msh("OUL^R22^OUL_R22|7|P|2.5.1|||ER|AL") + body, complete: 1,
			want: back + "ACK^R22^ACK|ID|P|2.5.1|||NE|NE/MSA|AA|7/]"},
		{name: "LAW, ER and AL, store full", send: msh("OUL^R22^OUL_R22|7|P|2.5.1|||ER|AL") + body, refuse: drivers.ErrStoreFull,
			want: back + "ACK^R22^ACK|ID|P|2.5.1|||NE|NE/MSA|CE|7|the message store is full; send it again later/ERR|||207^Application internal error^HL70357|E||||the message store is full; send it again later/]"},
		{name: "both always", send: msh("ORU^R01^ORU_R01|7|P|2.5|||AL|AL") + body, complete: 1,
			want: back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|CA|7/]" + back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|AA|7/]"},
		{name: "both always, store failed", send: msh("ORU^R01^ORU_R01|7|P|2.5|||AL|AL") + body, refuse: errors.New("path/of/our/own"),
			want: back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|CE|7|the message could not be stored; send it again/ERR|||207^Application internal error^HL70357|E||||the message could not be stored; send it again/]"},
		{name: "accept only", send: msh("ORU^R01^ORU_R01|7|P|2.5|||AL|NE") + body, complete: 1,
			want: back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|CA|7/]"},
		{name: "accept only, the other empty", send: msh("ORU^R01^ORU_R01|7|P|2.5|||AL|") + body, complete: 1,
			want: back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|CA|7/]"},
		{name: "on success", send: msh("ORU^R01^ORU_R01|7|P|2.5|||SU|SU") + body, complete: 1,
			want: back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|CA|7/]" + back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|AA|7/]"},
		{name: "on success, store failed", send: msh("ORU^R01^ORU_R01|7|P|2.5|||SU|SU") + body, refuse: drivers.ErrStoreFailed, want: ""},
		{name: "on errors, none", send: msh("ORU^R01^ORU_R01|7|P|2.5|||ER|ER") + body, complete: 1, want: ""},
		{name: "never", send: msh("ORU^R01^ORU_R01|7|P|2.5|||NE|NE") + body, complete: 1, want: ""},
		{name: "no condition that is known", send: msh("ORU^R01^ORU_R01|7|P|2.5|||al|XX") + body, complete: 1,
			want: back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|CA|7/]" + back + "ACK^R01^ACK|ID|P|2.5|||NE|NE/MSA|AA|7/]"},
		{name: "Mindray's mark in MSH-16", send: msh("ORU^R01|7|P|2.3.1||||2") + body, complete: 1,
			want: back + "ACK^R01|ID|P|2.3.1/MSA|AA|7/]"},
		{name: "ack_mode original", send: msh("ORU^R01|7|P|2.3.1|||AL|AL") + body, complete: 1, opts: hl7.Options{AckMode: "original"},
			want: back + "ACK^R01|ID|P|2.3.1/MSA|AA|7/]"},
		{name: "store full", send: msh("ORU^R01|7|P|2.3.1") + body, refuse: fmt.Errorf("put: %w", drivers.ErrStoreFull),
			want: back + "ACK^R01|ID|P|2.3.1/MSA|AE|7|the message store is full; send it again later/ERR|^^^207&Application internal error&HL70357/]"},
		{name: "larger than the store takes", send: msh("ORU^R01|7|P|2.3.1") + body, refuse: drivers.ErrTooLarge,
			want: back + "ACK^R01|ID|P|2.3.1/MSA|AR|7|the message is larger than the store takes/ERR|^^^207&Application internal error&HL70357/]"},
		{name: "no MSH-9", send: msh("|7|P|2.5") + body, broken: 1,
			want: back + "ACK|ID|P|2.5/MSA|AE|7|MSH-9 names no message type/ERR||MSH^1^9|101^Required field missing^HL70357|E||||MSH-9 names no message type/]"},
		{name: "no MSH", send: "PID|1" + body, broken: 1,
			want: `[MSH|^~\&|||||TIME||ACK|ID|P|2.5.1/MSA|AE||the message header cannot be read: there is no MSH segment/ERR||MSH^1|100^Segment sequence error^HL70357|E||||the message header cannot be read: there is no MSH segment/]`},
		{name: "wrong separators", send: `MSH|^^\&|APP|FAC|||20261122||ORU^R01|7|P|2.5` + body, broken: 1,
			want: `[MSH|^~\&|||||TIME||ACK|ID|P|2.5.1/MSA|AE||the message header cannot be read: MSH-1 or MSH-2 holds no usable delimiters/ERR||MSH^1|100^Segment sequence error^HL70357|E||||the message header cannot be read: MSH-1 or MSH-2 holds no usable delimiters/]`},
		{name: "wrong processing id", send: msh("ORU^R01|7|X|2.5") + body, broken: 1,
			want: back + "ACK^R01^ACK|ID|X|2.5/MSA|AR|7|MSH-11 is no known processing id/ERR||MSH^1^11|202^Unsupported processing id^HL70357|E||||MSH-11 is no known processing id/]"},
		{name: "a processing id of the site's own", send: msh("ORU^R01|7|X|2.5") + body, complete: 1, opts: hl7.Options{ProcessingIDs: []string{"P", "X"}},
			want: back + "ACK^R01^ACK|ID|X|2.5/MSA|AA|7/]"},
		{name: "no processing id", send: msh("ORU^R01|7||2.5") + body, complete: 1,
			want: back + "ACK^R01^ACK|ID|P|2.5/MSA|AA|7/]"},
		{name: "version 3, enhanced", send: msh("ORU^R01|7|P|3.0|||AL|AL") + body, broken: 1,
			want: back + "ACK^R01^ACK|ID|P|3.0|||NE|NE/MSA|CR|7|MSH-12 is no version 2 of HL7/ERR||MSH^1^12|203^Unsupported version id^HL70357|E||||MSH-12 is no version 2 of HL7/]"},
		{name: "another trade", send: msh("ADT^A01|7|P|2.5") + "\rPID|1\r",
			want: back + "ACK^A01^ACK|ID|P|2.5/MSA|AR|7|this message type is not supported/ERR||MSH^1^9|200^Unsupported message type^HL70357|E||||this message type is not supported/]"},
		{name: "results in a type that is not known", send: msh("ZZZ^Z01|7|P|2.5") + body, broken: 1,
			want: back + "ACK^Z01^ACK|ID|P|2.5/MSA|AR|7|this message type is not supported/ERR||MSH^1^9|200^Unsupported message type^HL70357|E||||this message type is not supported/]"},
		{name: "query", send: msh("QBP^Q11^QBP_Q11|7|P|2.5.1|||NE|AL") + "\rQPD|WOS^Work Order Step^IHE_LABTF|t|S-1\rRCP|I||R\r",
			want: back + "ACK^Q11^ACK|ID|P|2.5.1|||NE|NE/MSA|AR|7|query is not supported here/ERR||MSH^1^9|200^Unsupported message type^HL70357|E||||query is not supported here/]"},
		{name: "an acknowledgement", send: msh("ACK^R22^ACK|7|P|2.5.1") + "\rMSA|AA|1\r", want: ""},
		{name: "an answer to nobody", send: msh("RSP^K11^RSP_K11|7|P|2.5.1|||ER|AL") + "\rMSA|AA|1\rQAK|x|OK\r", want: ""},
		{name: "an answer without MSH-9", send: msh("|7|P|2.5.1") + "\rMSA|AA|1\r", want: ""},
		{name: "the structure for the type", send: msh("ORU_R01|7|P|2.5") + body, complete: 1,
			want: back + "ACK|ID|P|2.5/MSA|AA|7/]"},
		{name: "LF and a preamble", send: "# exported\n" + strings.ReplaceAll(msh("ORU^R01|7|P|2.5")+body, "\r", "\n"), complete: 1,
			want: back + "ACK^R01^ACK|ID|P|2.5/MSA|AA|7/]"},
		{name: "GBK whose second bytes are | and ^", send: "MSH|^~\\&|APP|\x81|\x81^|HOST|SITE|20261122080000||ORU^R01|7|P|2.5" + body, complete: 1,
			want: "[MSH|^~\\&|HOST|SITE|APP|\x81|\x81^|TIME||ACK^R01^ACK|ID|P|2.5/MSA|AA|7/]"},
		{name: "bytes that are no UTF-8", send: "MSH|^~\\&|APP|\xe9\xff|HOST|SITE|20261122080000||ORU^R01|\xfc7|P|2.5" + body, complete: 1,
			want: "[MSH|^~\\&|HOST|SITE|APP|\xe9\xff|TIME||ACK^R01^ACK|ID|P|2.5/MSA|AA|\xfc7/]"},
		{name: "an offset in MSH-7", send: "MSH|^~\\&|A||||20261122080000+0100||ORU^R01|7|P|2.5" + body, complete: 1,
			want: "[MSH|^~\\&|||A||TIME+||ACK^R01^ACK|ID|P|2.5/MSA|AA|7/]"},
		{name: "an empty block", send: "\r\n", want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			with(t, c.opts, func(b *bench) {
				b.store.Refuse(c.refuse)
				got := b.send(block(c.send))
				if got != c.want {
					t.Errorf("answer\n%q\nwant\n%q", got, c.want)
				}
				complete, broken := b.store.Payloads(drivers.Complete), b.store.Payloads(drivers.Broken)
				if len(complete) != c.complete || len(broken) != c.broken {
					t.Errorf("%d complete, %d broken", len(complete), len(broken))
				}
				for _, p := range slices.Concat(complete, broken) {
					if p != c.send {
						t.Errorf("stored %q", p)
					}
				}
			})
		})
	}
}

func TestSeveralInOneBlock(t *testing.T) {
	one, two, three := msh("ORU^R01|1|P|2.3")+body, msh("ORU^R01|2|P|2.3")+body, msh("ORU^R01|3|P|2.3")+body
	ack := func(code, id string) string {
		return `MSH|^~\&|HOST|SITE|APP|FAC|TIME||ACK^R01|ID|P|2.3/MSA|` + code + "|" + id + "/"
	}
	full := "|the message store is full; send it again later/ERR|^^^207&Application internal error&HL70357"
	batch := "FHS|^~\\&|A\rBHS|^~\\&|A\r" + one + two + "BTS|2\r" + "BHS|^~\\&|B\r" + three + "BTS|1\rFTS|2\r"
	for _, c := range []struct {
		name, send string
		opts       hl7.Options
		refuse     string // the store refuses the message that holds this
		want       string
		complete   []string
		broken     []string
	}{
		{name: "two", send: one + two, want: "[" + ack("AA", "1") + ack("AA", "2") + "]", complete: []string{one, two}},
		{name: "batch", send: batch, want: "[" + ack("AA", "1") + ack("AA", "2") + ack("AA", "3") + "]", complete: []string{one, two, three}},
		{name: "a block for each", send: one + two, opts: hl7.Options{BatchAck: "message"},
			want: "[" + ack("AA", "1") + "][" + ack("AA", "2") + "]", complete: []string{one, two}},
		{name: "one is not stored", send: batch, refuse: "|2|P|", complete: []string{one},
			want: "[" + ack("AE", "1"+full) + ack("AE", "2"+full) + ack("AE", "3"+full) + "]"},
		{name: "one is of another trade", send: one + msh("ADT^A01|2|P|2.3") + "\r" + three, complete: []string{one, three},
			want: "[" + ack("AA", "1") + `MSH|^~\&|HOST|SITE|APP|FAC|TIME||ACK^A01|ID|P|2.3/MSA|AR|2|this message type is not supported/ERR|MSH^1^9^200&Unsupported message type&HL70357/` + ack("AA", "3") + "]"},
		{name: "an empty batch", send: "BHS|^~\\&|A\rBTS|0\r", want: ""},
		{name: "a batch with a stray line", send: "BHS|^~\\&|A\r" + one + "BTS|0\rhello\r", complete: []string{one}, broken: []string{"hello\r"},
			want: "[" + ack("AA", "1") + `MSH|^~\&|||||TIME||ACK|ID|P|2.5.1/MSA|AE||the message header cannot be read: there is no MSH segment/ERR||MSH^1|100^Segment sequence error^HL70357|E||||the message header cannot be read: there is no MSH segment/]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			with(t, c.opts, func(b *bench) {
				b.store.Before = func(_ context.Context, m drivers.Message) error {
					if c.refuse != "" && strings.Contains(string(m.Payload), c.refuse) {
						return drivers.ErrStoreFull
					}
					return nil
				}
				if got := b.send(block(c.send)); got != c.want {
					t.Errorf("answer\n%q\nwant\n%q", got, c.want)
				}
				if got := b.store.Payloads(drivers.Complete); !slices.Equal(got, c.complete) {
					t.Errorf("complete %q", got)
				}
				if got := b.store.Payloads(drivers.Broken); !slices.Equal(got, c.broken) {
					t.Errorf("broken %q", got)
				}
			})
		})
	}
}

// What was not whole is kept in sight, with its reason, and not answered.
func TestBroken(t *testing.T) {
	m := msh("ORU^R01|1|P|2.5") + body
	for _, c := range []struct {
		name, send string
		wait       time.Duration
		opts       hl7.Options
		fault      mllp.Fault
	}{
		{"cut by the next", "\x0b" + m + block(m), 0, hl7.Options{}, mllp.FaultCut},
		{"silence", "\x0b" + m, 2 * time.Minute, hl7.Options{}, mllp.FaultSilence},
		{"hang-up", "\x0b" + m, 0, hl7.Options{}, mllp.FaultHangUp},
		{"silence in a segment", m[:20], 2 * time.Minute, hl7.Options{IdleEnd: time.Second}, mllp.FaultIdle},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b *bench
			with(t, c.opts, func(running *bench) {
				b = running
				answer := b.send(c.send)
				if c.fault != mllp.FaultCut && answer != "" {
					t.Errorf("answered %q", answer)
				}
				time.Sleep(c.wait)
			})
			broken := b.store.All(drivers.Broken)
			if len(broken) != 1 || broken[0].Fault != string(c.fault) || !strings.HasPrefix(m, string(broken[0].Payload)) {
				t.Errorf("broken: %+v", broken)
			}
			if st := b.driver.Status(); st.Broken != 1 || st.Refused != 0 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func TestTooLong(t *testing.T) {
	m := msh("ORU^R01|1|P|2.3") + "\rNTE|1||" + strings.Repeat("x", 200<<10) + "\r"
	with(t, hl7.Options{MaxBlock: 100 << 10}, func(b *bench) {
		want := `[MSH|^~\&|HOST|SITE|APP|FAC|TIME||ACK^R01|ID|P|2.3/MSA|AR|1|the block is longer than max_block/ERR|^^^207&Application internal error&HL70357/]`
		if got := b.send(block(m)); got != want {
			t.Errorf("answer %q", got)
		}
		broken := b.store.All(drivers.Broken)
		if len(broken) != 1 || len(broken[0].Payload) != 64<<10 {
			t.Errorf("%d kept", len(broken))
		}
	})
}

// Silence ends a message where VT and FS get lost.
func TestIdleEnd(t *testing.T) {
	m := msh("ORU^R01|1|P|2.3") + body
	with(t, hl7.Options{IdleEnd: time.Second}, func(b *bench) {
		for range 2 {
			if got := b.send("noise" + m); got != "" {
				t.Errorf("answered %q before the end", got)
			}
			time.Sleep(2 * time.Second)
			if got := b.send(""); !strings.Contains(got, "MSA|AA|1/]") {
				t.Errorf("answer %q", got)
			}
		}
		if got := b.store.Payloads(drivers.Complete); !slices.Equal(got, []string{m, m}) {
			t.Errorf("stored %q", got)
		}
	})
}

// Storing a block is given up before the analyzer gives up, also when each of its
// messages takes little.
func TestSlowStore(t *testing.T) {
	for _, each := range []time.Duration{3 * time.Second, time.Hour} {
		with(t, hl7.Options{}, func(b *bench) {
			b.store.Before = func(ctx context.Context, _ drivers.Message) error {
				select {
				case <-time.After(each):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			start := time.Now()
			b.send(block(strings.Repeat(msh("ORU^R01|1|P|2.3")+body, 4)))
			time.Sleep(8 * time.Second)
			if got := b.send(""); strings.Count(got, "MSA|AE|") != 4 {
				t.Errorf("%s each: answer %q after %s", each, got, time.Since(start))
			}
		})
	}
}

func TestCounters(t *testing.T) {
	with(t, hl7.Options{}, func(b *bench) {
		b.send("abc" + block(msh("ACK^R01|1|P|2.3")+"\rMSA|AA|1\r") + block("\r") + block(msh("QRY^Q02|1|P|2.3")+"\rQRD|1\r"))
		b.send(block(msh("ORU^R01|1|P|2.3") + body))
		st := b.driver.Status()
		for name, want := range map[string]uint64{"acks_ignored": 1, "empty_blocks": 1, "queries_refused": 1, "noise_bytes": 3} {
			if st.Counters[name] != want {
				t.Errorf("%s is %d, want %d", name, st.Counters[name], want)
			}
		}
		if st.Acknowledged != 1 || st.Refused != 1 || st.Broken != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

// Our own control ids do not repeat.
func TestControlIDs(t *testing.T) {
	id := regexp.MustCompile(`\|ACK\^R01\|([^|]*)\|P`)
	seen := map[string]bool{}
	with(t, hl7.Options{}, func(b *bench) {
		for range 50 {
			io.WriteString(b.peer, block(msh("ORU^R01|1|P|2.3")+body))
		}
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, m := range id.FindAllSubmatch(b.got, -1) {
			if len(m[1]) == 0 || len(m[1]) > 20 {
				t.Errorf("control id %q", m[1])
			}
			seen[string(m[1])] = true
		}
	})
	if len(seen) != 50 {
		t.Errorf("%d different ids", len(seen))
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    hl7.Options
		want string
	}{
		{hl7.Options{}, ""},
		{hl7.Options{IdleEnd: time.Millisecond}, "idle_end"},
		{hl7.Options{MaxBlock: 1}, "max_block"},
		{hl7.Options{AckMode: "x"}, "ack_mode"},
		{hl7.Options{BatchAck: "x"}, "batch_ack"},
		{hl7.Options{CharsetFrom: "x"}, "charset_from"},
		{hl7.Options{SPM: "x"}, "spm"},
		{hl7.Options{TestCode: "x"}, "test_code"},
		{hl7.Options{ProcessingIDs: []string{""}}, "processing_ids"},
		{hl7.Options{SpecimenID: "O.3"}, "specimen_id"},
		{hl7.Options{SpecimenID: "OBR-0"}, "specimen_id"},
		{hl7.Options{SpecimenID: "OBR-3.1.1.1"}, "specimen_id"},
		{hl7.Options{SpecimenID: "OBR-3.1"}, ""},
		{hl7.Options{SpecimenPattern: "("}, "specimen_pattern"},
	} {
		section := drivertest.Section(func(dst any) error { *dst.(*hl7.Options) = c.o; return nil })
		_, err := hl7.New("x", section, drivers.Deps{})
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want+" ") {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// batchStore takes several messages at once, as the spool does.
type batchStore struct {
	*drivertest.Store
	batches int
	fail    error
}

func (s *batchStore) ReceiveAll(ctx context.Context, messages []drivers.Message) error {
	s.batches++
	time.Sleep(20 * time.Millisecond) // one flush, in the bubble
	if s.fail != nil {
		return s.fail
	}
	for _, m := range messages {
		if err := s.Receive(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// A batch of hundreds has the time of one message: it is stored at once and
// answered soon, or refused as a whole.
func TestLargeBatch(t *testing.T) {
	const messages = 600
	var batch strings.Builder
	for i := range messages {
		batch.WriteString(msh(fmt.Sprintf("ORU^R01|%d|P|2.3.1", i)) + body)
	}
	for _, fail := range []error{nil, drivers.ErrStoreFull} {
		synctest.Test(t, func(t *testing.T) {
			p := drivertest.NewPort()
			store := &batchStore{Store: &drivertest.Store{}, fail: fail}
			section := drivertest.Section(func(dst any) error { dst.(*hl7.Options).BatchAck = "message"; return nil })
			d, err := hl7.New("bench", section, drivers.Deps{Port: p, Handler: store, Log: zerolog.Nop()})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- d.Run(ctx) }()
			c := p.Dial()
			began := time.Now()
			go io.WriteString(c, block(batch.String()))
			var got []byte
			buf := make([]byte, 4096)
			for strings.Count(string(got), "MSA|") < messages {
				n, err := c.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, buf[:n]...)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("the last answer came after %s", took)
			}
			code, stored := "MSA|AA|", messages
			if fail != nil {
				code, stored = "MSA|AE|", 0
			}
			if n := strings.Count(string(got), code); n != messages || store.batches != 1 {
				t.Errorf("%d answers %s, %d stores", n, code, store.batches)
			}
			if n := len(store.All(drivers.Complete)); n != stored {
				t.Errorf("%d stored", n)
			}
			c.Close()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
