package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/drivers/simulator"
	"github.com/labcourier/labcourier/spool"
)

// sendOne has an analyzer send a message until it is acknowledged.
func (b *testBench) sendOne(t *testing.T, message string) {
	t.Helper()
	(&world{}).sendVia(t, b.address, simulator.ASTM{FrameText: 64000}, message)
}

// astmMessage has an order for each specimen id, with one result.
func astmMessage(status string, ids ...string) string {
	var m strings.Builder
	m.WriteString("H|\\^&|||SIM|||||||P|1|20261122080000\rP|1\r")
	for i, id := range ids {
		fmt.Fprintf(&m, "O|%d|%s||^^^GLU|R||||||N||||SER||||||||||F\rR|1|^^^GLU|5.40|mmol/L||N||%s||op||20261122080000\r", i+1, id, status)
	}
	return m.String() + "L|1|N\r"
}

// TestUnreadBarcode: a result whose barcode was not read waits for a person,
// the others of its message do not. Once it was said which tube it is, it is
// delivered with that id, and the record shows that a person said so.
func TestUnreadBarcode(t *testing.T) {
	w := newWorld(t, 1)
	w.startServer()
	stop := w.startInProcess(t)
	defer stop()
	w.benchs[0].sendOne(t, astmMessage("F", "S-1", "", ""))
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 1); err != nil {
		t.Fatal(err)
	}
	token, err := admin.ReadToken(filepath.Join(w.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	c := admin.NewClient(w.status, token)
	held := func() (m admin.Message) {
		until(t, "nothing is held", func() bool {
			list, err := c.List(t.Context(), admin.Query{State: "parked"})
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 1 {
				m = list[0]
			}
			return len(list) == 1
		})
		return m
	}
	m := held()
	if m.Reason.Code != "held" || !strings.Contains(m.Reason.Text, "order 2: no specimen id") || !strings.Contains(m.Reason.Text, "order 3") {
		t.Errorf("%+v", m.Reason)
	}
	// Two tubes are without an id: one for both would be somebody's wrong result.
	if err := c.SetSpecimen(t.Context(), m.Seq, "S-2", 0); err != nil {
		t.Fatal(err)
	}
	if m = held(); !strings.Contains(m.Reason.Text, "--order") || w.server.Len("DiagnosticReport") != 1 {
		t.Errorf("%+v", m.Reason)
	}
	if err := c.SetSpecimen(t.Context(), m.Seq, "S-2", 2); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 2); err != nil {
		t.Fatal(err)
	}
	held() // order 3 is still without
	if err := c.SetSpecimen(t.Context(), m.Seq, "S-3", 3); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 3); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range w.server.Resources("Specimen") {
		_, rest, _ := strings.Cut(string(s.Raw), `"accessionIdentifier":{"value":"`)
		id, _, _ := strings.Cut(rest, `"`)
		ids = append(ids, id)
	}
	if got := strings.Join(ids, " "); got != "S-1 S-2 S-3" {
		t.Errorf("specimens %s", got)
	}
	noted := 0
	for _, o := range w.server.Resources("Observation") {
		if strings.Contains(string(o.Raw), "entered by a person") {
			noted++
		}
	}
	if noted != 2 {
		t.Errorf("%d of the results say that a person gave the id", noted)
	}
	var states []spool.Seq
	log, err := c.Audit(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		if e.What == "give" {
			states = append(states, e.Seq)
		}
		if strings.Contains(e.Note, "S-2") {
			t.Errorf("a specimen id in the audit log: %s", e.Note)
		}
	}
	if len(states) != 3 {
		t.Errorf("%d entries in the audit log", len(states))
	}
	if faults := append(w.server.Duplicates(), w.server.Dangling()...); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestCorrectionFromTheAnalyzer: R.9 = C on the wire is a new version of the
// result on the server.
func TestCorrectionFromTheAnalyzer(t *testing.T) {
	w := newWorld(t, 1)
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		w.server.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
	}
	w.startServer()
	stop := w.startInProcess(t)
	defer stop()
	w.benchs[0].sendOne(t, astmMessage("F", "S-1"))
	w.benchs[0].sendOne(t, strings.Replace(astmMessage("C", "S-1"), "5.40", "4.10", 1))
	if err := w.server.Wait(t.Context(), "Specimen", 2); err != nil {
		t.Fatal(err)
	}
	until(t, "there is not one observation, corrected", func() bool {
		o := w.server.Resources("Observation")
		return len(o) == 1 && strings.Contains(string(o[0].Raw), `"value":4.10`) && strings.Contains(string(o[0].Raw), `"corrected"`)
	})
}
