package spool

// changes remembers which keys commits touched since a compaction took its
// snapshot. Only the writer uses it. Off, it costs nothing.
type changes struct {
	on      bool
	full    bool // too many: the compaction gives up
	seen    map[change]struct{}
	pending []change // of the transaction under way
}

type change struct {
	b   bucket
	key string
}

// maxChanges bounds for how long a compaction stops intake at its end.
const maxChanges = 20_000

func (c *changes) start() { *c = changes{on: true, seen: map[change]struct{}{}} }

func (c *changes) stop() { *c = changes{} }

func (c *changes) begin() {
	c.settle()
}

// settle takes the last transaction's keys over.
func (c *changes) settle() {
	for _, p := range c.pending {
		c.seen[p] = struct{}{}
	}
	c.pending = c.pending[:0]
	if len(c.seen) > maxChanges {
		c.full, c.seen = true, map[change]struct{}{}
	}
}

func (c *changes) undo() { c.pending = c.pending[:0] }

func (c *changes) note(b bucket, key []byte) {
	if c.on && !c.full {
		c.pending = append(c.pending, change{b, string(key)})
	}
}
