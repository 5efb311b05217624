package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/drivers/astm"
)

// TestNoPatientDataInSight sends what goes well and all that goes wrong, and
// then looks for the patient in the log and the status.
func TestNoPatientDataInSight(t *testing.T) {
	w := newWorld(t, 1)
	var log lockedBuffer
	w.log = &log
	file := filepath.Join(w.dir, "log", "labcourier.log")
	w.logKeys = fmt.Sprintf("file = '%s'\nlevel = \"info\"\nlevels = { deliver = \"trace\", drivers = \"trace\", http = \"trace\", auth = \"trace\" }\n", file)
	w.writeConfig("")
	w.startServer()
	w.server.SetFault(sandbox.OnBundle(sandbox.Times(1, sandbox.RefuseEntry(0, 400))))
	stop := w.startInProcess(t)

	message := func(specimen, status string) string {
		return "H|\\^&|||SIM|||||||P|1|20261122080000\rP|1|PRIVATE-ID|||PRIVATE^NAME||19700102|F\r" +
			"O|1|" + specimen + "||^^^GLU|R\rR|1|^^^GLU|PRIVATEVALUE|mmol/L||N||" + status + "\rC|1|I|PRIVATE COMMENT\rL|1|N\r"
	}
	var raw []byte
	session := func(text string) {
		raw = append(raw, astm.ENQ)
		for _, f := range astm.Frames([]byte(text), 0, true) {
			raw = append(raw, f...)
		}
		raw = append(raw, astm.EOT)
	}
	session(message("PRIVATE-S1", "F"))                                              // the server refuses it
	session(message("PRIVATE-S2", "F"))                                              // goes well
	session(message("", "F"))                                                        // no specimen id
	session(message("@PRIVATE-S3", "F"))                                             // unread barcode
	session(message("PRIVATE-S4", "PRIVATE-STATUS"))                                 // unknown status
	session("PRIVATE RUBBISH\rL|1|N\r")                                              // no header
	session(strings.TrimSuffix(message("PRIVATE-S5", "F"), "L|1|N\r"))               // broken off
	raw = append(raw, "\x05\x021PRIVATE CHECKSUM\x0300\r\n\x04PRIVATE NOISE\r\n"...) // bad frame, noise

	c, err := net.Dial("tcp", w.benchs[0].address)
	for err != nil {
		c, err = net.Dial("tcp", w.benchs[0].address)
	}
	go io.Copy(io.Discard, c)
	if _, err := c.Write(raw); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()

	var s status.Snapshot
	for deadline := time.Now().Add(patience); s.Spool.Parked != 5 || s.Spool.Queued != 0; {
		if s, err = status.NewClient(w.status).Status(t.Context()); err != nil || time.Now().After(deadline) {
			t.Fatalf("parked %d, queued %d, %v", s.Spool.Parked, s.Spool.Queued, err)
		}
	}
	stop()
	shown, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	filed, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(filed), "parked") {
		t.Errorf("the log file says %q, %v", filed, err)
	}
	written := map[string]string{"log": log.String(), "status": string(shown)}
	others, _ := filepath.Glob(filepath.Join(w.dir, "log", "*"))
	for _, name := range others {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		written[name] = string(text)
	}
	for name, text := range written {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(strings.ToUpper(line), "PRIVATE") {
				t.Errorf("patient data in the %s: %s", name, line)
			}
			if strings.Contains(line, sandbox.DefaultClientSecret) {
				t.Errorf("the secret is in the %s", name)
			}
		}
	}
	for _, want := range []string{"broken off", "refused", "parked"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
}

// lockedBuffer is a bytes.Buffer for several writers.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
