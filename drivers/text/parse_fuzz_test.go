package text_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/text"
)

// FuzzParse: any bytes make reports of valid text or an error, whatever the
// description.
func FuzzParse(f *testing.F) {
	names := slices.Sorted(maps.Keys(messages))
	var sections []drivers.Section
	for i, name := range names {
		sections = append(sections, section(f, name))
		for _, m := range messages[name] {
			f.Add([]byte(m), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, which uint8) {
		reports, err := text.Parse(payload, drivers.ParseOptions{Section: sections[int(which)%len(sections)]})
		check(t, reports, err)
	})
}

func check(t *testing.T, reports []drivers.Report, err error) {
	if (err == nil) == (len(reports) == 0) {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	for i, rep := range reports {
		if rep.Index != i || rep.Purpose == "" {
			t.Errorf("report %d: %+v", i, rep)
		}
		if rep.Purpose == drivers.ForPatient && rep.Specimen.ID == "" && rep.Hold == "" {
			t.Error("no specimen id, and not held")
		}
		texts := []string{rep.Specimen.ID, rep.Patient.Name}
		for j, r := range rep.Results {
			if r.Index != j || r.Status == "" {
				t.Errorf("result %d: %+v", j, r)
			}
			texts = append(texts, append([]string{r.Value.Text, r.Test.Code, r.Unit, r.Operator}, r.Flags...)...)
		}
		for _, s := range texts {
			if !utf8.ValidString(s) || s != strings.TrimSpace(s) {
				t.Errorf("text %q", s)
			}
		}
	}
}

// FuzzOptions: any description is refused with words or can be used for anything.
func FuzzOptions(f *testing.F) {
	files, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(files) == 0 {
		f.Fatal("no stanzas: ", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, after, _ := strings.Cut(string(raw), "[analyzer.text]")
		f.Add(strings.ReplaceAll(after, "analyzer.text.", ""), []byte(strings.Join(messages[strings.TrimSuffix(filepath.Base(file), ".toml")], "\x03")))
	}
	f.Fuzz(func(t *testing.T, description string, raw []byte) {
		var o text.Options
		if toml.Unmarshal([]byte(description), &o) != nil || o.MaxMessage > 1<<20 {
			t.Skip("no options")
		}
		s := with(o)
		if _, err := text.New("x", s, drivers.Deps{}); err != nil {
			if reports, perr := text.Parse(raw, drivers.ParseOptions{Section: s}); perr == nil || reports != nil {
				t.Error("parsed with a description that is refused")
			}
			return
		}
		split, _ := text.Split(raw, s)
		for _, m := range split {
			reports, err := text.Parse(m.Payload, drivers.ParseOptions{Section: s})
			check(t, reports, err)
		}
		if send, err := text.NewSender(o); err != nil {
			t.Error(err)
		} else {
			send.Wire(raw)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		b.Run(name, func(b *testing.B) {
			s := with(options(b, name))
			m := []byte(messages[name][0])
			b.SetBytes(int64(len(m)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := text.Parse(m, drivers.ParseOptions{Section: s}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLink measures the receiver: framing, checks, assembly.
func BenchmarkLink(b *testing.B) {
	for _, name := range []string{"tosoh-g8", "kx-21", "rapidlab-348", "csv-printer"} {
		b.Run(name, func(b *testing.B) {
			o := options(b, name)
			send, err := text.NewSender(o)
			if err != nil {
				b.Fatal(err)
			}
			var raw []byte
			for len(raw) < 1<<20 {
				raw = append(raw, send.Wire([]byte(messages[name][0]))...)
			}
			link, err := text.NewLink(o, func() error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				for p := raw; len(p) > 0; {
					n, step := link.Feed(time.Time{}, p)
					p = p[n:]
					for len(step.Store) > 0 {
						step = link.Stored(time.Time{}, nil)
					}
				}
			}
		})
	}
}
