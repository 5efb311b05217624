package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/agent/codes"
)

// Beside each testdata/codes/NAME.toml, NAME.want holds exactly what is said of
// it, warnings first. LABCOURIER_UPDATE=1 writes the latter anew.
func TestGoldenCodes(t *testing.T) {
	files, err := filepath.Glob("testdata/codes/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".toml")
		t.Run(filepath.Base(base), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			_, warnings, err := ParseCodes("codes.toml", text, []string{"xn", "c311"})
			for _, w := range warnings {
				got.WriteString("warning: " + w.String() + "\n")
			}
			if err != nil {
				got.WriteString(err.Error() + "\n")
			}
			if os.Getenv("LABCOURIER_UPDATE") != "" {
				if err := os.WriteFile(base+".want", []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(base + ".want")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What is merged into a file is read as it was meant, and what a person wrote
// stays byte for byte.
func TestMergedCodes(t *testing.T) {
	const own = "# mine\n[[test]]\nanalyzer = \"xn\"\ncode = \"K\"\nnone = true\n"
	file, _, err := ParseCodes("codes.toml", []byte(own), nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := []codes.Row{
		{Code: "K", LOINC: "2823-3"},
		{Code: "GLU", Name: `Glu "quick" \ é`, LOINC: "2345-7", Property: "MCnc"},
		{Code: "GLU", LOINC: "14749-6", Property: "SCnc"},
		{Code: "GLU", LOINC: "14749-6", Property: "SCnc"},
		{Code: "HCG", LOINC: "80384-1", System: "Urine"},
		{Code: "HCG", LOINC: "80385-8", System: "Urine"},
	}
	m := codes.MergeInto(file, "xn", &codes.Catalogue{Publisher: "A\nB", LOINC: "2.80"}, rows)
	if m.Added != 1 || m.Several != 1 || m.Choices != 1 || m.Kept != 1 {
		t.Errorf("merged %+v", m)
	}
	merged, warnings, err := ParseCodes("codes.toml", []byte(own+m.Text), []string{"xn"})
	if err != nil || len(warnings) != 0 {
		t.Fatalf("%v, %v\n%s", err, warnings, m.Text)
	}
	var got []string
	for _, r := range merged.Rows {
		got = append(got, r.Analyzer+" "+r.Code+" "+r.LOINC+" "+r.Property+" "+r.Name)
	}
	want := []string{"xn K   ", "xn GLU 2345-7 MCnc " + rows[1].Name, "xn GLU 14749-6 SCnc "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if again := codes.MergeInto(merged, "xn", &codes.Catalogue{}, rows[:4]); again.Text != "" {
		t.Errorf("the second import adds %s", again.Text)
	}
}

func FuzzCodes(f *testing.F) {
	for _, file := range []string{"faults", "warnings", "syntax"} {
		text, err := os.ReadFile("testdata/codes/" + file + ".toml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, warnings, err := ParseCodes("codes.toml", text, []string{"xn"})
		faults, ok := errors.AsType[Faults](err)
		if err != nil && !ok {
			t.Fatalf("not Faults: %v", err)
		}
		for _, fault := range append(warnings, faults...) {
			if fault.Problem == "" || fault.Hint == "" || fault.File == "" {
				t.Fatalf("a fault that says too little: %+v", fault)
			}
		}
		if err != nil {
			return
		}
		for _, r := range file.Rows {
			if r.Code == "" || r.None == (r.LOINC != "") || r.LOINC != "" && codes.CheckLOINC(r.LOINC) != "" {
				t.Fatalf("a bad row: %+v", r)
			}
		}
	})
}
