package deliver

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

const (
	// scarce is the share of the largest allowance seen below which requests are
	// spread over what is left of the window.
	scarce = 0.3

	// reserve is the share that is left alone, for others with the same limit
	// and for what was sent but is not in the header yet.
	reserve = 0.02

	// noteworthy is the wait from which the status page shows it.
	noteworthy = time.Second

	// longestWindow bounds what a header can claim.
	longestWindow = time.Hour
)

// limit is one line of a RateLimit header: what is left, and until when.
type limit struct {
	name string
	left float64
	ends time.Duration
}

// parseLimits reads RateLimit headers such as `"requests";r=59;t=42`
// (draft-ietf-httpapi-ratelimit-headers). What it cannot read it leaves out.
func parseLimits(lines []string) []limit {
	var limits []limit
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
			left, lok := param(params, "r")
			ends, eok := param(params, "t")
			if lok && eok && len(name) <= 64 {
				seconds := min(ends, longestWindow.Seconds())
				limits = append(limits, limit{name, left, time.Duration(seconds * float64(time.Second))})
			}
		}
	}
	return limits
}

// param returns the whole number, not negative, of a parameter.
func param(params, name string) (float64, bool) {
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if key == name {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 53)
			return float64(n), err == nil
		}
	}
	return 0, false
}

// window is what is known of one limit.
type window struct {
	left  float64 // by the last header
	most  float64 // the largest ever told
	each  float64 // what an entry costs, learned
	ends  time.Time
	ready time.Time // when the next request may leave while it is scarce
}

// pacer holds requests back so that the server's limits are approached and not
// hit. All lanes share it, as they share the limits. A server that tells no
// limits is not paced.
type pacer struct {
	mu      sync.Mutex
	hold    time.Time // nobody sends before this
	flying  int       // entries admitted whose answer is not in
	windows map[string]*window
}

func newPacer() *pacer { return &pacer{windows: map[string]*window{}} }

// admit waits until some of n entries may be sent, and returns how many. The
// caller calls landed for them when their answer is in, or will not come.
// Before it waits it calls told with the reason.
func (p *pacer) admit(ctx context.Context, n int, told func(reason string)) (int, error) {
	for {
		k, pause, again := p.reserve(n, time.Now())
		if pause > 0 {
			if pause >= noteworthy {
				told("the server's rate limit")
			}
			if !drivers.Pause(ctx, pause) {
				p.landed(k)
				return 0, ctx.Err()
			}
		}
		if !again {
			return k, nil
		}
	}
}

// reserve books k of n entries to be sent after a pause, or says to ask again
// after it.
func (p *pacer) reserve(n int, now time.Time) (k int, pause time.Duration, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.hold) {
		return 0, p.hold.Sub(now), true
	}
	k = n
	for _, w := range p.windows {
		if !now.Before(w.ends) {
			continue
		}
		fit := w.fit(k, p.flying)
		if fit == 0 {
			return 0, w.ends.Sub(now), true
		}
		k = min(k, fit)
	}
	for _, w := range p.windows {
		if now.Before(w.ends) {
			pause = max(pause, w.spread(k, now))
		}
	}
	p.flying += k
	return k, pause, false
}

// landed tells that k entries are not on their way any more.
func (p *pacer) landed(k int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flying -= k
}

func (w *window) cost(n int) float64 { return max(1, w.each*float64(n)) }

// fit returns how many of n entries what is left is enough for, while others
// are on their way.
func (w *window) fit(n, flying int) int {
	spare := w.left - reserve*w.most - w.each*float64(flying)
	switch {
	case w.cost(n) <= spare:
		return n
	case w.cost(1) <= spare:
		return max(1, int(spare/w.each))
	case flying == 0 && w.left >= 0.9*w.most && w.left > 0:
		return 1 // it will never be more
	}
	return 0
}

// spread returns how long to wait before n entries are sent, so that what is
// left lasts until the window ends.
func (w *window) spread(n int, now time.Time) time.Duration {
	if w.left >= scarce*w.most {
		return 0
	}
	start := now
	if w.ready.After(start) {
		start = w.ready
	}
	share := min(1, w.cost(n)/w.left)
	w.ready = start.Add(time.Duration(share * float64(w.ends.Sub(now))))
	return start.Sub(now)
}

// learn takes in the headers of an answer to n entries.
func (p *pacer) learn(lines []string, n int, now time.Time) {
	limits := parseLimits(lines)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range limits {
		w := p.windows[l.name]
		if w == nil {
			if len(p.windows) >= 16 {
				continue // a server that makes names up
			}
			w = &window{left: l.left}
			p.windows[l.name] = w
		}
		if used := w.left - l.left; used > 0 && n > 0 && now.Before(w.ends) {
			each := used / float64(n)
			if w.each > 0 {
				each = 0.7*w.each + 0.3*each
			}
			w.each = each
		}
		if l.left > w.left {
			w.ready = time.Time{} // a new window
		}
		w.left, w.most = l.left, max(w.most, l.left)
		w.ends = now.Add(l.ends)
	}
}

// tightest is the window of which the smallest share is left, zero if no window
// that was told of lasts.
func (p *pacer) tightest(now time.Time) (r RateLimit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := 2.0
	for _, w := range p.windows {
		if w.most <= 0 || !now.Before(w.ends) {
			continue
		}
		if share := w.left / w.most; share < least {
			least, r = share, RateLimit{Limit: uint64(w.most), Remaining: uint64(w.left), Resets: w.ends}
		}
	}
	return r
}

// pause holds everybody for d.
func (p *pacer) pause(d time.Duration, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(min(d, longestAsked)); until.After(p.hold) {
		p.hold = until
	}
}
