package history

import (
	"testing"
	"time"
)

var monday = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

func TestDay(t *testing.T) {
	b := New()
	now := monday
	b.Seen(now, "xn", now.Add(-23*time.Hour-55*time.Minute), now.Add(-25*time.Hour), now.Add(-time.Minute))
	b.Observe(now, "xn", 100) // what was there before the book is no news
	for i := range 30 {
		now = now.Add(time.Minute)
		b.Observe(now, "xn", 101+uint64(i))
	}
	start, day := b.Day(now, "xn")
	if want := now.Add(-Slots * Slot).Truncate(Slot).Add(Slot); !start.Equal(want) {
		t.Errorf("the day begins at %v, want %v", start, want)
	}
	var sum uint32
	for _, n := range day {
		sum += n
	}
	if len(day) != Slots || sum != 31 || day[Slots-1] != 1 || day[Slots-2] != 10 {
		t.Errorf("%d messages in %d slots, the last %v", sum, len(day), day[Slots-3:])
	}
	b.Observe(now, "xn", 2) // the agent was started again
	if _, day = b.Day(now, "xn"); day[Slots-1] != 3 {
		t.Errorf("after a start: %d", day[Slots-1])
	}
	now = now.Add(12 * time.Hour)
	if _, day = b.Day(now, "xn"); day[Slots-1] != 0 || day[Slots-1-72] != 3 {
		t.Errorf("half a day on: %v", day)
	}
	now = now.Add(300 * time.Hour)
	if _, day = b.Day(now, "xn"); func() (n uint32) {
		for _, v := range day {
			n += v
		}
		return n
	}() != 0 {
		t.Errorf("much later: %v", day)
	}
	if _, none := b.Day(now, "other"); none != nil {
		t.Error("an analyzer that is not known has a day")
	}
}

func TestLevels(t *testing.T) {
	b := New()
	b.Level(monday, 1)
	b.Level(monday.Add(time.Minute), 3)
	b.Level(monday.Add(2*time.Minute), 2)
	b.Level(monday.Add(21*time.Minute), 1)
	_, levels := b.Levels(monday.Add(25 * time.Minute))
	if got := [4]uint8(levels[Slots-4:]); got != [4]uint8{0, 3, 0, 1} {
		t.Errorf("%v", got)
	}
}

// TestSilence has an analyzer of a laboratory that works from 8 to 17 on
// weekdays, for two weeks.
func TestSilence(t *testing.T) {
	b := New()
	day := func(d int) time.Time { return monday.AddDate(0, 0, d) }
	work := func(d int) {
		for h := 8; h < 17; h++ {
			b.Seen(day(d).Add(time.Duration(h)*time.Hour), "xn", day(d).Add(time.Duration(h)*time.Hour))
		}
	}
	unusual := func(at time.Time) bool {
		_, _, is := b.Silence(at, "xn")
		return is
	}
	if unusual(day(0)) {
		t.Error("an analyzer that nobody knows is silent")
	}
	work(0)
	if unusual(day(3)) {
		t.Error("silent, with a habit of one day")
	}
	for d := 1; d < 5; d++ {
		work(d)
	}
	if unusual(day(5).Add(7 * time.Hour)) {
		t.Error("a night is no silence")
	}
	if !unusual(day(5).Add(20 * time.Hour)) { // the first Saturday nobody can know
		t.Error("28 hours after pauses of 15 are no silence")
	}
	for d := 7; d < 12; d++ {
		work(d)
	}
	if unusual(day(13).Add(23 * time.Hour)) {
		t.Error("the second weekend is no silence")
	}
	if silent, longest, is := b.Silence(day(16), "xn"); !is || silent != 4*24*time.Hour+8*time.Hour || longest < 63*time.Hour || longest > 65*time.Hour {
		t.Errorf("silent for %v after a longest pause of %v: %v", silent, longest, is)
	}
}

// TestClockSetBack counts on in the newest slot.
func TestClockSetBack(t *testing.T) {
	b := New()
	b.Observe(monday, "xn", 1)
	b.Observe(monday.Add(-3*time.Hour), "xn", 2)
	if _, day := b.Day(monday, "xn"); day[Slots-19] != 1 && day[Slots-1] != 1 {
		t.Errorf("lost: %v", day)
	}
}
