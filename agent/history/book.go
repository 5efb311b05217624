package history

import (
	"sync"
	"time"
)

// Sizes of what is remembered.
const (
	Slot  = 10 * time.Minute
	Slots = 144 // a day

	hours = 14 * 24

	minSilence = 2 * time.Hour
	minKnown   = 48 * time.Hour
)

// Book is the history of one agent. Its methods may be called from several
// goroutines.
type Book struct {
	mu        sync.Mutex
	newest    int64 // number of the slot that is being written; slots are counted from 1970
	levels    [Slots]uint8
	analyzers map[string]*lane
}

// lane is the history of one analyzer.
type lane struct {
	total uint64        // what was observed last; it only grows while the agent runs
	seen  bool          // total means something
	slots [Slots]uint32 // messages
	busy  [hours]bool   // whether there was a message, by hour since 1970 modulo hours
	first time.Time     // the first message that is known
	last  time.Time     // the newest
	hour  int64         // the newest hour that busy holds
}

// New returns an empty Book.
func New() *Book { return &Book{analyzers: map[string]*lane{}} }

// Seen notes messages that were received before the book was opened, one for
// each time, in any order.
func (b *Book) Seen(now time.Time, analyzer string, times ...time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	l := b.lane(analyzer, now)
	for _, t := range times {
		l.note(b.newest, now, t, 1)
	}
}

// Observe notes what an analyzer's count of messages is now.
func (b *Book) Observe(now time.Time, analyzer string, total uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	l := b.lane(analyzer, now)
	n := total - l.total
	if !l.seen || total < l.total { // begun again
		n = 0
		if l.seen {
			n = total
		}
	}
	l.total, l.seen = total, true
	if n > 0 {
		l.note(b.newest, now, now, n)
	}
}

// Level notes how loud the status is now, 1 and up; the loudest of a slot stays.
func (b *Book) Level(now time.Time, level uint8) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	at := &b.levels[b.newest%Slots]
	*at = max(*at, level)
}

// Day is the last day up to now, oldest slot first: the messages of an analyzer,
// or nil if it is not known, in slots that begin at start.
func (b *Book) Day(now time.Time, analyzer string) (start time.Time, messages []uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	if l := b.analyzers[analyzer]; l != nil {
		l.turn(now)
		messages = make([]uint32, Slots)
		for i := range messages {
			messages[i] = l.slots[(b.newest+1+int64(i))%Slots]
		}
	}
	return b.start(), messages
}

// Levels is the last day's levels, oldest slot first; 0 where nothing is known.
func (b *Book) Levels(now time.Time) (start time.Time, levels []uint8) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	levels = make([]uint8, Slots)
	for i := range levels {
		levels[i] = b.levels[(b.newest+1+int64(i))%Slots]
	}
	return b.start(), levels
}

// Silence tells for how long an analyzer has sent nothing, and its longest pause
// before that, in whole hours; unusual if that is longer than its habit.
func (b *Book) Silence(now time.Time, analyzer string) (silent, longest time.Duration, unusual bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.analyzers[analyzer]
	if l == nil || l.last.IsZero() {
		return 0, 0, false
	}
	silent = now.Sub(l.last)
	longest = l.longestPause(now)
	return silent, longest, silent >= minSilence && l.last.Sub(l.first) >= minKnown && silent > longest*3/2
}

// start is where the oldest slot begins.
func (b *Book) start() time.Time {
	return time.Unix((b.newest+1-Slots)*int64(Slot/time.Second), 0)
}

// turn moves on to the slot of now, and empties those in between. A clock that
// was set back writes into the newest slot until it has caught up.
func (b *Book) turn(now time.Time) {
	n := slotOf(now)
	if b.newest == 0 {
		b.newest = n
	}
	for i := 0; b.newest < n && i < Slots; i++ {
		b.newest++
		b.levels[b.newest%Slots] = 0
		for _, l := range b.analyzers {
			l.slots[b.newest%Slots] = 0
		}
	}
	b.newest = max(b.newest, n)
}

func (b *Book) lane(name string, now time.Time) *lane {
	l := b.analyzers[name]
	if l == nil {
		l = &lane{hour: hourOf(now)}
		b.analyzers[name] = l
	}
	return l
}

func slotOf(t time.Time) int64 { return t.Unix() / int64(Slot/time.Second) }
func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// turn empties the hours that have begun since.
func (l *lane) turn(now time.Time) {
	for i := 0; l.hour < hourOf(now) && i < hours; i++ {
		l.hour++
		l.busy[l.hour%hours] = false
	}
	l.hour = max(l.hour, hourOf(now))
}

// note counts n messages at t, where that is within what is remembered.
func (l *lane) note(newest int64, now, t time.Time, n uint64) {
	l.turn(now)
	if s := slotOf(t); s <= newest && s > newest-Slots {
		at := &l.slots[s%Slots]
		*at = uint32(min(uint64(*at)+n, 1<<32-1))
	}
	if h := hourOf(t); h <= l.hour && h > l.hour-hours {
		l.busy[h%hours] = true
		if l.first.IsZero() || t.Before(l.first) {
			l.first = t
		}
	}
	if t.After(l.last) && !t.After(now) {
		l.last = t
	}
}

// longestPause is the longest run of hours without a message between the first
// and the last message, rounded up.
func (l *lane) longestPause(now time.Time) time.Duration {
	l.turn(now)
	from := max(hourOf(l.first), l.hour-hours+1)
	longest, run := 0, 0
	for h := from; h <= hourOf(l.last); h++ {
		if l.busy[h%hours] {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return time.Duration(longest+1) * time.Hour
}
