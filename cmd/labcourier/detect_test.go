package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers/capturetest"
	"github.com/labcourier/labcourier/drivers/detect"
)

// Every capture is told by its bytes, and the stanza for it is in order.
func TestDetectCaptures(t *testing.T) {
	root := capturetest.Root(t)
	all, err := config.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	drivers := map[string]string{"astm-framed": "astm", "astm-records": "astm", "hl7": "hl7", "other": "text"}
	misses := map[string]string{"hl7/mindray_bs-chemistry_1.bin": ""} // an empty file
	models := map[string]string{
		"astm-framed/abbott_afinion-2_1.bin":           "abbott-afinion-2",
		"astm-framed/roche_cobas-c111_1.bin":           "roche-cobas-c111",
		"astm-framed/roche_cobas-e411_1.bin":           "roche-cobas-e411",
		"astm-framed/sysmex_xn-550-qc_1.bin":           "sysmex-xn-550",
		"astm-framed/sysmex_xp-100_1.bin":              "sysmex-xp-100",
		"astm-framed/horiba_yumizen-h500_1.bin":        "horiba-yumizen-h500",
		"astm-records/horiba_yumizen_1.bin":            "horiba-yumizen-h550",
		"astm-records/immucor_galileo_1.bin":           "immucor-galileo-echo",
		"hl7/biosystems_ba400_3.bin":                   "biosystems-ba400",
		"hl7/mindray_bc5380-cbc-result-hl7_1.bin":      "mindray-bc-5380",
		"hl7/mindray_bs200-chemistry-result-hl7_1.bin": "mindray-bs-200",
		"hl7/siemens_clinitek-status-qc_1.bin":         "siemens-clinitek-status",
		"hl7/cepheid_genexpert-dx_1.bin":               "cepheid-genexpert-dx",
		"other/biomerieux_mini-vidas_1.bin":            "biomerieux-mini-vidas",
		"other/siemens_rapidlab-348_1.bin":             "siemens-rapidlab-348",
		"other/tosoh_hlc-723-g8-hba1c-hplc_1.bin":      "tosoh-g8",
		// Names that several models share, or that are nobody's, are not guessed.
		"astm-records/generic_tier1-result-astm_1.bin":    "",
		"astm-records/generic_unmapped-fields-astm_1.bin": "",
		"hl7/mindray_bc2000-cbc-result-hl7_1.bin":         "",
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "*.bin"))
	if err != nil || len(files) < 70 {
		t.Fatalf("%d captures, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.ToSlash(strings.TrimPrefix(file, root+string(filepath.Separator)))
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := detect.Result{Finding: detect.Look(raw), Bytes: raw}
			want := drivers[filepath.Base(filepath.Dir(file))]
			if miss, is := misses[name]; is {
				want = miss
			}
			if r.Driver != want {
				t.Fatalf("taken for %q (%s), is %q", r.Driver, r.Framing, want)
			}
			known := knownModel(all, r)
			if model, is := models[name]; is && (known == nil && model != "" || known != nil && known.Name != model) {
				t.Errorf("model %+v of %q, want %q", known, r.Sender, model)
			}
			if known != nil && models[name] == "" {
				t.Logf("%s: %s", name, known.Name)
			}
			if want == "" {
				return
			}
			for _, d := range []detection{{}, {listen: "0.0.0.0:4001"}, {connect: "10.0.5.12:4001"}, {serial: "COM3"}} {
				r.Settings = detect.Settings{Baud: 19200, DataBits: 7, Parity: "even"}
				for _, k := range []*config.Profile{known, nil} {
					if text := detectedStanza(r, d, k); text != "" {
						if _, err := oneAnalyzer(t, text); err != nil {
							t.Errorf("%v\n%s", err, text)
						}
					}
				}
			}
		})
	}
}
