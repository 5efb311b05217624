package deliver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
)

// order stores an order of somebody's on the server.
func (f *far) order(system, tube, status, made, patient string) {
	f.t.Helper()
	p, err := f.srv.Add([]byte(fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":%q}]}`, patient+tube+made)))
	if err != nil {
		f.t.Fatal(err)
	}
	_, err = f.srv.Add([]byte(fmt.Sprintf(`{"resourceType":"ServiceRequest","identifier":[{"system":%q,"value":%q}],"status":%q,"authoredOn":%q,"intent":"order","subject":{"reference":"Patient/%s"}}`,
		system, tube, status, made, p)))
	if err != nil {
		f.t.Fatal(err)
	}
}

// TestOrders: a result names the patient whose order has its specimen id, and
// nobody where that is not sure.
func TestOrders(t *testing.T) {
	for _, hold := range []bool{false, true} {
		inSandbox(t, goodSecret, func(f *far) {
			f.d.o.Orders = &Orders{System: "urn:acc", Hold: hold, MaxAge: 30 * 24 * time.Hour}
			now := time.Now().UTC().Format(time.RFC3339)
			f.order("urn:acc", "S0", "active", now, "anna")
			f.order("urn:other", "S1", "active", now, "berta")       // another system's number
			f.order("urn:acc", "S2", "revoked", now, "carla")        // withdrawn
			f.order("urn:acc", "S3", "active", "1999-10-01", "dora") // the number is used again
			f.order("urn:acc", "S4", "active", now, "emma")
			f.order("urn:acc", "S4", "active", now[:10], "fanny") // two patients
			f.queue.put("a", "a 0 2")
			time.Sleep(5 * time.Minute)
			if s := f.d.State().Lanes[0]; !strings.Contains(s.Waiting, "read and search ServiceRequest") {
				t.Errorf("without the right: %+v", s)
			}
			f.srv.Permit("ServiceRequest", sandbox.Read, sandbox.Search)
			for n := 1; n < 5; n++ {
				f.queue.put("a", fmt.Sprintf("a %d 2", n))
			}
			two := f.queue.last
			f.drain(time.Hour)
			named, all := 0, 0
			for _, typ := range []string{"Specimen", "Observation", "DiagnosticReport"} {
				for _, r := range f.srv.Resources(typ) {
					if all++; strings.Contains(string(r.Raw), `"subject":{"reference":"Patient/`) && strings.Contains(string(r.Raw), "ServiceRequest/") {
						named++
					}
				}
			}
			wantAll, wantParked := 16, 1
			if hold {
				wantAll, wantParked = 4, 4
			}
			if named != 4 || all != wantAll || len(f.queue.parked) != wantParked {
				t.Errorf("hold %v: %d of %d name a patient; parked: %+v", hold, named, all, f.queue.parked)
			}
			if r := f.queue.parked[two]; r.Code != CodeHeld || !strings.Contains(r.Text, "several patients") {
				t.Errorf("two patients: %+v", r)
			}
			// Found once, it is believed for a while.
			before := f.srv.Counts().Kind["search"]
			f.queue.put("b", "b 0 1")
			f.drain(time.Minute)
			if n := f.srv.Counts().Kind["search"]; n != before {
				t.Errorf("%d more searches", n-before)
			}
		})
	}
}

func TestToken(t *testing.T) {
	if got := token("urn:acc", `a|b,c\d$`); got != `urn:acc|a\|b\,c\\d\$` {
		t.Error(got)
	}
}
