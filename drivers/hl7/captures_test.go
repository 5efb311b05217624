package hl7_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/capturetest"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/mllp"
)

// outcome is what should become of one capture. It was written by reading the
// capture.
type outcome struct {
	complete, broken int
	answers          string // the codes of MSA-1
	why              string // for all that is not: one message, whole, AA
	cut              bool   // the peer that recorded it cut it off: there is no end block

	reports  []string // purpose, specimen id, number of results
	contains []string // test, value, unit, status, flags of some results
}

var captures = map[string]outcome{
	"biosystems_ba400_1.bin": {why: "a host's acknowledgement: ignored"},
	"biosystems_ba400_2.bin": {complete: 1, answers: "AA", reports: []string{"patient LLLLMMMM 1"},
		contains: []string{"CREATININE 1.11651742 mg/dL final [NONE]"}},
	"biosystems_ba400_3.bin": {complete: 1, answers: "AA",
		reports:  []string{"patient JJJJJJJKK32988998 1", "patient JJJJJJJKK32988998 1", "patient JJJJJJJKK32988998 1"},
		contains: []string{"CHOL HDL DIRECT 60.9779778 mg/dL final [025]", "CHOLESTEROL 177.710159 mg/dL final [NONE]", "TRIGLYCERIDES 52.4089546 mg/dL final [NONE]"}},
	"biosystems_ba400_4.bin": {broken: 1, cut: true, why: "cut off at 1023 bytes"},
	"biosystems_ba400_5.bin": {broken: 1, cut: true, why: "cut off at 1023 bytes"},
	"biosystems_ba400_6.bin": {answers: "CR", why: "a query, with MSH-15 = ER"},
	"biosystems_ba400_7.bin": {why: "a host's answer to a query: ignored"},
	"biosystems_ba400_8.bin": {why: "a host's answer to a query: ignored"},
	"cepheid_genexpert-dx_1.bin": {complete: 1, answers: "AA", reports: []string{"patient sidOBM 23"},
		contains: []string{"CTNG&CT&CT-NG IUO Assay&1 NOT DETECTED  final []", "CTNG&CT NEG  preliminary []", "CTNG&NG 31.1  preliminary []",
			"CTNG&NG&CT-NG IUO Assay&1 DETECTED  final []", "CTNG&CT -10.0  preliminary []"}},
	"cepheid_genexpert-dx_2.bin":         {answers: "AR", why: "a query"},
	"generic_r1-adt-a01-frame-bin_1.bin": {answers: "AR", why: "ADT: no analyzer's message"},
	"generic_r1-oru-r01-frame-bin_1.bin": {complete: 1, answers: "AA", reports: []string{"patient ORD123 1"},
		contains: []string{"WBC 7.2 10*9/L preliminary [N]"}},
	"mindray_bc2000-cbc-result-hl7_1.bin": {complete: 1, answers: "AA", reports: []string{"patient FILLER012 5"},
		contains: []string{"WBC 6.8 10*3/uL final []", "HCT 39.5 % final []", "PLT 225 10*3/uL final []"}},
	"mindray_bc5380-cbc-result-hl7_1.bin": {complete: 1, answers: "AA", reports: []string{"patient FILLER456 4"},
		contains: []string{"RBC 4.82 10*6/uL final []", "HGB 14.2 g/dL final []"}},
	"mindray_bs-chemistry_1.bin": {why: "the file is empty"},
	"mindray_bs200-chemistry-result-hl7_1.bin": {complete: 1, answers: "AA", reports: []string{"patient FILLER201 3"},
		contains: []string{"CREA 1.1 mg/dL final []", "ALT 32 U/L final []"}},
	"mindray_bs360e-chemistry-result-hl7_1.bin": {complete: 1, answers: "AA", reports: []string{"patient FILLER012 3"},
		contains: []string{"CREA 0.9 mg/dL final []", "AST 22 U/L final []"}},
	"mindray_mindray-cbc-result-hl7_1.bin": {complete: 1, answers: "AA", reports: []string{"patient FILLER456 4"},
		contains: []string{"WBC 7.5 10*3/uL final []", "HCT 42.0 % final []"}},
	"siemens_clinitek-status-qc_1.bin": {complete: 1, answers: "AA", why: "LF ends segments and the block", reports: []string{"qc 184 10"},
		contains: []string{"GLU Negative  final []", "SG 1.015  final []", "URO 3.2 umol/L final []"}},
	"siemens_clinitek-status_1.bin": {complete: 1, answers: "AA", why: "a dump with \\v and \\r, turned back into bytes by this test", reports: []string{"patient 143 12"},
		contains: []string{"SG <=1.005  final []", "URO 3.2 umol/L final []", "CLA Clear  final []"}},
	"stago_stago-start4-coagulation-hl7_1.bin": {complete: 1, answers: "AA", why: "comments before MSH; the status of INR stands in OBX-10", reports: []string{"patient FILLER012 5"},
		contains: []string{"PT 12.5 sec final []", "INR 1.05  preliminary []", "FIB 3.2 g/L final []"}},
	"sysmex_sysmex-result-hl7_1.bin": {complete: 1, answers: "AA", reports: []string{"patient FILLER789 3"},
		contains: []string{"WBC 8.2 10*3/uL final []", "PLT 250 10*3/uL final []"}},
	"sysmex_sysmex-xn-result-hl7_1.bin": {complete: 1, answers: "AA", reports: []string{"patient FILLER_XN456 13"},
		contains: []string{"MCHC 34.3 g/dL final [N]", "LYMPH% 32.0 % final [N]", "BASO% 0.5 % final [N]"}},
}

// TestCaptures sends every HL7 capture through the real driver, over TCP and a
// pseudo-terminal, in three kinds of splits.
func TestCaptures(t *testing.T) {
	root := filepath.Join(capturetest.Root(t), "hl7")
	files, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(captures) {
		t.Errorf("%d captures, %d expected outcomes", len(files), len(captures))
	}
	for _, link := range capturetest.Links() {
		for _, f := range files {
			want, known := captures[f.Name()]
			if !known {
				t.Errorf("no expected outcome for %s", f.Name())
				continue
			}
			t.Run(link.Name+"/"+f.Name(), func(t *testing.T) {
				message, raw := wire(t, filepath.Join(root, f.Name()), want.cut)
				for _, split := range capturetest.Splits(raw) {
					got := receive(t, link, raw, split)
					if len(got.complete) != want.complete || len(got.broken) != want.broken || got.answers != want.answers {
						t.Fatalf("%s: %d complete, %d broken, answers %q", split.Name, len(got.complete), len(got.broken), got.answers)
					}
					for _, m := range slices.Concat(got.complete, got.broken) {
						if m != string(message) {
							t.Errorf("%s: other bytes were stored", split.Name)
						}
					}
				}
				want.check(t, message)
				if want.complete > 0 {
					capturetest.Compare(t, f.Name(), capturetest.Short(capturetest.Settled(t, hl7.Parse, string(message))))
				}
			})
		}
	}
}

// check reads the message and compares.
func (o outcome) check(t *testing.T, message []byte) {
	if len(o.reports) == 0 {
		return
	}
	reports, err := hl7.Parse(message, drivers.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got, results []string
	for _, r := range reports {
		got = append(got, fmt.Sprintf("%s %s %d", r.Purpose, r.Specimen.ID, len(r.Results)))
		if r.Hold != "" {
			t.Errorf("held: %s", r.Hold)
		}
		for _, p := range r.Problems {
			if p != "there is text before the MSH segment" {
				t.Errorf("problem: %s", p)
			}
		}
		for _, res := range r.Results {
			results = append(results, fmt.Sprintf("%s %s %s %s %s", res.Test.Code, res.Value.Text, res.Unit, res.Status, res.Flags))
		}
	}
	if !slices.Equal(got, o.reports) {
		t.Errorf("reports %q", got)
	}
	for _, c := range o.contains {
		if !slices.Contains(results, c) {
			t.Errorf("no result %q among %q", c, results)
		}
	}
}

// wire is a capture as message and as bytes on the line: what its recorder took
// away of the block is put back.
func wire(t *testing.T, path string, cut bool) (message, raw []byte) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(raw, []byte(`"\v`)) {
		raw = []byte(strings.NewReplacer(`\v`, "\v", `\r`, "\r", `\x1C`, "\x1c", `\\`, `\`, `"`, "").Replace(string(raw)))
	}
	message = bytes.TrimPrefix(raw, []byte{mllp.VT})
	for _, end := range []string{"\x1c\r", "\x1c\n"} {
		message = bytes.TrimSuffix(message, []byte(end))
	}
	switch {
	case bytes.HasPrefix(raw, []byte{mllp.VT}):
	case cut, bytes.IndexByte(raw, mllp.FS) >= 0:
		raw = slices.Concat([]byte{mllp.VT}, raw)
	default:
		raw = mllp.AppendBlock(nil, raw)
	}
	return message, raw
}

// sentinel is a message whose acknowledgement tells that all before it was
// worked through.
const sentinel = "MSH|^~\\&|SENTINEL||||||ORU^R01|SENTINEL|P|2.5\r"

type result struct {
	complete, broken []string
	answers          string
}

var codes = regexp.MustCompile(`MSA\|(..)\|([^|\r]*)`)

// receive runs the driver over one link, plays raw to it, and tells what came.
func receive(t *testing.T, l capturetest.Link, raw []byte, split capturetest.Split) (r result) {
	p, connect := l.Open(t)
	store := &drivertest.Store{}
	d, err := hl7.New("bench", drivers.NoSection{}, drivers.Deps{Port: p, Handler: store, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	c := connect(d)
	answers := make(chan string, 1)
	go func() { answers <- readAnswers(c) }()
	split.Play(t, c, mllp.AppendBlock(slices.Clone(raw), []byte(sentinel)))
	got := <-answers
	cancel()
	c.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range codes.FindAllStringSubmatch(got, -1) {
		if m[2] == "SENTINEL" {
			break
		}
		list = append(list, m[1])
	}
	if !strings.HasSuffix(got, "MSA|AA|SENTINEL\r\x1c\r") {
		t.Fatalf("the sentinel was not acknowledged: %+v", d.Status())
	}
	r.answers = strings.Join(list, " ")
	r.complete, r.broken = store.Payloads(drivers.Complete), store.Payloads(drivers.Broken)
	r.complete = r.complete[:len(r.complete)-1] // the sentinel
	return r
}

// readAnswers reads until the sentinel is acknowledged, or two minutes have passed.
func readAnswers(c drivers.Conn) string {
	var got []byte
	buf := make([]byte, 4096)
	deadline := time.Now().Add(2 * time.Minute)
	for !bytes.HasSuffix(got, []byte("|SENTINEL\r\x1c\r")) {
		if c.SetReadDeadline(deadline) != nil {
			break
		}
		n, err := c.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			break
		}
	}
	return string(got)
}
