package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/labcourier/labcourier/drivers/simulator"
)

// TestReplug pulls a serial adapter out and plugs it in again under another
// device, while its stable name stays: the agent goes on without a restart.
func TestReplug(t *testing.T) {
	w := newWorld(t, 0)
	device := filepath.Join(w.dir, "usb-FTDI-if00-port0")
	w.writeConfig(fmt.Sprintf("[[analyzer]]\nname = \"serial\"\ndriver = \"astm\"\nserial = { device = %q, baud = 38400 }\n", device))
	w.startServer()
	defer w.startInProcess(t)()

	b := &testBench{name: "serial"}
	for n := 1; n <= 3; n++ {
		pty, name, err := simulator.OpenPTY()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, device); err != nil {
			t.Fatal(err)
		}
		c, err := pty.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The analyzer's own retries ride out the moment until the line is open.
		for err = os.ErrDeadlineExceeded; err != nil; {
			err = simulator.ASTM{}.Send(t.Context(), c, b.message(n))
		}
		if err := w.server.Wait(t.Context(), "DiagnosticReport", n); err != nil {
			t.Fatal(err)
		}
		os.Remove(device)
		pty.Close() // unplugged
	}
	b.acked = []string{"serial-000001", "serial-000002", "serial-000003"}
	w.benchs = append(w.benchs, b)
	if faults := w.faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
