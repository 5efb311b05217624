package astm_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/capturetest"
	"github.com/labcourier/labcourier/drivers/drivertest"
)

// outcome is what the driver should make of one capture. The numbers were read
// off the captures and their manifest by hand.
type outcome struct {
	complete, broken, refused int
	opts                      astm.Options
	tail                      string // sent after the capture
	why                       string // for everything that is not: each message whole, no frame refused
}

var anyEnd = astm.Options{FrameEnd: "any"}

// surprises are the captures that do not simply come out as one complete
// message with every frame good.
var surprises = map[string]outcome{
	"astm-framed/abbott_afinion-2_1.bin":                          {complete: 1, opts: anyEnd, why: "no CR LF after the checksum"},
	"astm-framed/arkray_spotchem-el-se-1520-adapter-output_1.bin": {complete: 1, opts: anyEnd, why: "LF alone after the checksum, doubled backslash in H.2"},
	"astm-framed/erba_em-200_1.bin":                               {refused: 1, why: "line ends changed in the file: the checksum differs"},
	"astm-framed/erba_em-200_2.bin":                               {refused: 2, why: "line ends changed in the file: the checksums differ"},
	"astm-framed/horiba-abx_pentra-xlr_1.bin":                     {complete: 1, opts: anyEnd, why: "CR or LF missing after the checksums"},
	"astm-framed/horiba_yumizen-h500-qc_1.bin": {broken: 1, refused: 26, opts: anyEnd,
		why: "frames 6 to 8 all have number 1: three M records were joined from their ETB frames by hand, and what follows cannot be told from frames left out"},
	"astm-framed/ortho_vitros-3600-host-reply_1.bin": {broken: 1, opts: anyEnd, why: "a host's reply: records numbered inside one frame, so no L record, no CR LF"},
	"astm-framed/ortho_vitros-3600-host-reply_2.bin": {broken: 1, opts: anyEnd, why: "a host's reply: records numbered inside one frame, so no L record, no CR LF"},
	"astm-framed/roche_cobas-c111_1.bin":             {complete: 1, opts: anyEnd, why: "LF alone after the checksum"},
	"astm-framed/roche_cobas-e411_2.bin":             {refused: 1, why: "line ends changed in the file: the checksum differs"},
	"astm-framed/sysmex-medonic_mbdc-online-order_1.bin": {refused: 1, opts: anyEnd,
		why: "an order to the analyzer whose name was changed: the checksum differs"},
	"astm-framed/sysmex_xn-550-qc_1.bin": {refused: 40, why: "line ends changed in the file: the checksums differ"},
	"astm-framed/sysmex_xp-100_1.bin":    {complete: 1, opts: anyEnd, why: "CR without LF after the checksum"},
	"astm-framed/thermo-fisher_indiko_1.bin": {refused: 3,
		why: "no checksums"},
	"astm-framed/thermo-fisher_indiko_2.bin": {complete: 2, refused: 2, tail: "\x0300\r\n",
		why: "in the last session the first frame ends CR ETX, and the second is cut off inside (ended by hand here, instead of by a second of silence)"},

	"astm-records/generic_unit-mismatch-astm_1.bin":   {complete: 2, why: "two messages"},
	"astm-records/generic_unmapped-fields-astm_1.bin": {complete: 2, why: "two messages"},
	"astm-records/roche_psm-middleware-cobas_1.bin": {broken: 1,
		why: "frame numbers were left before the records (1H, 2P): so no L record is seen"},
}

// TestCaptures sends every ASTM capture through the real driver, over TCP and a
// pseudo-terminal, in three kinds of splits.
func TestCaptures(t *testing.T) {
	root := capturetest.Root(t)
	valid := manifestFrames(t, root)
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 8, 1, ' ', 0)
	fmt.Fprintln(w, "capture\tcomplete\tbroken\trefused frames\twhy")
	for _, link := range capturetest.Links() {
		for _, name := range captureNames(t, root) {
			want, surprising := surprises[name]
			if !surprising {
				want = outcome{complete: 1}
			}
			t.Run(link.Name+"/"+name, func(t *testing.T) {
				raw, framed := wire(t, filepath.Join(root, name))
				var first string
				for _, split := range capturetest.Splits(raw) {
					got := receive(t, link, want.opts, slices.Concat(raw, []byte(want.tail)), split)
					if got.complete != want.complete || got.broken != want.broken || got.refused != want.refused {
						t.Fatalf("%s: %d complete, %d broken, %d refused; want %d, %d, %d",
							split.Name, got.complete, got.broken, got.refused, want.complete, want.broken, want.refused)
					}
					if first == "" {
						first = got.digest
						if _, changed := mangled[name]; !changed {
							settle(t, name, got.payloads)
						}
					}
					if got.digest != first {
						t.Errorf("%s: other bytes were stored than for the other splits", split.Name)
					}
					for _, p := range got.kept {
						if p.Fault == "" {
							t.Error("parked without a reason")
						}
					}
					if n, known := valid[name]; framed && known && !strings.Contains(want.why, "number 1") && !strings.Contains(want.why, "cut off inside") && got.accepted != n {
						t.Errorf("%d frames accepted, the manifest calls %d valid", got.accepted, n)
					}
				}
			})
			if link.Name == "tcp" {
				fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", name, want.complete, want.broken, want.refused, want.why)
			}
		}
	}
	w.Flush()
	t.Logf("what became of each capture:\n%s", table.String())
	for name := range surprises {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Errorf("expected outcome without a capture: %v", err)
		}
	}
}

// mangled are the captures that somebody edited: the line ends, so that no checksum
// fits, and in those that are true also frames, so that the numbers do not follow
// each other.
var mangled = map[string]bool{
	"astm-framed/erba_em-200_1.bin":            false,
	"astm-framed/erba_em-200_2.bin":            false,
	"astm-framed/roche_cobas-e411_2.bin":       false,
	"astm-framed/sysmex_xn-550-qc_1.bin":       true,
	"astm-framed/horiba_yumizen-h500-qc_1.bin": true,
}

// TestMangledCaptures plays the captures that were edited, with the line ends that
// make the checksums right and, where the numbers are wrong, in frames of our own.
func TestMangledCaptures(t *testing.T) {
	root := capturetest.Root(t)
	frame := regexp.MustCompile(`(?s)\x02(.*?)([\x03\x17]..)[\r\n]*`)
	for name, renumber := range mangled {
		raw, _ := wire(t, filepath.Join(root, name))
		raw = frame.ReplaceAllFunc(raw, func(f []byte) []byte {
			m := frame.FindSubmatch(f)
			text := bytes.ReplaceAll(bytes.ReplaceAll(m[1], []byte("\r\n"), []byte("\r")), []byte("\n"), []byte("\r"))
			return slices.Concat([]byte("\x02"), text, m[2], []byte("\r\n"))
		})
		if renumber {
			var text []byte
			for _, m := range frame.FindAllSubmatch(raw, -1) {
				text = append(text, m[1][1:]...)
			}
			raw = []byte{astm.ENQ}
			for _, f := range astm.Frames(text, 0, false) {
				raw = append(raw, f...)
			}
			raw = append(raw, astm.EOT)
		}
		for _, link := range capturetest.Links() {
			for _, split := range capturetest.Splits(raw) {
				t.Run(link.Name+"/"+name+"/"+split.Name, func(t *testing.T) {
					got := receive(t, link, astm.Options{}, raw, split)
					if got.refused != 0 || got.broken != 0 {
						t.Errorf("%d refused, %d broken", got.refused, got.broken)
					}
					settle(t, name, got.payloads)
				})
			}
		}
	}
}

// settle compares the reports of the messages of a capture with what is expected.
func settle(t *testing.T, name string, payloads []string) {
	t.Helper()
	short := [][]capturetest.Report{}
	for _, p := range payloads {
		short = append(short, capturetest.Short(capturetest.Settled(t, astm.Parse, p)))
	}
	capturetest.Compare(t, name, short)
}

func captureNames(t *testing.T, root string) (names []string) {
	for _, dir := range []string{"astm-framed", "astm-records"} {
		files, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			names = append(names, dir+"/"+f.Name())
		}
	}
	return names
}

// manifestFrames reads how many frames of each capture the manifest calls valid.
func manifestFrames(t *testing.T, root string) map[string]int {
	text, err := os.ReadFile(filepath.Join(root, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	valid := map[string]int{}
	column := slices.Index(rows[0], "checksums")
	for _, row := range rows[1:] {
		if m := regexp.MustCompile(`^(\d+)/\d+ valid`).FindStringSubmatch(row[column]); m != nil {
			valid[row[0]], _ = strconv.Atoi(m[1])
		}
	}
	return valid
}

// wire is a capture as bytes on the line: bare records are framed, a missing
// ENQ is put before the first frame.
func wire(t *testing.T, path string) (raw []byte, framed bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(raw, []byte(`\x05`)) { // a dump that writes control characters as \xNN
		raw = bytes.ReplaceAll(raw, []byte("\n"), nil)
		raw = regexp.MustCompile(`\\x[0-9A-F]{2}`).ReplaceAllFunc(raw, func(m []byte) []byte {
			n, _ := strconv.ParseUint(string(m[2:]), 16, 8)
			return []byte{byte(n)}
		})
	}
	first := bytes.IndexAny(raw, "\x02\x05")
	switch {
	case first < 0:
		if !bytes.ContainsRune(raw, '\r') {
			raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r"))
		}
		out := []byte{astm.ENQ}
		for _, f := range astm.Frames(raw, 0, false) {
			out = append(out, f...)
		}
		return append(out, astm.EOT), false
	case raw[first] == astm.STX:
		raw = append([]byte{astm.ENQ}, raw...)
	}
	return raw, true
}

// sentinel is a message that tells that all before it was worked through.
const sentinel = "H|\\^&|||SENTINEL\rL|1|N\r"

type result struct {
	payloads                            []string // of the complete messages
	kept                                []drivers.Message
	complete, broken, refused, accepted int
	digest                              string
}

// receive runs the driver over one link, plays raw to it, and counts.
func receive(t *testing.T, l capturetest.Link, o astm.Options, raw []byte, split capturetest.Split) result {
	p, connect := l.Open(t)
	done := make(chan struct{})
	store := &drivertest.Store{Before: func(_ context.Context, m drivers.Message) error {
		if string(m.Payload) == sentinel {
			close(done)
		}
		return nil
	}}
	section := drivertest.Section(func(dst any) error { *dst.(*astm.Options) = o; return nil })
	d, err := astm.New("bench", section, drivers.Deps{Port: p, Handler: store, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	c := connect(d)
	go io.Copy(io.Discard, c)
	split.Play(t, c, slices.Concat(raw, []byte{astm.ENQ}, astm.AppendFrame(nil, 1, []byte(sentinel), true), []byte{astm.EOT}))
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatalf("the sentinel did not arrive: %+v", d.Status())
	}
	cancel()
	c.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	st := d.Status()
	h := sha256.New()
	complete := store.Payloads(drivers.Complete)
	broken := store.All(drivers.Broken)
	fmt.Fprintf(h, "%q %q", complete, store.Payloads(drivers.Broken))
	return result{
		payloads: complete[:len(complete)-1], // without the sentinel
		kept:     broken,
		complete: len(complete) - 1,
		broken:   len(broken),
		refused:  int(st.Refused),
		accepted: int(st.Counters["frames"]-st.Refused) - 1,
		digest:   string(h.Sum(nil)),
	}
}
