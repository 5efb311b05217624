package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/capturetest"
	"github.com/labcourier/labcourier/drivers/simulator"
	"github.com/labcourier/labcourier/drivers/text"
)

func builtIn(t *testing.T) []config.Profile {
	t.Helper()
	all, err := config.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// oneAnalyzer reads a configuration whose only analyzer is that.
func oneAnalyzer(t *testing.T, analyzer string) (*config.Config, error) {
	t.Helper()
	t.Setenv("LAB_PASSWORD", "secret")
	return config.Parse("lab.toml", []byte(`[agent]
name = "lab"
[server]
url = "https://fhir.example.org/R4"
[server.auth]
method = "basic"
username = "u"
password_env = "LAB_PASSWORD"
`+analyzer), kinds())
}

// Every profile is accepted, by the real drivers, over each of its links, and as
// the lines that are there to be pasted.
func TestProfilesAreAccepted(t *testing.T) {
	links := map[string]string{
		"serial":  `serial = { device = "COM3" }`,
		"listen":  `tcp = { listen = "127.0.0.1:4001" }`,
		"connect": `tcp = { connect = "10.0.5.12:4001" }`,
	}
	for _, p := range builtIn(t) {
		for _, l := range p.Links {
			t.Run(p.Name+"/"+l, func(t *testing.T) {
				cfg, err := oneAnalyzer(t, fmt.Sprintf("[[analyzer]]\nname = \"a\"\nprofile = %q\ntimezone = \"UTC\"\n%s\n", p.Name, links[l]))
				if err != nil {
					t.Fatal(err)
				}
				an := cfg.Analyzers[0]
				if an.Driver != p.Driver || an.Manufacturer != p.Manufacturer || (an.Model == p.Model) == p.Family {
					t.Errorf("%+v", an)
				}
				for _, w := range cfg.Warnings {
					if w.Key != "analyzer[0].charset" {
						t.Errorf("warning: %s", w)
					}
				}
			})
		}
		t.Run(p.Name+"/stanza", func(t *testing.T) {
			if _, err := oneAnalyzer(t, stanza(p)); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is shown as a profile's defaults can be written into the file instead of
// its name, with the same effect.
func TestProfileDefaultsCanBeWrittenOut(t *testing.T) {
	for _, p := range builtIn(t) {
		t.Run(p.Name, func(t *testing.T) {
			written := regexp.MustCompile(`(?m)^serial = \{ `).ReplaceAllString(p.Defaults, `serial = { device = "COM3", `)
			if !strings.Contains(written, "COM3") {
				written = "serial = { device = \"COM3\" }\n" + written
			}
			a, err := oneAnalyzer(t, "[[analyzer]]\nname = \"a\"\ntimezone = \"UTC\"\n"+written)
			if err != nil {
				t.Fatal(err)
			}
			b, err := oneAnalyzer(t, fmt.Sprintf("[[analyzer]]\nname = \"a\"\ntimezone = \"UTC\"\nprofile = %q\nserial = { device = \"COM3\" }\n", p.Name))
			if err != nil {
				t.Fatal(err)
			}
			got, want := a.Analyzers[0], b.Analyzers[0]
			if *got.Serial != *want.Serial || got.Charset != want.Charset || got.StatusDefault != want.StatusDefault || got.Driver != want.Driver {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// There are many models, of many makers, and each says what it rests on.
func TestProfilesCoverTheField(t *testing.T) {
	models, makers, known := map[string]bool{}, map[string]bool{}, map[string]int{}
	for _, p := range builtIn(t) {
		models[p.Manufacturer+" "+p.Model], makers[p.Manufacturer] = true, true
		known[p.Driver]++
		known[p.Basis]++
		if named := captureName().FindAllString(p.Source, -1); p.Basis == "verified" && len(named) == 0 {
			t.Errorf("%s is verified, but names no capture", p.Name)
		}
	}
	if len(models) < 25 || len(makers) < 10 {
		t.Errorf("%d models of %d makers", len(models), len(makers))
	}
	for _, word := range []string{"astm", "hl7", "poct", "text", "verified", "documented", "expected"} {
		if known[word] == 0 {
			t.Errorf("no profile is %s", word)
		}
	}
}

func captureName() *regexp.Regexp {
	return regexp.MustCompile(`(astm-framed|astm-records|hl7|other)/\S+?\.bin`)
}

// proof is what a verified profile makes of a capture of its model. It was read
// off the captures by hand.
type proof struct {
	profile, capture string
	mend             func([]byte) []byte // undoes what the recorder did; nil: nothing
	reports          []string            // purpose, specimen id, "held" if it is, number of results; of all messages
	needed           bool                // without the profile's driver settings it would come out otherwise
}

func proofs() []proof {
	return []proof{
		{"roche-cobas-e411", "astm-framed/roche_cobas-e411_1.bin", nil, []string{"patient 000002327 7"}, false},
		{"roche-cobas-c111", "astm-framed/roche_cobas-c111_1.bin", nil, []string{"patient T20 10134GA D28 held 1"}, true},
		{"sysmex-xp-100", "astm-framed/sysmex_xp-100_1.bin", nil, []string{"patient 113 20"}, true},
		{"sysmex-xn-550", "astm-framed/sysmex_xn-550-qc_1.bin", carriageReturns, []string{"qc QC-82151403 32"}, true},
		{"abbott-afinion-2", "astm-framed/abbott_afinion-2_1.bin", nil, []string{"patient  held 1"}, true},
		{"horiba-yumizen-h500", "astm-framed/horiba_yumizen-h500_1.bin", nil, []string{"patient 2021679 27"}, false},
		{"horiba-pentra-xlr", "astm-framed/horiba-abx_pentra-xlr_1.bin", nil, []string{"patient S1234 21"}, true},
		{"erba-xl-1000", "astm-framed/erba-transasia_xl-1000_1.bin", nil, []string{"patient 1044041 1"}, false},
		{"erba-em-200", "astm-framed/erba_em-200_2.bin", lineFeeds, []string{"patient ___ held 1", "patient ___ held 1"}, false},
		{"ortho-vitros-3600", "astm-framed/ortho_vitros-3600_1.bin", nil, []string{"patient 44444411 3"}, false},
		{"euroimmun-analyzer-i", "astm-records/euroimmun_analyzer-i_1.bin", nil, nil, true},
		{"immucor-galileo-echo", "astm-records/immucor_galileo_1.bin", nil, []string{"patient 0651439A 9", "patient 0651439A 5"}, false},
		{"bio-rad-ih-1000", "astm-records/bio-rad_ih-com-5-2_1.bin", nil, []string{"patient 1122206642 4", "patient 1122206642 1"}, false},
		{"biosystems-ba400", "hl7/biosystems_ba400_3.bin", nil, []string{"patient JJJJJJJKK32988998 1", "patient JJJJJJJKK32988998 1", "patient JJJJJJJKK32988998 1"}, false},
		{"siemens-clinitek-status", "hl7/siemens_clinitek-status-qc_1.bin", nil, []string{"qc 184 10"}, false},
		{"cepheid-genexpert-dx", "hl7/cepheid_genexpert-dx_1.bin", nil, []string{"patient sidOBM 23"}, false},
		{"biomerieux-mini-vidas", "other/biomerieux_mini-vidas_1.bin", nil, []string{"patient Z1G021SCR 1"}, true},
		{"tosoh-g8", "other/tosoh_hlc-723-g8-hba1c-hplc_1.bin", nil, []string{"empty 0001 - 11 0"}, true},
		{"siemens-rapidlab-348", "other/siemens_rapidlab-348_1.bin", nil, nil, true},
	}
}

// carriageReturns undoes an editor that wrote CR LF for every CR: inside of a
// frame the record ends with CR alone. It also takes out a frame that somebody
// put in by hand under the number of the one before it.
func carriageReturns(raw []byte) []byte {
	raw = regexp.MustCompile(`\x022R\|29\|\^\^\^\^HGB_WDF[^\x02]*`).ReplaceAll(raw, nil)
	return bytes.ReplaceAll(raw, []byte("\r\n\x03"), []byte("\r\x03"))
}

// lineFeeds undoes an editor that wrote LF for CR, and for CR LF after checksums.
func lineFeeds(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r"))
	return regexp.MustCompile(`(?s)\x03(..)\r`).ReplaceAll(raw, []byte("\x03$1\r\n"))
}

// TestVerifiedProfiles runs each verified profile on the capture that it rests
// on: every message comes out whole, with its specimen or its mark as a control.
func TestVerifiedProfiles(t *testing.T) {
	root := capturetest.Root(t)
	profiles := builtIn(t)
	for _, p := range proofs() {
		t.Run(p.profile, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.capture)))
			if err != nil {
				t.Fatal(err)
			}
			if p.mend != nil {
				raw = p.mend(raw)
			}
			cfg, err := oneAnalyzer(t, fmt.Sprintf("[[analyzer]]\nname = \"a\"\nprofile = %q\ntimezone = \"UTC\"\nserial = { device = \"COM3\" }\n", p.profile))
			if err != nil {
				t.Fatal(err)
			}
			an := cfg.Analyzers[0]
			kind := kindNamed(t, an.Driver)
			got, refused := outcome(kind, raw, an.ParseOptions())
			if refused != "" {
				t.Fatal(refused)
			}
			if p.reports != nil && !slices.Equal(got, p.reports) {
				t.Errorf("got  %q\nwant %q", got, p.reports)
			}
			o := an.ParseOptions()
			o.Section = drivers.NoSection{}
			bare, refused := outcome(kind, raw, o)
			if same := refused == "" && slices.Equal(bare, got); same == p.needed {
				t.Errorf("without the profile's driver settings: %q %s; needed: %t", bare, refused, p.needed)
			}
			about := profiles[slices.IndexFunc(profiles, func(one config.Profile) bool { return one.Name == p.profile })]
			if folder, _, _ := strings.Cut(filepath.Base(p.capture), "_"); !strings.Contains(about.Source, folder) {
				t.Errorf("the profile rests on %q, not on this capture", about.Source)
			}
		})
	}
	for _, p := range profiles {
		if p.Basis == "verified" && !slices.ContainsFunc(proofs(), func(one proof) bool { return one.profile == p.Name }) {
			t.Errorf("%s is called verified, but nothing verifies it", p.Name)
		}
		for _, name := range captureName().FindAllString(p.Source, -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	}
}

// Profiles that rest on a description, with messages made up from it.
func TestDescribedProfiles(t *testing.T) {
	for _, c := range []struct {
		profile, raw string
		reports      []string
	}{
		{"mindray-bs-200", "\vMSH|^~\\&|Mindray|BS-200|||20260719145353||ORU^R01|1|P|2.3.1||||0||ASCII|||\rPID|1|9\r" +
			"OBR|1|0000000002|7|Mindray^BS-200|N||20260719145300||||||||serum\rOBX|1|NM|2|ALT|31.5|U/L|-||||F\r\x1c\r" +
			"\vMSH|^~\\&|Mindray|BS-200|||20260719145353||ORU^R01|2|P|2.3.1||||0||ASCII|||\r" +
			"OBR|1||8|Mindray^BS-200|N||20260719145300||||||||serum\rOBX|1|NM|2|ALT|31.5|U/L|-||||F\r\x1c\r",
			[]string{"patient 0000000002 1", "patient  held 1"}},
		{"r-biopharm-rida-cube-scan", "Name: Muster\r\nID: 1234\r\nType: Sample\r\nApplic:Basic10\r\nGluFru:103 mg/l\r\nXY: <100 mmol/l\r\nTime: 14:44\r\nDate: 08-02-2026\r\n\r\n\r\n" +
			"\r\nName:\r\nID: 12\r\nType: Control\r\nGluFru:101 mg/l\r\n\r\n\r\n",
			[]string{"patient 1234 2", "qc 12 1"}},
		{"sysmex-kx-21", "\x02D1U2611220       K-400000000S0064 0452 0131 0398 0881-0290 0329 0245+" + strings.Repeat("0000 ", 10) + "\x03", []string{"patient K-400 8"}},
		{"siemens-dca-vantage-astm", "H|\\^&|||DCA VANTAGE^4.0^S1|||||||P|1|20260102030405\rP|1|4711\rO|1||001^0123|^^^HbA1c|||||||Q||||||||||||||F\rR|1|^^^HbA1c|5.9|%||||F\rL|1|N\r",
			[]string{"qc  held 1"}},
	} {
		t.Run(c.profile, func(t *testing.T) {
			cfg, err := oneAnalyzer(t, fmt.Sprintf("[[analyzer]]\nname = \"a\"\nprofile = %q\ntimezone = \"UTC\"\nserial = { device = \"COM3\" }\n", c.profile))
			if err != nil {
				t.Fatal(err)
			}
			an := cfg.Analyzers[0]
			got, refused := outcome(kindNamed(t, an.Driver), []byte(c.raw), an.ParseOptions())
			if refused != "" || !slices.Equal(got, c.reports) {
				t.Errorf("got  %q %s\nwant %q", got, refused, c.reports)
			}
		})
	}
}

func kindNamed(t *testing.T, name string) drivers.Kind {
	t.Helper()
	for _, k := range kinds() {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("this program has no driver %q", name)
	return drivers.Kind{}
}

// outcome is what the driver makes of captured traffic, in short.
func outcome(k drivers.Kind, raw []byte, o drivers.ParseOptions) (reports []string, refused string) {
	messages, faults := k.Split(raw, o.Section)
	for _, f := range faults {
		if strings.Contains(f, "refused") || len(messages) == 0 {
			return nil, f
		}
	}
	for _, m := range messages {
		if m.Stage != drivers.Complete {
			return nil, "not whole: " + m.Fault
		}
		read, err := k.Parse(m.Payload, o)
		if err != nil {
			return nil, err.Error()
		}
		for _, r := range read {
			words := []string{string(r.Purpose), r.Specimen.ID}
			if r.Hold != "" {
				words = append(words, "held")
			}
			reports = append(reports, strings.Join(append(words, strconv.Itoa(len(r.Results))), " "))
		}
	}
	return reports, ""
}

// What `simulate --config --analyzer` makes up for a profile is read as that
// profile reads its analyzer: the first result of a new installation is delivered,
// not parked.
func TestProfilesCanBeSimulated(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for _, p := range builtIn(t) {
		t.Run(p.Name, func(t *testing.T) {
			cfg, err := oneAnalyzer(t, fmt.Sprintf("[[analyzer]]\nname = \"a\"\nprofile = %q\ntimezone = \"UTC\"\nserial = { device = \"COM3\" }\n", p.Name))
			if err != nil {
				t.Fatal(err)
			}
			an := cfg.Analyzers[0]
			as, err := roleOf(&an, an.Driver, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := as.model.Renders(); err != nil {
				if as.kind.Name != text.KindName { // some descriptions cannot be turned round, which simulate says
					t.Error(err)
				}
				return
			}
			message := simulator.NewGenerator(as.model, "SIM", 1).Next(now)
			reports, err := as.kind.Parse(message, an.ParseOptions())
			if err != nil || len(reports) != 1 {
				t.Fatalf("%d reports of %q: %v", len(reports), message, err)
			}
			r := reports[0]
			if r.Purpose != drivers.ForPatient || r.Hold != "" || len(r.Problems) > 0 || r.Specimen.ID != "SIM000001" || len(r.Results) == 0 {
				t.Errorf("%q is read as %+v", message, r)
			}
			for _, res := range r.Results {
				if res.Value.Number == "" {
					t.Errorf("%s is read as %+v", res.Test.Code, res.Value)
				}
			}
		})
	}
}
