package spool

import "sync"

// queue holds the ops that wait for the writer. It wakes the writer once as
// many wait as it asked for, not for each of them.
type queue struct {
	wake chan struct{}

	mu     sync.Mutex
	ops    []*op
	want   int
	closed bool
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1), want: 1} }

func (q *queue) add(o *op) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.ops = append(q.ops, o)
	if len(q.ops) >= q.want {
		q.signal()
	}
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// waitFor asks to be woken once n ops wait, or more do already. It reports false
// when nothing can come any more.
func (q *queue) waitFor(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.want = n; len(q.ops) >= n {
		q.signal()
	}
	return !q.closed || len(q.ops) > 0
}

// take removes what waits, as far as it goes into a group that has so many ops and
// bytes. What is left is for the next group: this one is full.
func (q *queue) take(have, bytes int) (ops []*op, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.want = 1
	n := 0
	for n < len(q.ops) && have+n < maxGroupOps && (have+n == 0 || bytes+q.ops[n].bytes <= maxGroupBytes) {
		bytes += q.ops[n].bytes
		n++
	}
	if n == len(q.ops) {
		ops, q.ops = q.ops, nil
		return ops, false
	}
	ops = append(ops, q.ops[:n]...)
	q.ops = append(q.ops[:0:0], q.ops[n:]...)
	q.signal()
	return ops, true
}

// length is how many wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ops)
}

// close refuses what comes from now on; what waits can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// wakeUp makes the writer look, whatever it waits for.
func (q *queue) wakeUp() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.signal()
}
