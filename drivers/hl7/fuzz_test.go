package hl7

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/mllp"
)

// FuzzBlock: any block is cut into messages of which nothing is lost, and each
// answer is an acknowledgement that names its message, fits into a block, and
// is itself not answered.
func FuzzBlock(f *testing.F) {
	f.Add([]byte("MSH|^~\\&|A|B|C|D|20261122||ORU^R01^ORU_R01|1|P|2.5.1|||AL|AL||8859/1|||LAB-29^IHE\rOBX|1\r"), uint8(0))
	f.Add([]byte("FHS|^~\\&\nBHS|^~\\&\nMSH|^~\\&|\x81|||||||ORU|\\F\\|P|2.3\nMSH#*%!@#\nBTS|1\nx\nFTS\n"), uint8(7))
	f.Fuzz(func(t *testing.T, raw []byte, how uint8) {
		if bytes.IndexByte(raw, mllp.VT) >= 0 {
			t.Skip("a block holds no VT")
		}
		messages := cutMessages(raw)
		rest := raw
		for _, m := range messages { // each stands in the block, in order
			i := bytes.Index(rest, m)
			if i < 0 || len(m) == 0 {
				t.Fatalf("%q is not in the block, or not in order", m)
			}
			rest = rest[i+len(m):]
		}
		for _, m := range messages {
			in := judge(m, Options{})
			if in.outcome == accepted && (!in.keep || in.stage != drivers.Complete) {
				t.Fatal("accepted and not kept")
			}
			if how&1 != 0 && in.outcome == accepted {
				in.verdict = notStored(drivers.ErrStoreFull)
			}
			a := in.acknowledge(Options{}, time.Now(), func() string { return "ID" })
			for i, ack := range [][]byte{a.accept, a.application} {
				if ack != nil {
					checkAnswer(t, in, ack, "CA"[i])
				}
			}
			if a.accept != nil && a.application != nil && in.outcome != accepted {
				t.Error("refused twice")
			}
		}
	})
}

func checkAnswer(t *testing.T, in incoming, ack []byte, level byte) {
	block := mllp.AppendBlock(nil, ack)
	var dec mllp.Decoder
	if n, b, whole := dec.Feed(block); !whole || n != len(block) || b.Fault != mllp.FaultNone || !bytes.Equal(b.Payload, ack) {
		t.Fatalf("does not fit into a block: %q", ack)
	}
	h, err := readHeader(ack)
	if err != nil {
		t.Fatalf("%v: %q", err, ack)
	}
	if back := judge(ack, Options{}); back.outcome != ignored {
		t.Fatalf("would be answered: %q", ack)
	}
	msa, ok := cutSegment(&h.d, func(raw []byte) string { return string(raw) }, string(findLine(ack, "MSA")))
	if !ok {
		t.Fatalf("no MSA: %q", ack)
	}
	if code := msa.field(1); code != string([]byte{level, "AER"[in.outcome]}) {
		t.Errorf("MSA-1 is %q", code)
	}
	if in.head.enc == nil && msa.field(2) != in.head.echo(10) {
		t.Errorf("MSA-2 is %q, MSH-10 was %q", msa.field(2), in.head.echo(10))
	}
	if (findLine(ack, "ERR") != nil) != (in.outcome != accepted) {
		t.Errorf("ERR: %q", ack)
	}
}

// FuzzUnescape: text without escapes stays, and what was escaped comes out.
func FuzzUnescape(f *testing.F) {
	f.Add(`a|b^c&d~e\f`, `\X41\\.br\\Zx\\H`)
	f.Fuzz(func(t *testing.T, plain, other string) {
		decode := func(raw []byte) string { return strings.ToValidUTF8(string(raw), "\uFFFD") }
		ascii := strings.Map(func(r rune) rune {
			if r < ' ' || r >= 0x7F {
				return -1
			}
			return r
		}, plain)
		escaped := standard.escapeText(ascii)
		if strings.ContainsAny(escaped, "|^&~") {
			t.Errorf("%q holds delimiters", escaped)
		}
		if got := standard.unescape(escaped, decode); got != ascii {
			t.Errorf("%q came out as %q", ascii, got)
		}
		got := standard.unescape(other, decode)
		if utf8.ValidString(other) && !utf8.ValidString(got) {
			t.Errorf("%q made of %q", got, other)
		}
		if !strings.Contains(other, `\`) && got != other {
			t.Errorf("%q made of %q", got, other)
		}
	})
}

// FuzzParse: other bytes make reports of valid text or an error, never a panic.
func FuzzParse(f *testing.F) {
	for _, m := range []string{
		"MSH|^~\\&|A^B|C|||2026||OUL^R22^OUL_R22|1|P|2.5.1|||ER|AL||UNICODE UTF-8|||LAB-29^IHE\rPID|1|a|b^c~d|e|N^M||19800101|F\rSPM|1|S1&B^F||SER^x|||||||Q||||||20261122\rSAC|||C1\rOBR|1|\"\"||T^t^L^LN^x^LN|R|20261122\rORC|OK\rTQ1|||||||||S\rOBX|1|SN|T||<^1^:^2|10^9/L|1-2~3|L~\"\"|||F|||20261122||op~x||m^v~s|20261122\rNTE|1|L|a~\\X41\\\rOBX|2|ED|T|2|^a^b^Base64^AA\rQPD|x\rMSA|AA\r",
		"MSH#*%!@#S######ORU*R01#1#T#2.3####2##8859/1\nOBX#1#CE#@##a*b*LN%!X41!\nSPM#1#x##########C\nOBX#2#TX#T#S#1~2\nb",
		"FHS|\rMSH|^~\\&|\x81|||||||ORU|\rOBX|1|NM|T||5",
	} {
		f.Add([]byte(m), uint8(0))
	}
	f.Fuzz(func(t *testing.T, payload []byte, how uint8) {
		o := Options{SPM: [...]string{"", "before", "after", ""}[how&3], CharsetFrom: [...]string{"", "site"}[how>>2&1]}
		if how&8 != 0 {
			o.TestCode = "OBX-3/OBX-4"
		}
		if how&16 != 0 {
			o.SpecimenID = "ORC-2.1.2"
		}
		reports, err := Parse(payload, drivers.ParseOptions{Section: section(o)})
		if err != nil {
			if len(reports) != 0 {
				t.Error("reports beside an error")
			}
			return
		}
		if len(reports) == 0 {
			t.Error("neither reports nor an error")
		}
		for i, rep := range reports {
			if rep.Index != i || rep.Purpose == "" {
				t.Errorf("report %d: %+v", i, rep)
			}
			valid(t, rep.Specimen.ID, rep.Specimen.Type, rep.ControlID, rep.Sender.Name, rep.Patient.Name, rep.Order.Priority)
			if rep.Purpose == drivers.ForPatient && rep.Specimen.ID == "" && rep.Hold == "" {
				t.Errorf("no specimen id and not held: %+v", rep)
			}
			for j, r := range rep.Results {
				if r.Index != j || r.Status == "" {
					t.Errorf("result %d: %+v", j, r)
				}
				valid(t, r.Value.Text, r.Value.Number, r.Test.Code, r.Test.Text, r.Unit, r.Operator, r.Instrument)
				valid(t, r.Flags...)
				valid(t, r.Range...)
				for _, n := range r.Notes {
					valid(t, n.Text)
				}
			}
		}
	})
}

// FuzzSplit: any capture is looked at without a panic, and what comes out parses
// or does not.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("\x0bMSH|^~\\&|A\r\x1c\r\x0bx"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		messages, faults := Split(raw, drivers.NoSection{})
		if len(messages)+len(faults) == 0 {
			t.Error("nothing to say")
		}
		for _, m := range messages {
			Parse(m.Payload, drivers.ParseOptions{})
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var m strings.Builder
	m.WriteString("MSH|^~\\&|SIM||||20260722091501||ORU^R01|1|P|2.3.1||||||UNICODE UTF-8\rPID|1\rOBR|1||S1|CBC\r")
	for range 30 {
		m.WriteString("OBX|1|NM|^^^WBC^WHITE BLOOD CELL||6.8|10*3/uL|4.0-10.0|N|||F|||20260722091501\r")
	}
	b.SetBytes(int64(m.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse([]byte(m.String()), drivers.ParseOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnswer is what stands between a block and the store, and after it.
func BenchmarkAnswer(b *testing.B) {
	block := []byte("MSH|^~\\&|SIM||||20260722091501||ORU^R01|1|P|2.3.1||||||UNICODE UTF-8\rPID|1\rOBR|1||S1|CBC\r" +
		strings.Repeat("OBX|1|NM|^^^WBC^WHITE BLOOD CELL||6.8|10*3/uL|4.0-10.0|N|||F|||20260722091501\r", 30))
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range cutMessages(block) {
			judge(m, Options{}).acknowledge(Options{}, time.Time{}, func() string { return "ID" })
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
