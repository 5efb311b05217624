package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/hl7"
)

// lines is a kind that cuts a file at its lines; "?" alone is no message.
func lines() drivers.Kind {
	return drivers.Kind{
		Name: "lines",
		New:  func(string, drivers.Section, drivers.Deps) (drivers.Driver, error) { return nil, nil },
		Split: func(raw []byte, _ drivers.Section) (out []drivers.Message, faults []string) {
			for line := range bytes.Lines(raw) {
				switch text := bytes.TrimSpace(line); {
				case string(text) == "panic":
					var none []int
					_ = none[len(text)]
				case string(text) == "?":
					faults = append(faults, "a line that is none")
				case len(text) > 0:
					out = append(out, drivers.Message{Payload: bytes.Clone(text)})
				}
			}
			return out, faults
		},
	}
}

// rig is a driver whose looks the test makes, with a clock of its own.
type rig struct {
	*Driver
	t     testing.TB
	store *drivertest.Store
	dir   string
	clock time.Time
	log   bytes.Buffer
	kind  drivers.Kind
}

func newRig(t testing.TB, change func(*Options)) *rig {
	r := &rig{t: t, kind: lines(), store: &drivertest.Store{}, dir: t.TempDir(), clock: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	o := Options{Path: r.dir, Pattern: "*.csv", Journal: filepath.Join(t.TempDir(), "folders", "x.json")}
	if change != nil {
		change(&o)
	}
	r.start(o)
	return r
}

// start makes a driver as a new process would.
func (r *rig) start(o Options) {
	r.t.Helper()
	d, err := New(o).Collect("x", r.kind, drivers.NoSection{}, drivers.Deps{Handler: r.store, Log: zerolog.New(&r.log)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Driver = d.(*Driver)
	r.now = func() time.Time { return r.clock }
	if err := r.journal.load(); err != nil {
		r.t.Fatal(err)
	}
}

// drop writes a file whose time is that many minutes before now.
func (r *rig) drop(name, text string, minutes int) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	at := r.clock.Add(-time.Duration(minutes) * time.Minute)
	if err := os.Chtimes(path, at, at); err != nil {
		r.t.Fatal(err)
	}
}

// turn looks, waits until files are settled, and looks again.
func (r *rig) turn() error {
	err := r.look(r.t.Context())
	r.clock = r.clock.Add(r.o.Settle)
	return errors.Join(err, r.look(r.t.Context()))
}

func (r *rig) stores(want ...string) {
	r.t.Helper()
	if got := r.store.Payloads(drivers.Complete); !slices.Equal(got, want) {
		r.t.Fatalf("stored %q, want %q", got, want)
	}
}

// holds lists what lies in a folder, with its folders.
func (r *rig) holds(dir string, want ...string) {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.dir, dir))
	if err != nil && len(want) > 0 {
		r.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		r.t.Fatalf("%q holds %q, want %q", dir, got, want)
	}
}

func TestFilesAreStoredThenMovedInOrder(t *testing.T) {
	r := newRig(t, nil)
	r.drop("b.csv", "3\n4\n", 1)
	r.drop("a.csv", "5", 1) // same time as b: by name, so before it
	r.drop("z.csv", "1\n2\n", 5)
	r.drop("note.txt", "not asked for", 9)
	r.drop(".hidden.csv", "x", 9)
	r.drop("UPPER.CSV", "6", 0)
	if err := r.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.stores() // nothing is settled yet
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	r.stores("1", "2", "5", "3", "4", "6")
	r.holds("", ".hidden.csv", "done", "note.txt")
	r.holds("done", "UPPER.CSV", "a.csv", "b.csv", "z.csv")
	st := r.Status()
	if st.Link != drivers.LinkConnected || st.Acknowledged != 6 || st.Counters["files_waiting"] != 0 || st.LastMessage.IsZero() || st.LastByte.IsZero() {
		t.Errorf("status %+v", st)
	}
	for _, m := range r.store.All(drivers.Complete) {
		if m.Source != "x" || m.Kind != "lines" || m.Received.IsZero() {
			t.Errorf("message is not marked: %+v", m)
		}
	}
}

// A file that grows is read when it has stopped growing, and then all of it.
func TestGrowingFile(t *testing.T) {
	r := newRig(t, nil)
	text := ""
	for range 5 {
		text += "line\n"
		r.drop("a.csv", text, 0)
		if err := r.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.clock = r.clock.Add(r.o.Settle - time.Millisecond)
	}
	r.stores()
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	r.stores("line", "line", "line", "line", "line")
}

func TestRefusingStore(t *testing.T) {
	r := newRig(t, nil)
	r.drop("a.csv", "1\n2\n", 2)
	r.drop("b.csv", "3", 1)
	n := 0
	r.store.Before = func(context.Context, drivers.Message) error {
		if n++; n == 2 {
			return drivers.ErrStoreFull
		}
		return nil
	}
	if err := r.turn(); !errors.Is(err, drivers.ErrStoreFull) {
		t.Fatalf("the look went on: %v", err)
	}
	r.stores("1")
	r.holds("", "a.csv", "b.csv")
	if st := r.Status(); st.Refused != 1 || !strings.Contains(st.Reason, "full") || st.Counters["files_waiting"] != 2 {
		t.Errorf("status %+v", st)
	}
	first := r.store.All(drivers.Complete)[0].Received
	r.clock = r.clock.Add(time.Hour)
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	r.stores("1", "1", "2", "3") // the store of the agent knows the second 1 by its receive time
	if again := r.store.All(drivers.Complete)[1].Received; !again.Equal(first) {
		t.Errorf("handed over again with another receive time: %s, first %s", again, first)
	}
	r.holds("", "done")
}

func TestFilesThatStay(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxFile = 10 })
	r.drop("empty.csv", "", 9)
	r.drop("large.csv", strings.Repeat("x", 11), 8)
	r.drop("fat.csv", "fat", 7)
	r.drop("good.csv", "1", 1)
	if err := os.Symlink("/etc/hostname", filepath.Join(r.dir, "link.csv")); err != nil {
		t.Skip(err)
	}
	r.store.Before = func(_ context.Context, m drivers.Message) error {
		if string(m.Payload) == "fat" {
			return drivers.ErrTooLarge
		}
		return nil
	}
	for range 3 {
		if err := r.turn(); err != nil {
			t.Fatal(err)
		}
	}
	r.stores("1")
	r.holds("", "done", "empty.csv", "fat.csv", "large.csv", "link.csv")
	st := r.Status()
	for _, name := range []string{"files_empty", "files_too_large", "files_irregular", "files_refused"} {
		if st.Counters[name] != 1 {
			t.Errorf("%s = %d", name, st.Counters[name])
		}
	}
	if st.Reason == "" || strings.Contains(st.Reason, "csv") || strings.Contains(r.log.String(), "csv") {
		t.Errorf("reason %q, log %s", st.Reason, r.log.String())
	}
	if n := strings.Count(r.log.String(), "a file stays"); n != 2 {
		t.Errorf("%d lines for two files that stay", n)
	}
	r.drop("empty.csv", "2", 0) // the analyzer writes at last
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	r.stores("1", "2")
}

// What no message was made of does not vanish into done.
func TestUnreadableContentIsKept(t *testing.T) {
	for _, c := range []struct {
		name, text string
		whole      []string
		broken     bool
	}{
		{"a fault beside messages", "1\n?\n", []string{"1"}, true},
		{"nothing but faults", "?", nil, true},
		{"a kind that panics", "1\npanic\n", nil, true},
		{"blank", " \r\n\x1A", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.drop("a.csv", c.text, 0)
			if err := r.turn(); err != nil {
				t.Fatal(err)
			}
			r.stores(c.whole...)
			broken := r.store.All(drivers.Broken)
			if c.broken && (len(broken) != 1 || string(broken[0].Payload) != c.text || broken[0].Fault == "") || !c.broken && len(broken) > 0 {
				t.Errorf("broken %+v", broken)
			}
			r.holds("done", "a.csv")
		})
	}
}

// One file may hold many messages of a standard protocol.
func TestProtocols(t *testing.T) {
	const (
		oru  = "MSH|^~\\&|A|L|||20261122081500||ORU^R01^ORU_R01|%[1]s|P|2.5.1\rOBR|1||S-%[1]s|GLU\rOBX|1|NM|GLU||5.6|mmol/L|||||F\r"
		lis2 = "H|\\^&|||A|||||||P|1|20261122081500\rP|1\rO|1|S-%[1]s||^^^GLU|R\rR|1|^^^GLU|5.6|mmol/L||N||F\rL|1|N\r"
	)
	two := func(format string) string { return fmt.Sprintf(format, "1") + fmt.Sprintf(format, "2") }
	for name, c := range map[string]struct {
		kind drivers.Kind
		text string
	}{
		"hl7 segments":  {hl7.Kind(), two(oru)},
		"hl7 in blocks": {hl7.Kind(), two("\x0b" + oru + "\x1c\r")},
		"astm records":  {astm.Kind(), two(lis2)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.kind = c.kind
			r.start(r.o)
			r.drop("a.csv", c.text, 0)
			if err := r.turn(); err != nil {
				t.Fatal(err)
			}
			got := r.store.All(drivers.Complete)
			if len(got) != 2 || len(r.store.All(drivers.Broken)) != 0 {
				t.Fatalf("%d messages; broken %+v", len(got), r.store.All(drivers.Broken))
			}
			for i, m := range got {
				reports, err := c.kind.Parse(m.Payload, drivers.ParseOptions{})
				if err != nil || len(reports) != 1 || reports[0].Specimen.ID != fmt.Sprintf("S-%d", i+1) {
					t.Errorf("message %d: %+v, %v", i+1, reports, err)
				}
			}
			r.holds("done", "a.csv")
		})
	}
}

func TestNameClash(t *testing.T) {
	r := newRig(t, nil)
	for _, text := range []string{"1", "2", "3"} {
		r.drop("a.csv", text, 0)
		if err := r.turn(); err != nil {
			t.Fatal(err)
		}
	}
	r.stores("1", "2", "3")
	r.holds("done", "a-2.csv", "a-3.csv", "a.csv")
}

// A share that goes away shows, and comes back by itself.
func TestFolderGoesAndComes(t *testing.T) {
	r := newRig(t, nil)
	away := r.dir + "-away"
	if err := os.Rename(r.dir, away); err != nil {
		t.Fatal(err)
	}
	if err := r.look(t.Context()); err == nil {
		t.Fatal("no fault")
	}
	if st := r.Status(); st.Link != drivers.LinkDown || !strings.Contains(st.Reason, "share") {
		t.Errorf("status %+v", st)
	}
	if err := os.Rename(away, r.dir); err != nil {
		t.Fatal(err)
	}
	r.drop("a.csv", "1", 0)
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	r.stores("1")
	if st := r.Status(); st.Link != drivers.LinkConnected || st.Reason != "" {
		t.Errorf("status %+v", st)
	}
}

// A file that cannot be moved is stored once, also across a restart, and moved
// when that is possible.
func TestUnmovableFile(t *testing.T) {
	r := newRig(t, nil)
	block := filepath.Join(r.dir, "done")
	if err := os.WriteFile(block, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	r.drop("a.csv", "1", 0)
	for range 3 {
		if err := r.turn(); err != nil {
			t.Fatal(err)
		}
		r.clock = r.clock.Add(time.Hour)
		r.start(r.o)
	}
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	r.stores("1")
	if st := r.Status(); st.Counters["files_not_moved"] != 1 || !strings.Contains(st.Reason, "done") {
		t.Errorf("status %+v", st)
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	r.clock = r.clock.Add(time.Hour)
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	r.stores("1")
	r.holds("done", "a.csv")
}

// Another program replaces or goes on writing a file while it is taken.
func TestFileChangesWhileTaken(t *testing.T) {
	for _, point := range []string{"read", "stored", "moved"} {
		t.Run(point, func(t *testing.T) {
			r := newRig(t, nil)
			r.drop("a.csv", "1", 1)
			done := false
			r.kill = func(at string) error {
				if at == point && !done {
					done = true
					dir := r.dir
					if point == "moved" {
						dir = filepath.Join(r.dir, "done")
					}
					if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("1\n2\n"), 0o600); err != nil {
						t.Error(err)
					}
				}
				return nil
			}
			for range 3 {
				if err := r.turn(); err != nil {
					t.Fatal(err)
				}
			}
			r.stores("1", "1", "2")
			r.holds("", "done")
			r.holds("done", "a.csv")
		})
	}
}

func TestKeep(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Keep = 48 * time.Hour })
	for day := range 4 {
		r.drop("a.csv", strings.Repeat("x", day+1), 0)
		if err := r.turn(); err != nil {
			t.Fatal(err)
		}
		r.clock = r.clock.Add(24 * time.Hour)
	}
	mine := filepath.Join(r.dir, "done", "2020-01-01-mine")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	r.holds("done", "2020-01-01-mine", "2026-11-24", "2026-11-25")
	r.holds("done/2026-11-24", "a.csv")
	if n := r.Status().Counters["pruned_files"]; n != 2 {
		t.Errorf("%d files pruned", n)
	}
}

// The whole driver, with its goroutine and pauses.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.now = time.Now
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		time.Sleep(time.Minute)
		r.drop("a.csv", "1\n2\n", 0)
		time.Sleep(time.Minute)
		r.stores("1", "2")
		if st := r.Status(); st.Link != drivers.LinkConnected {
			t.Errorf("status %+v", st)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if st := r.Status(); st.Link != drivers.LinkDown {
			t.Errorf("status %+v", st)
		}
	})
}

// A share that hangs holds nobody up: the status says so, and the agent can stop.
func TestHangingShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.now = time.Now
		hangs := make(chan struct{})
		r.kill = func(string) error { <-hangs; return nil }
		r.drop("a.csv", "1", 0)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		time.Sleep(time.Minute)
		if st := r.Status(); st.Link != drivers.LinkDown || !strings.Contains(st.Reason, "has not answered") {
			t.Errorf("status %+v", st)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		close(hangs)
		synctest.Wait() // what was left behind writes into the test's folder to its end
	})
}

func TestDamagedJournalIsSetAside(t *testing.T) {
	r := newRig(t, nil)
	r.drop("a.csv", "1", 0)
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.o.Journal, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start(r.o)
	if _, err := os.Stat(r.o.Journal + ".bad"); err != nil {
		t.Error(err)
	}
}

func TestWants(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a.csv", true},
		{"*", "a", true},
		{"*", ".a.csv", false},
		{"*", "~$a.csv", false},
		{"*", "a.csv.tmp", false},
		{"*", "A.PART", false},
		{"*.tmp", "a.tmp", true},
		{".*", ".a", true},
		{"*.csv", "A.CSV", true},
		{"*.CSV", "a.csv", true},
		{"res_?.txt", "res_12.txt", false},
	} {
		if got := (Options{Pattern: c.pattern}).wants(c.name); got != c.want {
			t.Errorf("%s %s: %v", c.pattern, c.name, got)
		}
	}
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	if problem, _ := Probe(Options{Path: dir}); problem != "" {
		t.Error(problem)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
	if problem, hint := Probe(Options{Path: filepath.Join(dir, "none")}); problem == "" || hint == "" {
		t.Error("a folder that is not there passes")
	}
	if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if problem, _ := Probe(Options{Path: dir}); !strings.Contains(problem, "done") {
		t.Errorf("done is a file: %q", problem)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "done")), os.Mkdir(filepath.Join(dir, "done"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if problem, _ := Probe(Options{Path: dir}); problem != "" {
		t.Error(problem)
	}
}
