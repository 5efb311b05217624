package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/porttest"
	"github.com/labcourier/labcourier/drivers/simulator"
)

// world is a server, a configuration for an agent, and simulated analyzers with
// a ledger of what they saw acknowledged.
type world struct {
	t      testing.TB
	dir    string
	server *sandbox.Server
	base   string
	front  string // where the agent is told that the server is; "": at base
	config string // the file
	status string // the agent's endpoint
	log    io.Writer

	logKeys string       // [log] as it is written; "": errors only
	far     *http.Client // for the server's own endpoints; nil: the default
	benchs  []*testBench
}

// patience is how long a test waits for what must come. It decides nothing when
// all is well.
const patience = 2 * time.Minute

// until waits until ok, looking now and then.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v: %s", patience, what)
		}
	}
}

// testBench is one simulated analyzer that connects to the agent.
type testBench struct {
	name    string
	address string

	mu    sync.Mutex
	acked []string // specimen ids in the order of their acknowledgement
	sent  int      // messages begun
}

// newWorld makes a world with n analyzers. The server is made, not started.
func newWorld(t testing.TB, n int) *world {
	w := &world{t: t, log: io.Discard, dir: t.TempDir(), server: sandbox.New(sandbox.Options{TokenLifetime: time.Minute})}
	free := porttest.Reserve(t, n+2)
	w.base, w.status = "http://"+free[n], free[n+1]
	for i := range n {
		w.benchs = append(w.benchs, &testBench{name: fmt.Sprintf("bench-%02d", i), address: free[i]})
	}
	w.writeConfig("")
	return w
}

// writeConfig writes the agent's configuration; extra is added at the end.
func (w *world) writeConfig(extra string) {
	secret := filepath.Join(w.dir, "secret")
	if err := os.WriteFile(secret, []byte(sandbox.DefaultClientSecret), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.writeServer("", fmt.Sprintf("client_secret_file = '%s'\n", secret), extra)
}

// writeServer writes the agent's configuration with these lines in [server] and
// in [server.auth].
func (w *world) writeServer(server, auth, extra string) {
	var b strings.Builder
	fmt.Fprintf(&b, "[agent]\nname = \"test\"\ndata_dir = '%s'\n", filepath.Join(w.dir, "data"))
	front, timeout := w.base, "30s"
	if w.front != "" {
		timeout = "2s" // something in between loses requests
		front = "http://" + w.front
	}
	fmt.Fprintf(&b, "[server]\nurl = %q\nmax_parallel = 8\ntimeout = %q\n%s", front+sandbox.BasePath, timeout, server)
	fmt.Fprintf(&b, "[server.auth]\ntoken_url = %q\nclient_id = %q\nreprobe = \"10s\"\n%s", front+sandbox.TokenPath, sandbox.DefaultClientID, auth)
	fmt.Fprintf(&b, "[status]\nlisten = %q\n[log]\n", w.status)
	if w.logKeys == "" {
		w.logKeys = "level = \"error\"\n"
	}
	b.WriteString(w.logKeys)
	for _, a := range w.benchs {
		fmt.Fprintf(&b, "[[analyzer]]\nname = %q\ndriver = \"astm\"\ntcp = { listen = %q }\n", a.name, a.address)
	}
	w.config = filepath.Join(w.dir, "labcourier.toml")
	if err := os.WriteFile(w.config, []byte(b.String()+extra), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// startServer lets the server listen until the test ends, or the function is called.
func (w *world) startServer() (stop func()) {
	_, end, err := w.server.Start(strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { end(context.Background()) })
	w.t.Cleanup(stop)
	return stop
}

// run sends messages until count were acknowledged (0: until ctx ends).
func (b *testBench) run(ctx context.Context, count int) error {
	p, err := port.Connect(port.ConnectConfig{Address: b.address})
	if err != nil {
		return err
	}
	an := simulator.Analyzer{
		Port: p, Sender: simulator.ASTM{FrameText: 64000}, Retry: 5 * time.Millisecond,
		Next: func(context.Context) ([]byte, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if count > 0 && len(b.acked) >= count {
				return nil, io.EOF
			}
			b.sent++
			return b.message(b.sent), nil
		},
		Acknowledged: func(m []byte) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.acked = append(b.acked, specimenOf(m))
		},
	}
	if err := an.Run(ctx); err != nil && err != io.EOF && ctx.Err() == nil {
		return err
	}
	return nil
}

// message n of this analyzer; no two are alike.
func (b *testBench) message(n int) []byte {
	return fmt.Appendf(nil, "H|\\^&|||SIM|||||||P|1|20261122080000\rP|1\rO|1|%s-%06d||^^^GLU\\^^^K|R||20261122080000||||N||||SER||||||||||F\r"+
		"R|1|^^^GLU|%d.%d|mmol/L|3.9^5.8|N||F||op||20261122080000\rR|2|^^^K|4.%d|mmol/L|3.5^5.1|N||F||op||20261122080000\rL|1|N\r", b.name, n, n%9, n%10, n%10)
}

func specimenOf(message []byte) string {
	_, rest, _ := bytes.Cut(message, []byte("O|1|"))
	id, _, _ := bytes.Cut(rest, []byte("|"))
	return string(id)
}

func (b *testBench) acknowledged() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.acked...)
}

// arrived lists the specimen ids of each analyzer in the order in which their
// reports were created on the server.
func (w *world) arrived() map[string][]string {
	tubes := map[string]string{}
	for _, r := range w.server.Resources("Specimen") {
		var s struct {
			AccessionIdentifier struct{ Value string }
		}
		if err := json.Unmarshal(r.Raw, &s); err != nil {
			w.t.Fatal(err)
		}
		tubes["Specimen/"+r.ID] = s.AccessionIdentifier.Value
	}
	out := map[string][]string{}
	for _, r := range w.server.Resources("DiagnosticReport") {
		var d struct {
			Specimen []struct{ Reference string }
			Result   []struct{ Reference string }
		}
		if err := json.Unmarshal(r.Raw, &d); err != nil {
			w.t.Fatal(err)
		}
		if len(d.Specimen) != 1 || len(d.Result) != 2 {
			w.t.Errorf("report %s has %d specimens and %d results", r.ID, len(d.Specimen), len(d.Result))
			continue
		}
		id := tubes[d.Specimen[0].Reference]
		name := id[:max(0, strings.LastIndexByte(id, '-'))]
		out[name] = append(out[name], id)
	}
	return out
}

// faults compares the ledgers with the server: what is lost, doubled or out of
// order, nothing if all is well.
func (w *world) faults() (faults []string) {
	arrived := w.arrived()
	for _, b := range w.benchs {
		got := map[string]int{}
		last := ""
		for _, id := range arrived[b.name] {
			got[id]++
			if id <= last {
				faults = append(faults, fmt.Sprintf("%s arrived after %s", id, last))
			}
			last = id
		}
		for _, id := range b.acknowledged() {
			if got[id] != 1 {
				faults = append(faults, fmt.Sprintf("%s was acknowledged and is there %d times", id, got[id]))
			}
		}
	}
	faults = append(faults, w.server.Duplicates()...)
	return append(faults, w.server.Dangling()...)
}
