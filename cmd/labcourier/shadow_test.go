package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/drivers/porttest"
)

// TestShadow: a second server gets the messages of the analyzer that has one,
// and only from then on; while it is away, the first server's deliveries go
// on, and nothing of it counts.
func TestShadow(t *testing.T) {
	w := newWorld(t, 2)
	w.startServer()
	second := sandbox.New(sandbox.Options{})
	address := porttest.Reserve(t, 1)[0]

	stop := w.startInProcess(t)
	w.send(t, 5) // before there was a second server
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 10); err != nil {
		t.Fatal(err)
	}
	stop()
	w.writeConfig(fmt.Sprintf("shadow = true\n[shadow]\nurl = \"http://%s%s\"\n[shadow.auth]\nmethod = \"basic\"\nusername = %q\npassword_file = '%s'\n",
		address, sandbox.BasePath, sandbox.DefaultClientID, filepath.Join(w.dir, "secret")))
	stop = w.startInProcess(t)
	w.send(t, 20)
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 50); err != nil {
		t.Fatal(err)
	}
	shadow := func(want uint64) (d *status.Shadow) {
		t.Helper()
		until(t, fmt.Sprintf("the second server has not %d", want), func() bool {
			s, err := status.NewClient(w.status).Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s.Shadow == nil || !strings.Contains(s.Shadow.URL, address) || s.Analyzers[0].Shadow != nil || s.Spool.Delivered > 52 || !s.Server.Reachable {
				t.Fatalf("%+v, %+v, %+v", s.Analyzers[0].Shadow, s.Spool, s.Server)
			}
			d = s.Analyzers[1].Shadow
			return d.Delivered == want && (want > 0 || d.WaitingReason != "")
		})
		return d
	}
	if s := shadow(0); s.WaitingSince.IsZero() || !s.LastDelivered.IsZero() {
		t.Errorf("%+v", s)
	}
	_, end, err := second.Start(address)
	if err != nil {
		t.Fatal(err)
	}
	defer end(t.Context())
	if s := shadow(20); s.Refused != 0 || s.WaitingReason != "" {
		t.Errorf("%+v", s)
	}
	stop()
	if n := second.Len("DiagnosticReport"); n != 20 {
		t.Errorf("the second server has %d reports", n)
	}
	// What it has is remembered.
	stop = w.startInProcess(t)
	defer stop()
	w.send(t, 1)
	w.settle(t, 52) // by then the first server was asked, and counts as there
	if s := shadow(21); s.Refused != 0 || s.LastDelivered.IsZero() {
		t.Errorf("%+v", s)
	}
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 52); err != nil {
		t.Fatal(err)
	}
	if faults := append(w.faults(), append(second.Duplicates(), second.Dangling()...)...); len(faults) > 0 {
		t.Error(faults)
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "data", "shadow.json"))
	if err != nil || !strings.Contains(string(text), w.benchs[1].name) || strings.Contains(string(text), w.benchs[0].name) {
		t.Errorf("%s, %v", text, err)
	}
}
