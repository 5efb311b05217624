package spool

import "time"

// choreInterval is how often the writer looks for work of its own, and
// firstChore when it does first.
const (
	choreInterval = time.Minute
	firstChore    = 2 * time.Second
)

// chores is what the writer does when nobody asks for anything.
func (s *Spool) chores() {
	s.tryAgain()
	if s.healthy() != nil {
		return
	}
	s.prune()
	s.dropKept()
	s.compactIfWorth()
	s.startScrub(false)
}

func (s *Spool) nextChore() time.Duration {
	if s.healthy() != nil {
		return max(s.retry, minRetry)
	}
	return choreInterval
}
