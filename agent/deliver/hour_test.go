package deliver

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
)

// namedFault is one way in which a request goes wrong.
type namedFault struct {
	name string
	sandbox.Fault
}

// weather is what a network and a server do in an hour, by the package's table of
// outcomes: all that passes again.
func weather() (fhir, token []namedFault) {
	fhir = []namedFault{
		{"reset before", sandbox.Down()}, {"reset after the commit", sandbox.LostAnswer()}, {"cut answer", sandbox.CutAnswer()},
		{"slow", sandbox.Slow(20 * time.Second)}, {"answer too late", sandbox.SlowAnswer(90 * time.Second)},
		{"429", sandbox.Reply(429)}, {"429 in a 200, all", sandbox.ThrottleFrom(0)}, {"429 in a 200, the rest", sandbox.ThrottleFrom(1)},
		{"429 in a 200, one", sandbox.RefuseEntry(0, 429)}, {"503 in a 200", sandbox.RefuseEntry(1, 503)}, {"409 in a 200", sandbox.RefuseEntry(0, 409)},
		{"500", sandbox.Reply(500)}, {"502 page", sandbox.HTMLPage(502)}, {"503", sandbox.Reply(503)}, {"504", sandbox.Reply(504)},
		{"401", sandbox.Reply(401)}, {"403", sandbox.Reply(403)}, {"408", sandbox.Reply(408)}, {"409", sandbox.Reply(409)},
		{"portal page", sandbox.HTMLPage(200)},
	}
	token = []namedFault{
		{"token: reset", sandbox.Down()}, {"token: lost", sandbox.LostAnswer()}, {"token: cut", sandbox.CutAnswer()}, {"token: slow", sandbox.Slow(20 * time.Second)},
		{"token: 429", sandbox.Reply(429)}, {"token: 500", sandbox.Reply(500)}, {"token: 502 page", sandbox.HTMLPage(502)}, {"token: page", sandbox.HTMLPage(200)},
		{"token: 404", sandbox.Reply(404)},
	}
	return fhir, token
}

// storm gives one in so many requests a fault, and counts them.
type storm struct {
	mu   sync.Mutex
	rng  *rand.Rand
	seen int
	met  map[string]int
}

func (s *storm) oneIn(n int, faults []namedFault) sandbox.Hook {
	return func(*http.Request) sandbox.Fault {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen++
		if s.rng.IntN(n) > 0 {
			return sandbox.Fault{}
		}
		f := faults[s.rng.IntN(len(faults))]
		s.met[f.name]++
		return f.Fault
	}
}

// TestAnHourOfFaults delivers what four analyzers send in an hour, while one
// request in a hundred goes wrong, and one in four for a token. In it are results
// that are preliminary first, and then final. LABCOURIER_SEED repeats a run.
func TestAnHourOfFaults(t *testing.T) {
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("LABCOURIER_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("LABCOURIER_SEED=%d", seed)
	inSandbox(t, goodSecret, func(f *far) {
		f.permitUpdates()
		s := &storm{rng: rand.New(rand.NewPCG(seed, 0)), met: map[string]int{}}
		fhir, token := weather()
		f.srv.SetFault(sandbox.Any(sandbox.OnFHIR(s.oneIn(100, fhir)), sandbox.OnToken(s.oneIn(4, token)), slowly(50*time.Millisecond)))
		work := newShift(seed)
		for start := time.Now(); time.Since(start) < time.Hour; {
			lane, payload := work.next()
			f.queue.put(lane, payload)
			time.Sleep(time.Duration(work.rng.IntN(11000)) * time.Millisecond)
		}
		start := time.Now()
		f.drain(20 * time.Minute) // what is still on its way, the faults going on
		work.check(f)
		faults := 0
		for _, n := range s.met {
			faults += n
		}
		if faults < s.seen/200 || faults < 30 {
			t.Errorf("%d faults in %d requests: the test shows little", faults, s.seen)
		}
		for _, l := range f.d.State().Lanes {
			if l.Waiting != "" {
				t.Errorf("at the end lane %s waits: %s", l.Name, l.Waiting)
			}
		}
		t.Logf("%d messages, all there %s after the hour; %d requests, %d faults: %v", work.sent, time.Since(start).Round(time.Second), s.seen, faults, s.met)
	})
}

// shift is what the analyzers send, and what must come of it.
type shift struct {
	rng     *rand.Rand
	sent    int
	number  map[string]int      // of the lane's next message
	early   map[string]int      // results of the lane's last message, if they were preliminary
	reports map[string][]string // the numbers of the messages that make one, by lane
	results int
}

func newShift(seed uint64) *shift {
	return &shift{rng: rand.New(rand.NewPCG(seed, 1)), number: map[string]int{}, early: map[string]int{}, reports: map[string][]string{}}
}

// next is a message of some lane: of results, of preliminary ones, or of the
// final ones that the preliminary ones before have become.
func (s *shift) next() (lane, payload string) {
	lane = string(rune('a' + s.rng.IntN(4)))
	n, results, word := s.number[lane], 1+s.rng.IntN(9), ""
	s.number[lane], s.sent = n+1, s.sent+1
	if was := s.early[lane]; was > 0 {
		s.early[lane] = 0
		return lane, fmt.Sprintf("%s %d %d settles", lane, n, was)
	}
	if s.rng.IntN(5) == 0 {
		word, s.early[lane] = " early", results
	}
	s.results += results
	s.reports[lane] = append(s.reports[lane], strconv.Itoa(n))
	return lane, fmt.Sprintf("%s %d %d%s", lane, n, results, word)
}

// check compares the server with what was sent: all of it, once, in the order of
// each lane. That nothing is there twice is looked at by inSandbox.
func (s *shift) check(f *far) {
	f.t.Helper()
	if len(f.queue.parked) > 0 {
		f.t.Errorf("parked: %+v", f.queue.parked)
	}
	if n := f.srv.Len("Observation"); n != s.results {
		f.t.Errorf("%d results, want %d", n, s.results)
	}
	got := map[string][]string{}
	early := map[string]int{}
	for _, r := range f.srv.Resources("DiagnosticReport") {
		lane, rest, _ := strings.Cut(r.Identifiers[0].Value, ".")
		number, _, _ := strings.Cut(rest, "-")
		got[lane] = append(got[lane], number)
		if strings.Contains(string(r.Raw), `"status":"preliminary"`) {
			early[lane]++
		}
	}
	for lane, want := range s.reports {
		if fmt.Sprint(got[lane]) != fmt.Sprint(want) {
			f.t.Errorf("lane %s: reports %v\nwant %v", lane, got[lane], want)
		}
		if open := min(s.early[lane], 1); early[lane] != open {
			f.t.Errorf("lane %s: %d reports are still preliminary, want %d", lane, early[lane], open)
		}
	}
}
