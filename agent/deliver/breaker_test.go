package deliver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// opened is a breaker whose server has just gone, and asked for so long a pause.
func opened(t *testing.T, asked time.Duration) *breaker {
	t.Helper()
	b := newBreaker(zerolog.Nop())
	entered(t, b).down("gone", true, asked)
	return b
}

// entered waits for the leave to send.
func entered(t *testing.T, b *breaker) pass {
	t.Helper()
	p, err := b.enter(t.Context(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProbesTakeTurns: whoever failed stands at the end again, so that a
// message which kills the server does not keep the probe to itself.
func TestProbesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, 0)
		ctx, cancel := context.WithCancel(t.Context())
		turns := make(chan string)
		for _, name := range []string{"a", "b", "c"} {
			go func() {
				for {
					p, err := b.enter(ctx, func(string) {})
					if err != nil {
						return
					}
					select {
					case turns <- name:
					case <-ctx.Done():
					}
					p.down("gone", true, 0)
				}
			}()
			synctest.Wait() // stand in line in this order
		}
		var order []string
		for range 9 {
			order = append(order, <-turns)
		}
		if got := strings.Join(order, ""); got != "abcabcabc" {
			t.Errorf("probes by %s", got)
		}
		cancel()
		synctest.Wait()
		if len(b.waiting) != 0 {
			t.Errorf("%d are left waiting", len(b.waiting))
		}
	})
}

// TestOneProbe: while one lane tries a server that takes its time, no other does.
func TestOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, 0)
		passes := make(chan pass, 5)
		ask := func() {
			p, err := b.enter(t.Context(), func(string) {})
			if err != nil {
				t.Error(err)
			}
			passes <- p
		}
		for _, lanes := range []int{1, 4} { // those that come while one tries wait too
			for range lanes {
				go ask()
			}
			time.Sleep(time.Minute)
		}
		if n := len(passes); n != 1 {
			t.Fatalf("%d lanes try at the same time", n)
		}
		(<-passes).up(true)
		synctest.Wait()
		if n := len(passes); n != 4 {
			t.Errorf("%d of 4 lanes go on", n)
		}
	})
}

// TestUnusedProbe: a leave that is given back lets the next one probe.
func TestUnusedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, 0)
		for range 3 {
			p := entered(t, b)
			if !p.probe {
				t.Fatalf("%+v", p)
			}
			p.unused()
		}
		entered(t, b).up(true)
		if p := entered(t, b); p.probe {
			t.Errorf("%+v", p)
		}
	})
}

// TestSpread: where little is left of a window, requests are spread over it
// instead of being sent until nothing is left.
func TestSpread(t *testing.T) {
	now := time.Now()
	p := newPacer()
	header := func(left string) []string { return []string{`"u";r=` + left + `;t=60`} }
	p.learn(header("50000"), 10, now)
	p.learn(header("49000"), 10, now) // 100 for an entry
	if k, pause, again := p.reserve(20, now); k != 20 || pause != 0 || again {
		t.Errorf("with plenty left: %d, %s, %v", k, pause, again)
	}
	p.landed(20)
	p.learn(header("10000"), 390, now)
	var pauses []time.Duration
	for range 3 {
		k, pause, again := p.reserve(10, now)
		if k != 10 || again {
			t.Fatalf("%d, %v", k, again)
		}
		p.landed(k)
		pauses = append(pauses, pause.Round(time.Second))
	}
	if pauses[0] != 0 || pauses[1] != 6*time.Second || pauses[2] != 12*time.Second {
		t.Errorf("pauses %v", pauses)
	}
	p.learn(header("1500"), 0, now)
	if k, _, again := p.reserve(40, now); again || k != 5 { // 1000 of it stay in reserve
		t.Errorf("%d entries of a bundle of 40 with 1,500 units left", k)
	}
	p.landed(5)
	p.learn(header("900"), 0, now)
	if _, pause, again := p.reserve(1, now); !again || pause != time.Minute {
		t.Errorf("with the reserve left: %s, %v", pause, again)
	}
	if k, pause, again := p.reserve(40, now.Add(time.Minute)); k != 40 || pause != 0 || again {
		t.Errorf("in a new window: %d, %s, %v", k, pause, again)
	}
}

// TestCostIsLearned: what an entry costs is learned from what is left, and
// followed when it changes.
func TestCostIsLearned(t *testing.T) {
	now := time.Now()
	p := newPacer()
	left := 100_000
	answer := func(cost int) {
		left -= 10 * cost
		p.learn([]string{fmt.Sprintf(`"u";r=%d;t=60`, left)}, 10, now)
	}
	answer(0)
	for range 2 {
		answer(100)
	}
	if each := p.windows[`"u"`].each; each != 100 {
		t.Errorf("an entry costs %v, and was 100 so far", each)
	}
	for range 20 {
		answer(300)
	}
	if each := p.windows[`"u"`].each; each < 299 || each > 300 {
		t.Errorf("an entry costs %v, and was 300 of late", each)
	}
}

// TestNewWindow: what was held back in one window is not in the next.
func TestNewWindow(t *testing.T) {
	now := time.Now()
	p := newPacer()
	p.learn([]string{`"u";r=50000;t=60`}, 10, now)
	p.learn([]string{`"u";r=10000;t=60`}, 400, now) // 100 for an entry
	for range 3 {
		p.landed(40)
		if _, _, again := p.reserve(40, now); again {
			t.Fatal("nothing is left")
		}
	}
	now = now.Add(10 * time.Second) // the server's minute ended early
	p.learn([]string{`"u";r=50000;t=60`}, 0, now)
	p.learn([]string{`"u";r=10000;t=60`}, 400, now)
	if _, pause, again := p.reserve(40, now); pause != 0 || again {
		t.Errorf("the first of a new window waits %s, %v", pause, again)
	}
}

// TestTinyLimit: a limit below one bundle, or one entry, still lets entries
// through.
func TestTinyLimit(t *testing.T) {
	now := time.Now()
	p := newPacer()
	p.learn([]string{`"u";r=100;t=60`}, 1, now)
	p.learn([]string{`"u";r=0;t=60`}, 1, now) // an entry costs all of it
	if _, pause, again := p.reserve(5, now); !again || pause != time.Minute {
		t.Errorf("with nothing left: %s, %v", pause, again)
	}
	p.learn([]string{`"u";r=100;t=60`}, 1, now)
	if k, _, again := p.reserve(5, now); k != 1 || again {
		t.Errorf("with all of it left: %d, %v", k, again)
	}
}

// TestPausesBeginAnew: after the server answered, the next outage is looked at again
// after a second.
func TestPausesBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(zerolog.Nop())
		down := func() time.Duration {
			start := time.Now()
			p := entered(t, b)
			waited := time.Since(start)
			p.down("gone", true, 0)
			return waited
		}
		var waits []time.Duration
		for range 8 {
			waits = append(waits, down())
		}
		if last := waits[7]; last < 3*time.Second || last > longestProbePause {
			t.Errorf("the pauses are %v", waits)
		}
		entered(t, b).up(true)
		down()
		if again := down(); again > 1500*time.Millisecond {
			t.Errorf("in the next outage the first pause is %s", again)
		}
	})
}

// TestAskedForPause: a server that says when to come again is not asked before,
// but not left for longer than five minutes.
func TestAskedForPause(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, time.Hour: longestAsked} {
		synctest.Test(t, func(t *testing.T) {
			b := opened(t, asked)
			start := time.Now()
			entered(t, b)
			if waited := time.Since(start); waited != want {
				t.Errorf("asked for %s, waited %s", asked, waited)
			}
		})
	}
}

// TestUnusedProbeWakesOthers: a lane that gives its leave back, and goes, does not
// leave the others behind.
func TestUnusedProbeWakesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, 0)
		p := entered(t, b)
		got := make(chan pass, 1)
		go func() {
			p, err := b.enter(t.Context(), func(string) {})
			if err != nil {
				t.Error(err)
			}
			got <- p
		}()
		synctest.Wait() // it waits for the probe to end
		p.unused()
		time.Sleep(time.Minute)
		if len(got) != 1 {
			t.Fatal("nobody tries any more")
		}
	})
}

// TestStragglersChangeNothing: the failures of requests that were on their way when
// the breaker opened do not put the probe off.
func TestStragglersChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(zerolog.Nop())
		var passes []pass
		for range 20 {
			passes = append(passes, entered(t, b))
		}
		start := time.Now()
		for _, p := range passes {
			p.down("gone", true, 0)
		}
		entered(t, b)
		if waited := time.Since(start); waited > 1500*time.Millisecond {
			t.Errorf("the first probe came after %s", waited)
		}
	})
}
