package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/status"
)

func limits() Limits {
	return Limits{Hold: 2 * time.Minute, Digest: 5 * time.Minute, Link: 10 * time.Minute, Waiting: 30 * time.Minute, Expiry: 14 * 24 * time.Hour}
}

// lab is an agent whose state a test sets, and a way out that it watches.
type lab struct {
	mu    sync.Mutex
	shown status.Snapshot
	fail  bool
	began time.Time
	sent  []string // "MINUTES event kind/analyzer, ..."
	tries int
}

func well() status.Snapshot {
	return status.Snapshot{
		Spool: status.Spool{Accepting: true}, Server: status.Upstream{Reachable: true},
		Analyzers: []status.Analyzer{{Name: "xn", Driver: "astm", Link: status.LinkConnected}, {Name: "bc", Driver: "hl7", Link: status.LinkListening}},
	}
}

func (l *lab) set(change func(*status.Snapshot)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.shown)
}

// look is what is shown now.
func (l *lab) look() status.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shown
	s.Agent.Now = status.At(time.Now())
	s.Analyzers = append([]status.Analyzer(nil), s.Analyzers...)
	return s
}

func (l *lab) Name() string { return "lab" }

func (l *lab) Receivers() []string { return []string{"lab"} }

func (l *lab) Send(_ context.Context, n Notice, _ []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries++
	if l.fail {
		return errors.New("the mail server is away")
	}
	var what []string
	for _, e := range n.Events {
		what = append(what, e.Event+" "+e.Kind+"/"+e.Analyzer)
	}
	l.sent = append(l.sent, fmt.Sprintf("%s %s", time.Since(l.began).Truncate(time.Minute), strings.Join(what, ", ")))
	return nil
}

// play runs the watch in a bubble, and says what was sent.
func play(t *testing.T, l *lab, story func()) (sent []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l.began = time.Now()
		if l.shown.Analyzers == nil {
			l.shown = well()
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- Run(ctx, Options{Agent: "lab", Version: "1", Limits: limits(), Ways: []Way{l}, Log: zerolog.Nop(), Look: l.look})
		}()
		story()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.sent
}

func down(s *status.Snapshot)   { s.Analyzers[0].Link = status.LinkDown }
func up(s *status.Snapshot)     { s.Analyzers[0].Link = status.LinkConnected }
func full(s *status.Snapshot)   { s.Spool.Accepting = false }
func roomy(s *status.Snapshot)  { s.Spool.Accepting = true }
func silent(s *status.Snapshot) { s.Analyzers[1].Silent = 3600 }

func parked(n uint64) func(*status.Snapshot) {
	return func(s *status.Snapshot) { s.Analyzers[0].Parked = n }
}

func TestStories(t *testing.T) {
	wait := func(minutes float64) { time.Sleep(time.Duration(minutes * float64(time.Minute))) }
	for _, c := range []struct {
		name  string
		story func(l *lab)
		want  []string
	}{
		{"all well", func(*lab) { wait(600) }, nil},
		{"once, and once when it is over", func(l *lab) {
			wait(5)
			l.set(down)
			wait(120)
			l.set(up)
			wait(60)
		}, []string{"15m0s new link/xn", "2h7m0s over link/xn"}},
		{"a link that flaps is told once", func(l *lab) {
			for range 60 {
				l.set(down)
				wait(3)
				l.set(up)
				wait(1)
			}
			wait(30)
		}, []string{"10m0s new link/xn", "4h1m0s over link/xn"}},
		{"a short pause is nobody's business", func(l *lab) {
			for range 20 {
				l.set(down)
				wait(9)
				l.set(up)
				wait(5)
			}
		}, nil},
		{"what is known at the start is not told within its first minute", func(l *lab) {
			l.set(parked(1))
			wait(30)
		}, []string{"1m0s new parked/xn"}},
		{"a digest and not many mails", func(l *lab) {
			wait(10)
			for n := range 50 {
				l.set(func(s *status.Snapshot) {
					s.Analyzers = append(s.Analyzers, status.Analyzer{Name: fmt.Sprint("a", n), Driver: "astm", Link: status.LinkDown})
				})
				wait(0.02)
			}
			wait(30)
			l.set(func(*status.Snapshot) {
				if len(l.sent) == 0 || len(l.sent) > 2 {
					t.Errorf("%d notices", len(l.sent))
				}
				l.sent = nil
			})
		}, nil},
		{"more within the digest's time wait for it", func(l *lab) {
			wait(2)
			l.set(parked(1))
			wait(1)
			l.set(full)
			l.set(silent)
			wait(20)
		}, []string{"2m0s new parked/xn", "7m0s new spool/, new silent/bc"}},
		{"parked: again when doubled", func(l *lab) {
			for n := range uint64(9) {
				l.set(parked(n))
				wait(20)
			}
		}, []string{"20m0s new parked/xn", "40m0s new parked/xn", "1h20m0s new parked/xn", "2h40m0s new parked/xn"}},
		{"a way that fails tells how it is in the end", func(l *lab) {
			wait(2)
			l.set(func(*status.Snapshot) { l.fail = true })
			l.set(parked(1))
			l.set(full)
			wait(20)
			l.set(roomy)
			wait(200)
			l.set(func(*status.Snapshot) {
				if l.tries < 5 || l.tries > 30 {
					t.Errorf("tried %d times", l.tries)
				}
				l.fail = false
			})
			wait(40)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &lab{}
			got := play(t, l, func() { c.story(l) })
			if strings.HasPrefix(c.name, "a way that fails") {
				if len(got) != 1 || !strings.HasSuffix(got[0], "new parked/xn, past spool/") {
					t.Errorf("%q", got)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		kind   string
		change func(*status.Snapshot)
		ends   []Expiry
		want   string
	}{
		{KindSpool, full, nil, "cannot be stored"},
		{KindDisk, func(s *status.Snapshot) { s.Spool.Warning = "the disk is filling up" }, nil, "fills up"},
		{KindCredentials, func(s *status.Snapshot) { s.Server.WaitingCause = status.CauseCredentials }, nil, "refuses"},
		{KindForbidden, func(s *status.Snapshot) { s.Server.WaitingCause = status.CauseForbidden }, nil, "does not let"},
		{KindFallback, func(s *status.Snapshot) { s.Server.Auth.Fallback = true }, nil, "basic"},
		{KindWaiting, func(s *status.Snapshot) { s.Analyzers[0].OldestWaiting, s.Analyzers[0].Queued = 1800, 3 }, nil, "over 30m"},
		{KindCertificate, func(*status.Snapshot) {}, []Expiry{{"The client's certificate", now.Add(13 * 24 * time.Hour)}}, "ends on 2026-12-05"},
		{KindLink, down, nil, "xn is not connected"},
		{KindLink, func(s *status.Snapshot) { s.Analyzers[0].Driver, s.Analyzers[0].Link = "", status.LinkDown }, nil, "not in the configuration"},
		{KindSilent, silent, nil, "bc has sent nothing"},
		{KindParked, parked(3), nil, "xn: 3 messages are parked"},
	} {
		s := well()
		s.Agent.Now = status.At(now)
		c.change(&s)
		got := problems(s, c.ends, limits())
		if len(got) != 1 || got[0].kind != c.kind || !strings.Contains(got[0].text, c.want) || got[0].todo == "" {
			t.Errorf("%s: %+v", c.kind, got)
		}
		l := limits()
		l.Mute = []string{c.kind}
		if got := problems(s, c.ends, l); len(got) != 0 {
			t.Errorf("%s muted: %+v", c.kind, got)
		}
	}
	if got := problems(well(), []Expiry{{"c", now.Add(time.Hour * 24 * 400)}}, limits()); len(got) != 0 {
		t.Errorf("all well: %+v", got)
	}
}
