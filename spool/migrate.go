package spool

import (
	"encoding/binary"
	"fmt"
)

// migration brings a file from one format to the next, inside one transaction:
// a crash leaves the old format or the new one.
type migration func(*txn) error

// migrations returns those there are: number i leads from format i+1 to i+2.
func migrations() []migration {
	return []migration{
		// Format 2 writes the digest index late; until then it was complete.
		(*txn).putIndexed,
		// Format 3 has arrivals, where until then every record waited in its lane,
		// and an index of what was discarded.
		(*txn).indexDiscards,
		// Format 4 packs payloads. Those that are there stay as they are.
		func(*txn) error { return nil },
		// Format 5 flushes once for a commit. Before it nobody looked whether the last
		// one was torn.
		func(*txn) error { return nil },
	}
}

// format is the newest format that this process knows.
func (o *Options) format() uint32 {
	return 1 + uint32(len(o.migrations()))
}

func (o *Options) migrations() []migration { return append(migrations(), o.hooks.migrations...) }

func (s *Spool) migrate(t *txn) error {
	b, err := t.get(settings, keyFormat)
	if err != nil || len(b) != 4 {
		return fmt.Errorf("format: %w", errCorrupt)
	}
	have := binary.BigEndian.Uint32(b)
	if have == s.opt.format() {
		return nil
	}
	for v := have; v < s.opt.format(); v++ {
		if err := s.opt.migrations()[v-1](t); err != nil {
			return fmt.Errorf("migrate from format %d: %w", v, err)
		}
	}
	s.opt.step("migrate: applied")
	return t.put(settings, keyFormat, binary.BigEndian.AppendUint32(nil, s.opt.format()))
}
