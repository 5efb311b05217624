package deliver

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	throttled = `{"resourceType":"OperationOutcome","id":"too-many-requests","issue":[{"severity":"error","code":"throttled","details":{"text":"Too Many Requests"},"diagnostics":"{\"_remainingPoints\":0,\"_msBeforeNext\":17500}"}]}`
	resetIn   = `{"resourceType":"OperationOutcome","extension":[{"url":"https://medplum.com/fhir/StructureDefinition/rate-limit-reset","valueInteger":17}],"issue":[{"code":"throttled"}]}`
	tooLarge  = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","details":{"text":"File too large"}}]}`
	invalid   = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"structure","details":{"text":"Invalid additional property"},"expression":["Observation.valueThing"]}]}`
	forbidden = `{"resourceType":"OperationOutcome","id":"forbidden","issue":[{"severity":"error","code":"forbidden","details":{"text":"Forbidden"}}]}`
)

// TestOutcomes is the table: every outcome at every stage, as the whole answer
// and, where that can be, as an entry of a 200. Each fault meets the first
// `times` requests of its stage.
func TestOutcomes(t *testing.T) {
	const always = 1 << 30
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	tests := []struct {
		name  string
		fault fault
		times int
		code  string        // of the reason for which it is parked; "": delivered
		least time.Duration // that it takes
		most  time.Duration
	}{
		{"connection refused", fault{before: refused}, 3, "", 3 * time.Second, 15 * time.Second},
		{"reset before", fault{before: syscall.ECONNRESET}, 2, "", 2 * time.Second, 10 * time.Second},
		{"reset after commit", fault{after: syscall.ECONNRESET}, 2, "", 2 * time.Second, 10 * time.Second},
		{"answer cut off", fault{cut: true}, 2, "", 2 * time.Second, 10 * time.Second},
		{"silence", fault{hang: true}, 1, "", time.Minute, 2 * time.Minute},
		{"down for an hour", fault{before: refused}, 700, "", 45 * time.Minute, 90 * time.Minute},

		{"408", fault{status: 408}, 2, "", 2 * time.Second, 10 * time.Second},
		{"409", fault{status: 409}, 2, "", 2 * time.Second, 10 * time.Second},
		{"425", fault{status: 425}, 2, "", 2 * time.Second, 10 * time.Second},
		{"429", fault{status: 429}, 2, "", 2 * time.Second, 10 * time.Second},
		{"429 with _msBeforeNext", fault{status: 429, body: throttled}, 1, "", 17500 * time.Millisecond, 20 * time.Second},
		{"429 with the extension", fault{status: 429, body: resetIn}, 1, "", 17 * time.Second, 20 * time.Second},
		{"429 with Retry-After", fault{status: 429, header: map[string]string{"Retry-After": "40"}}, 1, "", 40 * time.Second, 45 * time.Second},
		{"503 with Retry-After", fault{status: 503, header: map[string]string{"Retry-After": "40"}}, 1, "", 40 * time.Second, 45 * time.Second},
		{"503 until a date", fault{status: 503, header: map[string]string{"Retry-After": "Sun, 06 Nov 1994 08:50:17 GMT", "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}}, 1, "", 40 * time.Second, 45 * time.Second},
		{"500", fault{status: 500}, 12, "", 4 * time.Minute, 10 * time.Minute},
		{"502", fault{status: 502, body: "<html>"}, 12, "", 30 * time.Second, 2 * time.Minute},
		{"504", fault{status: 504}, 2, "", 2 * time.Second, 10 * time.Second},

		{"401 once", fault{status: 401}, 1, "", 0, 0},
		{"401 for a while", fault{status: 401}, 8, "", 5 * time.Second, 30 * time.Second},
		{"403 for a while", fault{status: 403, body: forbidden}, 5, "", 20 * time.Second, 2 * time.Minute},
		{"404: wrong base", fault{status: 404, body: "<html>not here"}, 5, "", 20 * time.Second, 2 * time.Minute},
		{"407", fault{status: 407}, 2, "", 2 * time.Second, 10 * time.Second},
		{"a portal's redirect", fault{status: 302, header: map[string]string{"Location": "https://portal.example/"}}, 2, "", 2 * time.Second, 10 * time.Second},
		{"a portal's page", fault{status: 200, body: "<html>Welcome"}, 2, "", 2 * time.Second, 10 * time.Second},
		{"an empty 200", fault{status: 200}, 2, "", 2 * time.Second, 10 * time.Second},
		{"a bundle with too few entries", fault{status: 200, body: `{"resourceType":"Bundle","entry":[]}`}, 2, "", 2 * time.Second, 10 * time.Second},

		{"413", fault{status: 413}, always, CodeTooLarge, 0, 0},
		{"400 File too large", fault{status: 400, body: tooLarge}, always, CodeTooLarge, 0, 0},
		{"413 once", fault{status: 413}, 1, "split", 0, 0},
		{"412", fault{status: 412}, always, CodeAmbiguous, 0, 0},
		{"400", fault{status: 400, body: invalid}, always, CodeRejected, 0, 0},
		{"400 of a proxy", fault{status: 400, body: "<html>bad"}, always, CodeRejected, 0, 0},
		{"422", fault{status: 422, body: invalid}, always, CodeRejected, 0, 0},
		{"415", fault{status: 415}, always, CodeRejected, 0, 0},

		{"entry 409", entryFault(409, invalid), 2, "", 2 * time.Second, 10 * time.Second},
		{"entry 429", entryFault(429, throttled), 1, "", 17500 * time.Millisecond, 20 * time.Second},
		{"entry 500", entryFault(500, "null"), 2, "", 2 * time.Second, 10 * time.Second},
		{"entry 503", entryFault(503, "null"), 2, "", 2 * time.Second, 10 * time.Second},
		{"entry 401", entryFault(401, "null"), 1, "", 0, 0},
		{"entry 403", entryFault(403, forbidden), 3, "", 5 * time.Second, 20 * time.Second},
		{"entry 400", entryFault(400, invalid), always, CodeRejected, 0, 0},
		{"entry 404", entryFault(404, invalid), always, CodeRejected, 0, 0},
		{"entry 412", entryFault(412, "null"), always, CodeAmbiguous, 0, 0},
		{"entry 413", entryFault(413, "null"), always, CodeTooLarge, 0, 0},
		{"entry without a status", entryFault(7, "null"), 2, "", 2 * time.Second, 10 * time.Second},

		{"no location", fault{hide: true}, always, "", 0, 0},
	}
	for _, test := range tests {
		for _, stage := range []string{"Device", "Specimen", "Observation", "DiagnosticReport"} {
			t.Run(test.name+"/"+stage, func(t *testing.T) {
				test := test
				if test.code == "split" { // what has more than one entry gets through in halves
					test.code = map[bool]string{true: "", false: CodeTooLarge}[stage == "Observation"]
				}
				inWorld(t, 1, func(_ *Options, w *world) {
					met := 0
					w.srv.hook = func(s sent) fault {
						if s.stage != stage || met >= test.times {
							return fault{}
						}
						met++
						return test.fault
					}
				}, func(w *world) {
					w.queue.put("a", "a 0 5")
					took := w.drain(2 * time.Hour)
					w.checkOutcome(test.code)
					if test.code == "" && (took < test.least || took > test.most) {
						t.Errorf("took %s, want %s to %s", took, test.least, test.most)
					}
					w.srv.mu.Lock()
					w.srv.hook = nil
					w.srv.mu.Unlock()
					w.queue.put("a", "a 1 5") // the lane goes on
					w.drain(time.Minute)
					if w.queue.parked[2].Code != "" {
						t.Errorf("the next message was parked, too: %+v", w.queue.parked[2])
					}
				})
			})
		}
	}
}

func entryFault(status int, outcome string) fault {
	return fault{entry: func(i int, _ sentEntry) (int, string) {
		if i != 0 {
			return 0, ""
		}
		return status, outcome
	}}
}

// checkOutcome fails unless the first message is parked with that code, or
// delivered whole if there is none.
func (w *world) checkOutcome(code string) {
	w.t.Helper()
	if r := w.queue.parked[1]; r.Code != code {
		w.t.Errorf("parked with %+v, want code %q", r, code)
	}
	s := w.d.State().Lanes[0]
	if s.Waiting != "" || !s.Since.IsZero() || s.Attempts == 0 {
		w.t.Errorf("lane state after the message: %+v", s)
	}
	if code != "" {
		if len(w.srv.order["a"]) != 0 && w.srv.posts()[len(w.srv.posts())-1].stage != "DiagnosticReport" {
			w.t.Error("there is a report of a parked message")
		}
		return
	}
	if w.inOrder("a", 1); len(w.srv.ids) != 8 || len(w.queue.receipt[1].Resources) != 8 {
		w.t.Errorf("%d resources, receipt %+v", len(w.srv.ids), w.queue.receipt[1])
	}
}

// TestOnlyTheFailedAgain: what was accepted is not sent again.
func TestOnlyTheFailedAgain(t *testing.T) {
	inWorld(t, 1, func(_ *Options, w *world) {
		w.srv.hook = func(s sent) fault {
			return fault{entry: func(i int, e sentEntry) (int, string) {
				if s.stage == "Observation" && s.entries == 10 && i%3 == 0 {
					return 409, "null"
				}
				return 0, ""
			}}
		}
	}, func(w *world) {
		w.queue.put("a", "a 0 10")
		w.drain(time.Minute)
		var sizes []int
		for _, p := range w.srv.posts() {
			sizes = append(sizes, p.entries)
		}
		if fmt.Sprint(sizes) != "[1 1 10 4 1]" {
			t.Errorf("bundles of %v entries", sizes)
		}
	})
}

// TestSplitBySize: bundles are halved until they fit, and no result is lost.
func TestSplitBySize(t *testing.T) {
	inWorld(t, 1, func(_ *Options, w *world) {
		w.srv.hook = strikes(func(s sent) bool { return s.size > 20_000 }, fault{status: 400, body: tooLarge})
	}, func(w *world) {
		w.queue.put("a", "a 0 33 3000")
		w.queue.put("a", "a 1 3 30000")
		if took := w.drain(time.Minute); took > time.Second {
			t.Errorf("splitting took %s", took)
		}
		if w.queue.parked[2].Code != CodeTooLarge || len(w.srv.ids) != 1+1+33+1+1 {
			t.Errorf("%d resources, %+v", len(w.srv.ids), w.queue.parked)
		}
	})
}

// TestTooManyEntries: a server that takes a batch for a transaction, and has the
// 8-entry rule of Medplum's, gets bundles that it takes.
func TestTooManyEntries(t *testing.T) {
	const tooMany = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","details":{"text":"Transaction requires strict isolation but has too many entries"}}]}`
	inWorld(t, 1, func(_ *Options, w *world) {
		w.srv.hook = strikes(func(s sent) bool { return s.entries > 8 }, fault{status: 400, body: tooMany})
	}, func(w *world) {
		w.queue.put("a", "a 0 33")
		w.queue.put("a", "a 1 8")
		if took := w.drain(time.Minute); took > time.Second {
			t.Errorf("splitting took %s", took)
		}
		w.inOrder("a", 2)
		if len(w.queue.parked) > 0 || len(w.srv.ids) != 1+2*2+33+8 {
			t.Errorf("%d resources, %+v", len(w.srv.ids), w.queue.parked)
		}
		for _, p := range w.srv.posts() {
			if p.lane == "a" && p.stage == "Observation" && p.entries == 1 {
				t.Error("a result was sent alone: split further than the rule asks for")
			}
		}
	})
}

// TestUncompressed: a server that cannot gunzip gets plain bodies from then on.
func TestUncompressed(t *testing.T) {
	inWorld(t, 1, func(_ *Options, w *world) {
		w.srv.hook = strikes(func(s sent) bool { return s.zipped }, fault{status: 415})
	}, func(w *world) {
		for i := range 3 {
			w.queue.put("a", fmt.Sprintf("a %d 40 200", i))
		}
		w.drain(time.Minute)
		zipped := 0
		for _, p := range w.srv.posts() {
			if p.zipped {
				zipped++
			}
		}
		if w.inOrder("a", 3); zipped != 1 {
			t.Errorf("%d compressed requests", zipped)
		}
	})
}

// TestCompressed: what is worth it is compressed, and nothing else.
func TestCompressed(t *testing.T) {
	inWorld(t, 1, nil, func(w *world) {
		for i := range 2 {
			w.queue.put("a", fmt.Sprintf("a %d 40 200", i))
		}
		w.drain(time.Minute)
		for _, p := range w.srv.posts() {
			if p.zipped != (p.stage == "Observation") {
				t.Errorf("%s of %d bytes: compressed %v", p.stage, p.size, p.zipped)
			}
		}
		w.inOrder("a", 2)
	})
}

// TestDeviceGone: a remembered Device that the server lost is made again.
func TestDeviceGone(t *testing.T) {
	inWorld(t, 1, nil, func(w *world) {
		w.queue.put("a", "a 0 2")
		w.drain(time.Minute)
		if n := len(w.srv.posts()); n != 4 {
			t.Errorf("%d requests for the first message", n)
		}
		w.queue.put("a", "a 1 2")
		w.drain(time.Minute)
		if n := len(w.srv.posts()); n != 7 {
			t.Errorf("%d requests for two messages: the Device was not remembered", n)
		}
		w.srv.mu.Lock()
		device := w.srv.ids["Device?identifier=urn:test|a.device"]
		delete(w.srv.ids, "Device?identifier=urn:test|a.device")
		w.srv.ids["gone"] = "Device/other"
		w.srv.hook = func(s sent) fault {
			return fault{entry: func(_ int, e sentEntry) (int, string) {
				if strings.Contains(string(e.Resource), `"`+device+`"`) {
					return 400, invalid
				}
				return 0, ""
			}}
		}
		w.srv.mu.Unlock()
		w.queue.put("a", "a 2 2")
		w.drain(time.Minute)
		if w.inOrder("a", 3); len(w.queue.parked) != 0 {
			t.Errorf("parked: %+v", w.queue.parked)
		}
	})
}

func TestMapperFaults(t *testing.T) {
	mapper := func(err error) func(*Options, *world) {
		return func(o *Options, w *world) {
			inner := o.Map
			o.Map = inner
			bad := true
			o.Map = func(rec specRecord) (specPlan, error) {
				if bad {
					bad = false
					if err == nil {
						panic("patient Smith")
					}
					return specPlan{}, err
				}
				return inner(rec)
			}
		}
	}
	for code, err := range map[string]error{
		CodeUnparsable: errors.New("no header record"),
		CodeUnmappable: fmt.Errorf("no code: %w", ErrUnmappable),
		"panic":        nil,
	} {
		inWorld(t, 1, mapper(err), func(w *world) {
			w.queue.put("a", "a 9 1")
			w.queue.put("a", "a 0 1")
			w.drain(time.Minute)
			want := code
			if err == nil {
				want = CodeUnmappable
			}
			if w.inOrder("a", 1); w.queue.parked[1].Code != want || strings.Contains(w.queue.parked[1].Text+w.log.String(), "Smith") {
				t.Errorf("%s: parked %+v, log %s", code, w.queue.parked[1], w.log)
			}
		})
	}
}

func TestHeldAndKept(t *testing.T) {
	inWorld(t, 1, func(o *Options, w *world) {
		inner := o.Map
		o.Map = func(rec specRecord) (specPlan, error) {
			p, err := inner(rec)
			switch rec.Seq {
			case 1:
				p.Held = []string{"order 2 has no specimen id"}
			case 2:
				p = specPlan{Kept: []string{"1 report is QC"}}
			case 3:
				p = specPlan{Held: []string{"no specimen id"}, Kept: []string{"x"}}
			}
			return p, err
		}
	}, func(w *world) {
		for i := range 3 {
			w.queue.put("a", fmt.Sprintf("a %d 1", i))
		}
		w.drain(time.Minute)
		if r := w.queue.parked[1]; r.Code != CodeHeld || !strings.Contains(r.Text, "order 2") {
			t.Errorf("held: %+v", r)
		}
		w.inOrder("a", 1) // what is not held of it is there
		if r := w.queue.receipt[2]; r.Outcome != "kept" || r.Note != "1 report is QC" {
			t.Errorf("kept: %+v", r)
		}
		if r := w.queue.parked[3]; r.Code != CodeHeld || len(w.srv.ids) != 4 {
			t.Errorf("held: %+v, %d resources", r, len(w.srv.ids))
		}
	})
}
