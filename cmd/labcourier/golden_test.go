package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// goldenFolders are testdata/golden/NAME: wire.bin, traffic made up for this
// test, and bundles.json, what the analyzer of lab.toml sends for it. The
// bundles were read against the mapping tables (LIS02-A2 chapters 8 and 9, the
// v2-to-FHIR guide's OBX, OBR and SPM, POCT1-A2 appendix B). Where those leave
// a choice, or say something else, it is told here.
var goldenFolders = map[string]string{
	"astm": `
		R.9 of X (cannot be done) and a value: no value, "not-performed", and what was sent in a note.
		R.9 empty: preliminary, as of an analyzer that nobody has verified.
		R.9 of C (correction): "corrected"; the report, O.26 F, is then no more final than its preliminary results.
		R.4 of 1:640 is text: LIS02 has no ratio, and 1:640 read as one would be a guess; hasDigit keeps it a string.
		R.4 of ---- is "unknown", the dashes in a note.
		R.6 of two ranges: both, each with limits where all of its text can be read.
		R.7 of LL and A: two interpretations, LIS02's letters being those of v3.
		R.5 of G/L: giga or grams per litre: text, no UCUM code.
		R.3 of GLU in mmol/L and mg/dL on serum: two LOINC codes, by the unit.
		O.7 (requested) is no time of the patient. Without O.8 the effective time is R.13's, with a tag that says so.
		The order without results is kept, the control of O.12 Q never becomes a resource.`,
	"hl7-oru": `
		OBX-3 with LN: LOINC as sent, first, and no other from the tables.
		OBX-6 in UCUM: still goes through the table, which knows it.
		OBX-5 SN ^1^:^640 is a Ratio, ^3^-^5 a Range, <^0.5 a Quantity with comparator; as OBX[Observation] says.
		OBX-5 CWE is a CodeableConcept in a system of the maker's own: 99SYS is no URI.
		OBX-8 QCF is no longer active in v3: text, and H beside it.
		OBX-11 C is corrected, A amended; R ("entered, not verified") preliminary; X cancelled without its value. The guide maps no R.
		OBX-5 of DT and DTM are a dateTime, of TM a time, as exact as sent, in the zone of the stanza; FHIR has no
		minutes without seconds, so that these are zero and a note has the words. The guide has no row for TS, which
		is DTM's old name. What is no time (22.07.2026) is a string, and the report says so; the time beside it is one.
		OBX-19 is the analysis date-time; effective is OBX-14, else OBR-7. The report's is OBR-7 with OBR-8, a Period.
		OBR-3 is the specimen's id in the dialects that send no SPM, and then no FILL identifier of the report.
		OBX-16 is a performer by its id alone; OBX-17 a method in words.
		OBR-4 of one test with LN names the report; category is LAB of table 0074 whatever OBR-24 says.
		PID becomes nothing: who the patient is says the order's system.`,
	"hl7-law": `
		IHE LAW: SPM-2 is the specimen, SPM-4 its type as text, SPM-17 its collection.
		OBX-3's second triplet is LOINC: kept beside the maker's own, in the order sent.
		Two OBX of one test, a number and a coded word, are two Observations: the guide would join them by OBX-4, which both leave out.
		"" in OBX-6 to OBX-8 says that there is nothing: no unit, no range, no flag.
		raw: a DocumentReference with the bytes in it, of all reports; the guide's Binary has no identifier.
		provenance: of each report, with the assembler that the guide names; the source is the document.`,
	"poct": `
		OBS.observation_id of SN LN is LOINC as sent. OBS.normal_lo-hi_limit is an interval: low and high.
		A result without OBS.status_cd is final in POCT1-A2 once the device released it; status_default decides here: preliminary.
		OBS.method_cd is measured, calculated or entered: the method in words. RGT is a note at each result.
		SVC.reason_cd RES: sent before, a note says so.`,
	"text": `
		Decimal commas are turned into points, by the stanza, and so is nothing else. The comment stands at its result.
		n.g. (not measured) is the stanza's word for no value. The control of kind K never becomes a resource.`,
}

var goldenReceived = time.Date(2026, 11, 22, 13, 20, 2, 345e6, time.UTC)

// TestGoldenBundles shows for each protocol what becomes of the bytes on the
// wire. LABCOURIER_UPDATE=1 writes bundles.json anew, to be read again.
func TestGoldenBundles(t *testing.T) {
	for name := range goldenFolders {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join("testdata", "golden", name)
			got, err := json.MarshalIndent(goldenBundles(t, folder), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join(folder, "bundles.json")
			if os.Getenv("LABCOURIER_UPDATE") != "" {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// goldenMessage is one message of a golden folder.
type goldenMessage struct {
	Held    []string          `json:"held,omitempty"`
	Kept    []string          `json:"kept,omitempty"`
	Gaps    []fhir.Gap        `json:"gaps,omitempty"`
	Bundles []json.RawMessage `json:"bundles"`
}

func goldenBundles(t *testing.T, folder string) (out []goldenMessage) {
	t.Helper()
	cfg := goldenConfig(t, folder)
	an := cfg.Analyzers[0]
	wire, err := os.ReadFile(filepath.Join(folder, "wire.bin"))
	if err != nil {
		t.Fatal(err)
	}
	kind := kindNamed(t, an.Driver)
	messages, _ := kind.Split(wire, an.Section)
	if len(messages) == 0 {
		t.Fatal("no message in the wire data")
	}
	m := goldenMapper(t, cfg)
	for _, message := range messages {
		if message.Stage != drivers.Complete {
			t.Fatalf("a message is not whole: %s", message.Fault)
		}
		reports, err := kind.Parse(message.Payload, an.ParseOptions())
		if err != nil {
			t.Fatal(err)
		}
		key := spool.MessageKey(an.Name, spool.Complete, sha256.Sum256(message.Payload), 0)
		in := fhir.Input{Key: key.String(), Received: goldenReceived, Reports: reports, Source: fhir.Source{
			Name: an.Name, Manufacturer: an.Manufacturer, Model: an.Model, SerialNumber: an.SerialNumber, Location: an.Location,
		}, Choices: fhir.Choices{Raw: an.Raw, Provenance: an.Provenance}, Payload: message.Payload, MediaType: kind.MediaType}
		plan, err := m.Plan(in)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, goldenMessage{plan.Held, plan.Kept, m.Gaps(in), planBundles(t, plan)})
	}
	return out
}

func goldenConfig(t *testing.T, folder string) *config.Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "lab.toml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := oneAnalyzer(t, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// goldenMapper has the codes of testdata/golden/codes.toml.
func goldenMapper(t *testing.T, cfg *config.Config) *fhir.Mapper {
	t.Helper()
	cfg.Codes.File = filepath.Join("testdata", "golden", "codes.toml")
	set, _, err := config.LoadCodes(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return fhir.NewMapper(fhir.Options{AgentName: cfg.Agent.Name, Version: "1.0.0", Codes: set.Book()})
}

// planBundles are a plan's steps as they would be sent, references by full URL.
func planBundles(t *testing.T, plan fhir.Plan) (out []json.RawMessage) {
	t.Helper()
	known := map[string]string{}
	for _, s := range plan.Steps {
		raw, err := s.Bundle(known)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(raw) || bytes.Contains(raw, []byte(`""`)) {
			t.Errorf("step %s holds something empty", s.Name)
		}
		out = append(out, raw)
		for _, e := range s.Entries {
			known[e.FullURL] = e.FullURL
		}
	}
	return out
}
