package spool

import (
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Stats is how the spool does. Nothing in it is counted when asked for.
type Stats struct {
	Lanes []LaneStats // by name

	Waiting, Parked, History uint64 // records in that state now
	Delivered, Discarded     uint64 // ever
	Duplicates               uint64 // re-sends ever
	HistoryBytes             uint64

	FileBytes uint64 // of the database file
	FreeBytes uint64 // of them not in use; compaction gives them back
	DiskFree  uint64
	DiskLow   bool   // free space is below Options.Warn
	Reserve   uint64 // free space below which nothing is acknowledged

	Accepting bool
	Why       string // why not
	Damage    []Damage
	Encrypted bool
	Commits   uint64 // since the file was made
}

// LaneStats is how one lane does.
type LaneStats struct {
	Name                     string
	Waiting, Parked, History uint64
	Delivered, Discarded     uint64    // ever
	Duplicates               uint64    // ever
	OldestWaiting            time.Time // since when the next record waits; zero: none does
	LastArrival              time.Time
}

// Stats returns the state of the spool.
func (s *Spool) Stats() Stats {
	st := Stats{Encrypted: s.keys != nil}
	if err := s.Accepting(); err != nil {
		st.Why = err.Error()
	} else {
		st.Accepting = true
	}
	heads := s.heads()
	oldest := s.oldest(heads)
	for i, h := range heads {
		st.Lanes = append(st.Lanes, LaneStats{
			Name: h.name, Waiting: h.waiting, Parked: h.parked, History: h.history,
			Delivered: h.delivered, Discarded: h.discarded, Duplicates: h.duplicates,
			OldestWaiting: oldest[i], LastArrival: fromNano(h.lastArrival),
		})
		st.Waiting += h.waiting
		st.Parked += h.parked
		st.History += h.history
		st.Delivered += h.delivered
		st.Discarded += h.discarded
		st.Duplicates += h.duplicates
		st.HistoryBytes += h.historyBytes
	}
	s.mu.Lock()
	st.Damage = slices.Clone(s.damage)
	st.Commits = s.published
	s.mu.Unlock()
	s.fileStats(&st)
	return st
}

func (s *Spool) fileStats(st *Stats) {
	if info, err := os.Stat(s.path); err == nil {
		st.FileBytes = uint64(info.Size())
	}
	s.dbMu.RLock()
	if s.db != nil {
		st.FreeBytes = uint64(s.db.Stats().FreePageN) * uint64(s.db.Info().PageSize)
	}
	s.dbMu.RUnlock()
	free, low, reserve := s.space.look(s.opt.Now())
	st.DiskFree, st.DiskLow, st.Reserve = free, low, reserve
}

// oldest finds since when each lane's next record waits.
func (s *Spool) oldest(heads []laneHead) []time.Time {
	times := make([]time.Time, len(heads))
	_ = s.read(func(v *view) error {
		arrived := map[uint32]arrival{}
		err := v.arrivals(0, func(a arrival) bool {
			if _, ok := arrived[a.lane]; !ok {
				arrived[a.lane] = a
			}
			return true
		})
		if err != nil {
			return err
		}
		for i, h := range heads {
			q, since, err := v.firstSettled(h.id, 0)
			if a, ok := arrived[h.id]; ok && (q == 0 || a.seq < q) {
				since = a.since
			}
			if err == nil {
				times[i] = fromNano(since)
			}
		}
		return nil
	})
	return times
}

// Lanes returns the names of all lanes that ever held a record, sorted.
func (s *Spool) Lanes() []string {
	var names []string
	for _, h := range s.heads() {
		names = append(names, h.name)
	}
	return names
}

// Accepting returns nil while Put can store messages, and otherwise why not:
// ErrFull, ErrFailed or ErrClosed, wrapped.
func (s *Spool) Accepting() error {
	if err := s.healthyOrClosed(); err != nil {
		return err
	}
	return s.space.check(s.opt.Now())
}

// loaded is what is kept in memory of a file.
type loaded struct {
	heads   []laneHead
	damage  []Damage
	commits uint64
	fresh   fresh
	arrived int
}

func (s *Spool) loadMemory(db *bolt.DB) (l loaded, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		v, err := newView(tx)
		if err != nil {
			return err
		}
		id, err := readIdentity(func(key []byte) ([]byte, error) { return v.get(settings, key) }, s.keys, s.opt.format())
		if err != nil {
			return err
		}
		s.secret.Store(&id.secret)
		l.commits = v.b[settings].Sequence()
		l.damage = readDamage(&v)
		if l.fresh, err = s.loadFresh(&v); err != nil {
			return err
		}
		if err := v.arrivals(0, func(arrival) bool { l.arrived++; return true }); err != nil {
			return err
		}
		return v.b[lanes].ForEach(func(k, _ []byte) error {
			b, err := v.get(lanes, k)
			if err != nil {
				return err
			}
			if len(k) != 4 {
				return fmt.Errorf("lane key: %w", errCorrupt)
			}
			h, err := decodeLaneHead(uint32(k[0])<<24|uint32(k[1])<<16|uint32(k[2])<<8|uint32(k[3]), b)
			l.heads = append(l.heads, h)
			return err
		})
	})
	return l, err
}
