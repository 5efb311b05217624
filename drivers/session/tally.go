package session

// Tally counts for a [Link], by name. A Link that embeds one has its Counts. The
// zero Tally is ready for use.
type Tally struct{ counts map[string]uint64 }

// Count adds n to what is counted under name.
func (t *Tally) Count(name string, n uint64) {
	if n == 0 {
		return
	}
	if t.counts == nil {
		t.counts = map[string]uint64{}
	}
	t.counts[name] += n
}

// Counted is what was counted under name since Counts was last called.
func (t *Tally) Counted(name string) uint64 { return t.counts[name] }

// Counts hands out what was counted since it was last called.
func (t *Tally) Counts() map[string]uint64 {
	c := t.counts
	t.counts = nil
	return c
}
