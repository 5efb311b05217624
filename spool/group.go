package spool

import "time"

// Bounds of one group. What does not fit waits for the next.
const (
	maxGroupOps   = 4096
	maxGroupBytes = 64 << 20
)

// gatherStep is how many new ops wake the writer while a group gathers: for each of
// them it would wake too often.
const gatherStep = 32

// group is what one transaction commits: ops that waited when it began, and those
// that came while it was gathering.
type group struct {
	s     *Spool
	ops   []*op
	bytes int
	full  bool // what waits does not fit any more
	began time.Time
}

func (s *Spool) newGroup(first []*op) *group {
	g := &group{s: s, began: time.Now()}
	g.add(first)
	g.take()
	return g
}

// take adds what waits, and returns it.
func (g *group) take() []*op {
	var ops []*op
	ops, g.full = g.s.queue.take(len(g.ops), g.bytes)
	return g.add(ops)
}

// add leaves out ops whose callers gave up waiting.
func (g *group) add(ops []*op) []*op {
	from := len(g.ops)
	for _, o := range ops {
		if o.taken.CompareAndSwap(false, true) {
			g.ops = append(g.ops, o)
			g.bytes += o.bytes
		}
	}
	if g.s.opt.hooks.ackEarly {
		answer(g.ops[from:], nil)
	}
	return g.ops[from:]
}

// come yields the ops of the group as they come. It lingers until there are as many
// as were under way last time, for at most a quarter of a commit: without that,
// half of the writers always just miss the group. What comes is applied meanwhile.
// A lone writer pays nothing.
func (g *group) come(yield func(*op) bool) {
	var last <-chan time.Time
	over := false
	for ops := g.ops; ; ops = g.take() {
		for _, o := range ops {
			if !yield(o) {
				return
			}
		}
		missing := min(g.s.pace.writers, maxGroupOps) - len(g.ops)
		if missing <= 0 || over || g.full || !g.s.queue.waitFor(min(missing, gatherStep)) {
			return
		}
		if last == nil {
			last = time.After(g.s.pace.commit / 4)
		}
		select {
		case <-g.s.queue.wake:
		case <-last:
			over = true
		}
	}
}

// pace is what the writer knows of its own speed, and of those it works for.
type pace struct {
	writers int           // under way when the last group was committed: in it, or waiting for the next
	commit  time.Duration // moving average, the gathering included
}

func (p *pace) saw(writers int, d time.Duration) {
	p.writers = writers
	if p.commit == 0 {
		p.commit = d
	}
	p.commit += (d - p.commit) / 8
}
