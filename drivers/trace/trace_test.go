package trace

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func began() time.Time { return time.Date(2026, 11, 22, 8, 0, 0, 123456000, time.UTC) }

func at(d time.Duration) time.Time { return began().Add(d) }

func every() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

func sample() []Event {
	return []Event{
		{At: at(0), Conn: 1, Kind: Open, Note: "10.0.5.12:40311"},
		{At: at(time.Millisecond), Conn: 1, Kind: Data, From: Analyzer, Data: every()},
		{At: at(1500 * time.Microsecond), Conn: 1, Kind: Data, From: Host, Data: []byte{6}},
		{At: at(-time.Second), Kind: Gap, Lost: 7, Note: `slow "disk"`},
		{At: at(time.Hour), Conn: 2, Kind: Reset, From: Analyzer},
		{At: at(time.Hour), Conn: 1, Kind: End, From: Host},
		{At: at(2 * time.Hour), Conn: 1, Kind: Close},
		{At: at(2 * time.Hour), Kind: Note, Note: "für Menschen"},
	}
}

func written(h Header, events []Event) []byte {
	text := AppendHeader(nil, h)
	for _, e := range events {
		text = AppendEvent(text, h.Began, e)
	}
	return text
}

func TestRoundTrip(t *testing.T) {
	h := Header{Began: began(), Name: "xn-550", Link: "listen :4001 - connect 10.0.0.9:4001"}
	text := written(h, sample())
	if !Sniff(text) {
		t.Error("not recognised")
	}
	if i := bytes.IndexFunc(text, func(c rune) bool { return c > '~' && c < 0x80 || c < ' ' && c != '\n' }); i >= 0 {
		t.Errorf("byte %d is a control character", i)
	}
	got, events, err := ReadAll(bytes.NewReader(text))
	if err != nil || got != h {
		t.Fatalf("%+v, %v", got, err)
	}
	if d := cmp.Diff(sample(), events); d != "" {
		t.Error(d)
	}
}

// Events longer than a line come back as several, byte for byte.
func TestLongData(t *testing.T) {
	long := bytes.Repeat([]byte{0, '"', 'x'}, maxData)
	_, events, err := ReadAll(bytes.NewReader(written(Header{Began: began()}, []Event{{At: at(0), Conn: 3, Kind: Data, From: Host, Data: long}})))
	if err != nil || len(events) != 3 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if s := Sent(events, Host); len(s) != 1 || s[0].Conn != 3 || !bytes.Equal(s[0].Data, long) {
		t.Error("the bytes differ")
	}
}

func TestDamage(t *testing.T) {
	h := Header{Began: began()}
	whole := string(written(h, sample()[:3]))
	lines := strings.SplitAfter(whole, "\n")
	for _, c := range []struct {
		name, text string
		kinds      []Kind
		err        error
	}{
		{"whole", whole, []Kind{Open, Data, Data}, nil},
		{"blank lines", "\n\n" + strings.ReplaceAll(whole, "\n", "\n\n"), []Kind{Open, Data, Data}, nil},
		{"cut off at the end", whole[:len(whole)-10], []Kind{Open, Data, Gap}, nil},
		{"whole but for its end", whole[:len(whole)-1], []Kind{Open, Data, Data}, nil},
		{"NULs of a power cut", whole + "\x00\x00\x00", []Kind{Open, Data, Data}, nil},
		{"cut off, and appended to", whole[:len(whole)-10] + "\n" + whole, []Kind{Open, Data, Gap, Open, Data, Data}, nil},
		{"a kind of a later program", lines[0] + `{"t":1,"kind":"dtr","x":{}}` + "\n" + lines[1], []Kind{Open}, nil},
		{"a character that is no byte", lines[0] + `{"t":1,"kind":"data","from":"host","data":"€"}`, []Kind{Gap}, nil},
		{"no side", lines[0] + `{"t":1,"kind":"data","data":"x"}`, []Kind{Gap}, nil},
		{"no time", lines[0] + `{"kind":"close"}`, []Kind{Gap}, nil},
		{"a line without end", lines[0] + strings.Repeat("x", maxLine+10) + "\n" + lines[1], []Kind{Gap, Open}, nil},
		{"a newer version", `{"labcourier_trace":2,"began":"2026-11-22T08:00:00Z"}`, nil, ErrVersion},
		{"raw traffic", "\x05\x021H|\\^&", nil, ErrNotTrace},
		{"a torn header", lines[0][:30], nil, ErrNotTrace},
		{"nothing", "", nil, ErrNotTrace},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, events, err := ReadAll(strings.NewReader(c.text))
			var kinds []Kind
			for _, e := range events {
				kinds = append(kinds, e.Kind)
			}
			if d := cmp.Diff(c.kinds, kinds); d != "" || !errors.Is(err, c.err) {
				t.Errorf("%s\nerror %v, want %v", d, err, c.err)
			}
		})
	}
}

func FuzzReader(f *testing.F) {
	f.Add(written(Header{Began: began(), Name: "a"}, sample()))
	f.Add([]byte(`{"labcourier_trace":1,"began":"2026-11-22T08:00:00Z"}` + "\n" + `{"t":1e300,"kind":"data","from":"host","data":"\ud800"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, events, err := ReadAll(bytes.NewReader(text))
		if err != nil {
			return
		}
		_, again, err := ReadAll(bytes.NewReader(written(h, events)))
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range []Side{Analyzer, Host} {
			if d := cmp.Diff(Sent(events, side), Sent(again, side), ignoreEmpty()); d != "" {
				t.Error(d)
			}
		}
	})
}

func ignoreEmpty() cmp.Option {
	return cmp.Comparer(bytes.Equal)
}

// A recording that is opened again goes on behind what a crash left.
func TestAppend(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.trace")
	record := func(events ...Event) {
		t.Helper()
		f, err := OpenFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewRecorder(f, Header{Began: began()}, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			r.Add(e)
		}
		if got := r.Close(); got.Err != nil || got.Lost != 7 { // the sample has a gap of its own
			t.Errorf("%+v", got)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	record(sample()...)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(name, whole[:len(whole)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	record(sample()...)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, events, err := ReadAll(bytes.NewReader(text))
	if err != nil || len(events) != 2*len(sample()) || events[len(sample())-1].Kind != Gap {
		t.Errorf("%d events, %v", len(events), err)
	}
	if err := os.WriteFile(name, []byte("a letter"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(name); !errors.Is(err, ErrNotTrace) {
		t.Errorf("a letter was opened: %v", err)
	}
}

// disk is a file that is slow or full when the test says so.
type disk struct {
	bytes.Buffer
	gate chan struct{} // nil: open
	full bool
}

func (d *disk) Write(p []byte) (int, error) {
	if d.gate != nil {
		<-d.gate
	}
	if d.full {
		return 0, errors.New("no space left on device")
	}
	return d.Buffer.Write(p)
}

// A slow file costs bytes of the recording, never time of the link, and the gap
// is told.
func TestSlowFile(t *testing.T) {
	d := &disk{}
	r, err := NewRecorder(d, Header{Began: began()}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	d.gate = make(chan struct{})
	for i := range 1000 { // it does not wait, though nothing is written
		r.Add(Event{At: at(time.Duration(i)), Conn: 1, Kind: Data, From: Analyzer, Data: make([]byte, 100)})
	}
	close(d.gate)
	got := r.Close()
	_, events, err := ReadAll(&d.Buffer)
	if err != nil {
		t.Fatal(err)
	}
	var data, lost uint64
	for _, e := range events {
		data += uint64(len(e.Data))
		lost += e.Lost
	}
	if data+lost != 100_000 || lost == 0 || data == 0 || got.Lost != lost || got.Written != data || got.Gaps == 0 {
		t.Errorf("%d recorded, %d in gaps of 100000; totals %+v", data, lost, got)
	}
}

// A full disk that gets room again: what is missing is told where it is missing.
func TestFullDisk(t *testing.T) {
	d := &disk{}
	r := &Recorder{out: d, began: began(), queue: newQueue(1 << 20), done: make(chan struct{})}
	line := func(s string) []Event {
		return []Event{{At: at(0), Conn: 1, Kind: Data, From: Analyzer, Data: []byte(s)}}
	}
	d.Buffer.Write(AppendHeader(nil, Header{Began: began()}))
	r.write(line("one"))
	d.full = true
	r.write(line("two"))
	r.write(line("three"))
	d.full = false
	r.write(line("four"))
	if got := r.Totals(); got.Lost != 8 || got.Written != 7 || got.Gaps != 1 || got.Err == nil {
		t.Errorf("%+v", got)
	}
	_, events, err := ReadAll(&d.Buffer)
	if err != nil || len(events) != 3 || events[1].Kind != Gap || events[1].Lost != 8 || string(events[2].Data) != "four" {
		t.Errorf("%+v, %v", events, err)
	}
}

func TestPrinter(t *testing.T) {
	var out strings.Builder
	p := NewPrinter(&out)
	data := func(ms int, from Side, text string) {
		for i := range len(text) { // byte by byte, as from a serial line
			p.Print(Event{At: at(time.Duration(ms) * time.Millisecond), Conn: 1, Kind: Data, From: from, Data: []byte(text[i : i+1])})
		}
	}
	p.Print(Event{At: at(0), Conn: 1, Kind: Open, Note: "COM3"})
	data(1, Analyzer, "\x05")
	data(2, Host, "\x06")
	data(3, Analyzer, "\x021H|\\^&\r\x0312\r\n")
	data(4, Host, "\x15")
	data(5, Analyzer, "half")
	data(3000, Analyzer, "other\xE9")
	p.Print(Event{At: at(4 * time.Second), Kind: Gap, Lost: 3, Note: "slow"})
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.TrimRight(line[len("15:04:05.000 "):], "\n"))
	}
	want := []string{
		"  1    open: COM3", "  1 -> <ENQ>", "  1 <- <ACK>", `  1 -> <STX>1H|\^&<CR>`, "  1 -> <ETX>12<CR><LF>",
		"  1 <- <NAK>", "  1 -> half", "  1 -> other<E9>", "  0    GAP: 3 bytes missing: slow",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSubscriptionEnds(t *testing.T) {
	f := &Feed{open: map[uint64]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	s := f.Subscribe(1 << 20)
	cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s.Close()
	if f.readers.Load() != nil {
		t.Error("a closed subscription is still told")
	}
	other := f.Subscribe(1 << 20)
	f.Close()
	if _, err := other.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
	if _, err := f.Subscribe(1).Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}
