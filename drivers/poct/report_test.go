package poct_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/poct"
)

func with(o poct.Options) drivers.Section {
	return drivertest.Section(func(dst any) error { *dst.(*poct.Options) = o; return nil })
}

// A message with everything in it, and what it says, written out by hand.
func TestParse(t *testing.T) {
	const raw = `<?xml version="1.0" encoding="utf-8"?>
<OBS.R01>
 <HDR><HDR.control_id V="27"/><HDR.creation_dttm V="2026-11-22T08:16:00.25-05:00"/></HDR>
 <SVC>
  <SVC.role_cd V="OBS"/><SVC.observation_dttm V="2026-11-22T08:15:00-05:00"/><SVC.status_cd V="OVR"/><SVC.reason_cd V="RES"/><SVC.sequence_nbr V="12"/>
  <PT>
   <PT.patient_id V=" P 77 "/><PT.name V="Doe, Jane"/><PT.birth_date V="1980-02-29"/><PT.gender_cd V="F"/>
   <OBS>
    <OBS.observation_id V="2341-6" DN="Glu" SN="LN"/><OBS.value V="145" U="mg/dL"/><OBS.method_cd V="M"/><OBS.status_cd V="A"/>
    <OBS.interpretation_cd V="HH"/><OBS.normal_lo-hi_limit V="[80;120]" U="mg/dL"/>
    <NTE><NTE.text V="New strip">TY=C</NTE.text></NTE>
   </OBS>
   <OBS><OBS.observation_id V="Flu A" SN="VENDOR"/><OBS.qualitative_value V="negative"/><OBS.method_cd V="C"/></OBS>
   <OBS><OBS.observation_id V="KET"/><OBS.value V="&lt;0.1" U="mmol/L"/><OBS.method_cd V="E"/></OBS>
   <OBS><OBS.observation_id V="X"/><OBS.value V="---"/></OBS>
  </PT>
  <OPR><OPR.operator_id V="nurse 1"/></OPR>
  <ORD><ORD.universal_service_id V="CHEM"/><ORD.order_id V="S-100"/></ORD>
  <SPC><SPC.specimen_dttm V="2026-11-22T08:10:00-05:00"/><SPC.type_cd V="BLD"/><SPC.source_cd V="F"/></SPC>
  <RGT><RGT.name V="Strip"/><RGT.lot_number V="L1"/></RGT>
  <NTE><NTE.text V="Accept comment"/></NTE>
 </SVC>
</OBS.R01>`
	est := time.FixedZone("", -5*3600)
	at := func(text string, minute, second, ns int, p drivers.Precision) drivers.Time {
		return drivers.Time{Text: text, Value: time.Date(2026, 11, 22, 8, minute, second, ns, est), Precision: p}
	}
	measured := at("2026-11-22T08:15:00-05:00", 15, 0, 0, drivers.Second)
	lot := drivers.Note{Source: "I", Code: "RGT.lot_number", Text: "L1"}
	result := func(i int, code drivers.Code, v drivers.Value, unit, method string) drivers.Result {
		return drivers.Result{Index: i, Test: code, Value: v, Unit: unit, Method: method, Status: drivers.StatusPreliminary,
			Previous: true, Completed: measured, Operator: "nurse 1", Notes: []drivers.Note{lot}}
	}
	glu := result(0, drivers.Code{System: "http://loinc.org", Code: "2341-6", Text: "Glu"}, drivers.Value{Text: "145", Number: "145"}, "mg/dL", "measured")
	glu.Range, glu.Flags, glu.StatusRaw = []string{"80 - 120"}, []string{"HH"}, "A"
	glu.Notes = []drivers.Note{{Source: "I", Text: "New strip TY=C"}, lot}
	want := []drivers.Report{{
		Purpose: drivers.ForPatient, ControlID: "27", Sent: at("2026-11-22T08:16:00.25-05:00", 16, 0, 250e6, drivers.Millisecond),
		Sender: drivers.Sender{Manufacturer: "Maker", Model: "M1", Serial: "S77"},
		Patient: drivers.Patient{LaboratoryID: "P 77", Name: "Doe, Jane", Sex: "F",
			Birth: drivers.Time{Text: "1980-02-29", Value: time.Date(1980, 2, 29, 0, 0, 0, 0, time.UTC), Precision: drivers.Day}},
		Specimen: drivers.Specimen{ID: "S-100", InstrumentID: "12", Type: "BLD", Source: "F", Collected: at("2026-11-22T08:10:00-05:00", 10, 0, 0, drivers.Second)},
		Order:    drivers.Order{Tests: []drivers.Code{{Code: "CHEM"}}},
		Notes:    []drivers.Note{{Source: "I", Text: "Accept comment"}, {Source: "I", Code: "SVC.status_cd", Text: "OVR"}},
		Results: []drivers.Result{
			glu,
			result(1, drivers.Code{Code: "Flu A"}, drivers.Value{Text: "negative"}, "", "calculated"),
			result(2, drivers.Code{Code: "KET"}, drivers.Value{Text: "<0.1", Comparator: "<", Number: "0.1"}, "mmol/L", "entered"),
			result(3, drivers.Code{Code: "X"}, drivers.Value{Text: "---", Absent: "unknown"}, "", ""),
		},
	}}
	got, err := poct.Parse([]byte(raw), drivers.ParseOptions{Section: with(poct.Options{Manufacturer: "Maker", Model: "M1", Serial: "S77"})})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nothing but a patient's result becomes one, and nothing that is not sure is
// passed on without a person.
func TestPurpose(t *testing.T) {
	service := func(role, subject, extra string) string {
		return `<SVC><SVC.role_cd V="` + role + `"/>` + extra + `<ORD><ORD.order_id V="S1"/></ORD><` + subject + `><PT.patient_id V="P1"/><OBS><OBS.observation_id V="GLU"/><OBS.value V="5"/></OBS></` + subject + `></SVC>`
	}
	doc := func(name, body string) string { return "<" + name + ">" + body + "</" + name + ">" }
	for _, c := range []struct {
		name, raw, want string
		o               poct.Options
	}{
		{"a patient's", doc("OBS.R01", service("OBS", "PT", "")), "patient", poct.Options{}},
		{"liquid control", doc("OBS.R01", service("LQC", "CTC", "")), "qc", poct.Options{}},
		{"electronic control", doc("OBS.R02", service("EQC", "CTC", "")), "qc", poct.Options{}},
		{"proficiency", doc("OBS.R02", service("PRF", "CTC", "")), "qc", poct.Options{}},
		{"calibration", doc("OBS.R02", service("CAL", "CTC", "")), "calibration", poct.Options{}},
		{"verification", doc("OBS.R02", service("CVR", "CTC", "")), "calibration", poct.Options{}},
		{"a control with a patient's role (Sofia)", doc("OBS.R02", service("OBS", "CTC", "")), "qc", poct.Options{}},
		{"a message that is not of patients", doc("OBS.R02", service("OBS", "PT", "")), "qc", poct.Options{}},
		{"a control in a patient's message", doc("OBS.R01", service("OBS", "CTC", "")), "qc", poct.Options{}},
		{"no role", doc("OBS.R01", service("", "PT", "")), "patient hold", poct.Options{}},
		{"an odd role", doc("OBS.R01", service("XYZ", "PT", "")), "patient hold", poct.Options{}},
		{"results outside of the patient", doc("OBS.R01", `<SVC><SVC.role_cd V="OBS"/><ORD><ORD.order_id V="S1"/></ORD><OBS><OBS.observation_id V="GLU"/><OBS.value V="5"/></OBS></SVC>`), "patient", poct.Options{}},
		{"two services", doc("OBS.R01", service("OBS", "PT", "")+service("LQC", "CTC", "")), "patient qc", poct.Options{}},
		{"no specimen", doc("OBS.R01", service("OBS", "PT", "")), "patient hold", poct.Options{SpecimenID: "SPC.specimen_id"}},
		{"the patient's id for the specimen's", doc("OBS.R01", service("OBS", "PT", "")), "patient", poct.Options{SpecimenID: "PT.patient_id", SpecimenPattern: "^P"}},
		{"an id that does not match", doc("OBS.R01", service("OBS", "PT", "")), "patient hold", poct.Options{SpecimenPattern: "^P"}},
		{"the id of a control", doc("OBS.R01", service("OBS", "PT", "")), "qc", poct.Options{QCPrefixes: []string{"S"}}},
		{"discarded at the device", doc("OBS.R01", strings.Replace(service("OBS", "PT", ""), "</OBS>", `<OBS.status_cd V="D"/></OBS>`, 1)), "patient hold", poct.Options{}},
		{"no test", doc("OBS.R01", strings.Replace(service("OBS", "PT", ""), `"GLU"`, `""`, 1)), "patient hold", poct.Options{}},
		{"an event", doc("EVS.R01", ""), "empty", poct.Options{}},
		{"nothing", doc("OBS.R01", ""), "empty", poct.Options{}},
		{"a patient without results", doc("OBS.R01", `<SVC><SVC.role_cd V="OBS"/><PT/></SVC>`), "empty", poct.Options{}},
		{"a status", doc("DST.R01", ""), "error", poct.Options{}},
		{"no XML", "GLU 5", "error", poct.Options{}},
		{"too deep", doc("OBS.R01", strings.Repeat("<a>", 50)+strings.Repeat("</a>", 50)), "error", poct.Options{}},
		{"a DTD", `<!DOCTYPE a [<!ENTITY a "b">]>` + doc("OBS.R01", ""), "error", poct.Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reports, err := poct.Parse([]byte(c.raw), drivers.ParseOptions{Section: with(c.o)})
			var got []string
			for _, r := range reports {
				got = append(got, string(r.Purpose))
				if r.Hold != "" {
					got = append(got, "hold")
				}
			}
			if err != nil {
				got = append(got, "error")
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q, want %s: %+v %v", got, c.want, reports, err)
			}
		})
	}
}

// An edited result is corrected.
func TestReason(t *testing.T) {
	r, err := poct.Parse([]byte(`<OBS.R01><SVC><SVC.role_cd V="OBS"/><SVC.reason_cd V="EDT"/><PT><OBS><OBS.observation_id V="GLU"/></OBS></PT></SVC></OBS.R01>`), drivers.ParseOptions{DefaultStatus: drivers.StatusFinal})
	if err != nil || r[0].Results[0].Status != drivers.StatusCorrected || r[0].Results[0].Value.Absent == "" {
		t.Errorf("%+v %v", r, err)
	}
}

func TestTimesAndEncodings(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, want string }{
		{"2026-07-22T08:15:00+05:45", "2026-07-22T08:15:00+05:45"},
		{"2026-07-22T08:15:00Z", "2026-07-22T08:15:00Z"},
		{"2026-07-22T08:15:00", "2026-07-22T08:15:00+02:00"},
		{"2026-07-22T08:15", "2026-07-22T08:15:00+02:00"},
		{"2026-07-22", "2026-07-22T00:00:00+02:00"},
		{"20260722081500", "2026-07-22T08:15:00+02:00"},
		{"2006-01-01T00:00:00-00:00", "2006-01-01T00:00:00Z"},
		{"22.07.2026", ""}, {"2026-07-22T25:00:00", ""}, {"T08:15", ""},
	} {
		reports, err := poct.Parse([]byte(`<OBS.R01><HDR><HDR.creation_dttm V="`+c.in+`"/></HDR></OBS.R01>`), drivers.ParseOptions{Location: zurich})
		if err != nil {
			t.Fatal(err)
		}
		sent := reports[0].Sent
		if sent.Known() != (c.want != "") || sent.Text != c.in || sent.Known() && sent.Value.Format(time.RFC3339) != c.want || (c.want == "") != (len(reports[0].Problems) > 0) {
			t.Errorf("%s: %+v %q", c.in, sent, reports[0].Problems)
		}
	}
	for name, raw := range map[string]string{
		"UTF-8":              `<OBS.R01><SVC><PT><PT.name V="Müller"/></PT></SVC></OBS.R01>`,
		"UTF-8, declared":    `<?xml version="1.0" encoding="UTF-8"?><OBS.R01><SVC><PT><PT.name V="Müller"/></PT></SVC></OBS.R01>`,
		"ISO 8859-1":         "<?xml version='1.0' encoding='iso-8859-1'?><OBS.R01><SVC><PT><PT.name V=\"M\xfcller\"/></PT></SVC></OBS.R01>",
		"declared wrongly":   "<?xml version=\"1.0\" encoding=\"utf-8\"?><OBS.R01><SVC><PT><PT.name V=\"M\xfcller\"/></PT></SVC></OBS.R01>",
		"not declared":       "<OBS.R01><SVC><PT><PT.name V=\"M\xfcller\"/></PT></SVC></OBS.R01>",
		"the text of a name": `<OBS.R01><SVC><PT><PT.name> Müller </PT.name></PT></SVC></OBS.R01>`,
	} {
		reports, err := poct.Parse([]byte(raw), drivers.ParseOptions{})
		if err != nil || reports[0].Patient.Name != "Müller" {
			t.Errorf("%s: %+v %v", name, reports, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    poct.Options
		want string
	}{
		{poct.Options{Continuous: "yes"}, `continuous is "yes": use one of`},
		{poct.Options{MaxMessage: 5}, "max_message is 5: use 1024 to"},
		{poct.Options{SpecimenID: "order"}, `specimen_id is "order": name an element`},
		{poct.Options{SpecimenPattern: "("}, "specimen_pattern is not a regular expression"},
	} {
		if _, err := poct.New("x", with(c.o), drivers.Deps{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
	if _, err := poct.New("x", drivers.NoSection{}, drivers.Deps{}); err != nil {
		t.Error(err)
	}
}

func TestSplit(t *testing.T) {
	raw := "noise"
	for _, m := range messages() {
		raw += string(poct.Sender{Anonymous: true}.Wire(m))
	}
	got, faults := poct.Split([]byte(raw+"<OBS.R01><HDR>"), drivers.NoSection{})
	if len(got) != 4 || got[3].Stage != drivers.Broken || len(faults) != 0 {
		t.Fatalf("%d messages, %q", len(got), faults)
	}
	for i, m := range messages() {
		if string(got[i].Payload) != string(m) || got[i].Stage != drivers.Complete {
			t.Errorf("message %d: %q", i, got[i].Payload)
		}
	}
	if got, faults := poct.Split([]byte("nothing"), drivers.NoSection{}); len(got) != 0 || len(faults) != 1 {
		t.Errorf("%d messages, %q", len(got), faults)
	}
}

// What HEL says of the device is stored before the document, and read; the options
// go before it. A device that says it again is the same bytes.
func TestDeviceOfHello(t *testing.T) {
	hello := `<HEL.R01><HDR><HDR.control_id V="1"/></HDR><DEV><DEV.device_id V="00-11"/><DEV.vendor_id V='SIE'/><DEV.model_id V="DCA &amp; co"/>` +
		`<DEV.serial_id V="S123"/><DEV.manufacturer_name V="Siemens"/><DEV.sw_version V="4.4"/><DCP><DCP.application_timeout V="60"/></DCP></DEV></HEL.R01>`
	again := strings.Replace(strings.Replace(hello, `V="1"`, `V="99"`, 1), `V="60"`, `V="61"`, 1)
	for _, m := range messages() {
		var first []byte
		for _, h := range []string{hello, again} {
			got, faults := poct.Split([]byte(h+string(m)), drivers.NoSection{})
			if len(got) != 1 || len(faults) > 0 || !strings.HasSuffix(string(got[0].Payload), string(m)) {
				t.Fatalf("%d messages, %q", len(got), faults)
			}
			if first == nil {
				first = got[0].Payload
			}
			if string(first) != string(got[0].Payload) {
				t.Errorf("the same result is other bytes in another conversation: %q", got[0].Payload)
			}
		}
		reports, err := poct.Parse(first, drivers.ParseOptions{})
		if err != nil || reports[0].Sender != (drivers.Sender{Manufacturer: "Siemens", Model: "DCA & co", Serial: "S123"}) {
			t.Errorf("%+v, %v", reports[0].Sender, err)
		}
		plain, err := poct.Parse(m, drivers.ParseOptions{})
		if err != nil || plain[0].Sender != (drivers.Sender{}) || len(plain[0].Results) != len(reports[0].Results) {
			t.Errorf("without HEL: %+v, %v", plain[0], err)
		}
		o := drivers.ParseOptions{Section: with(poct.Options{Model: "mine"})}
		if reports, err = poct.Parse(first, o); err != nil || reports[0].Sender.Model != "mine" || reports[0].Sender.Serial != "S123" {
			t.Errorf("%+v, %v", reports, err)
		}
	}
}

// Documents made to hurt a reader of XML: refused, in little time and memory.
func TestXMLBombs(t *testing.T) {
	doc := func(s string) string { return `<OBS.R01><HDR><HDR.control_id V="1"/></HDR>` + s + `</OBS.R01>` }
	for name, c := range map[string]struct {
		document string
		refused  bool
	}{
		"billion laughs":    {`<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>` + doc(`<NTE><NTE.text V="&b;"/></NTE>`), true},
		"external entity":   {`<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + doc(`<NTE V="&a;"/>`), true},
		"unknown entity":    {doc(`<NTE V="&lol;"/>`), true},
		"ten thousand deep": {doc(strings.Repeat("<a>", 10_000) + strings.Repeat("</a>", 10_000)), true},
		"endless siblings":  {doc(strings.Repeat("<a/>", 1_000_000)), true},
		"a doubled name":    {doc(`<NTE V="1" V="2"/>`), false},
	} {
		reports, err := poct.Parse([]byte(c.document), drivers.ParseOptions{})
		if refused := err != nil; c.refused && !refused {
			t.Errorf("%s was taken: %d reports", name, len(reports))
		}
		messages, faults := poct.Split([]byte(c.document), drivers.NoSection{})
		for _, m := range messages {
			if c.refused && m.Stage == drivers.Complete {
				t.Errorf("%s is a message", name)
			}
		}
		if c.refused && len(messages) == 0 && len(faults) == 0 {
			t.Errorf("%s vanished", name)
		}
	}
}
