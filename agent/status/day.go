package status

import (
	"fmt"
	"strconv"
	"time"
)

// History is what was in the last day. A slot lasts equally long everywhere; the
// oldest comes first.
type History interface {
	// Day is an analyzer's messages by slot, nil if it is not known.
	Day(now time.Time, analyzer string) (start time.Time, messages []uint32)

	// Levels is how loud the status was in each slot: 1 for the first of Levels
	// and up, 0 where nothing is known.
	Levels(now time.Time) (start time.Time, levels []uint8)
}

// bars is a small drawing of an analyzer's day.
type bars struct {
	Width, Height int
	Outline       string // of all bars, as the path of a drawing: as elements of their own they were most of the page
	Label         string // for those who do not see it
}

// Sizes of the drawings, in their own units: a slot is a unit wide.
const (
	barHeight   = 24
	stripHeight = 8
)

func newBars(start time.Time, messages []uint32) *bars {
	var most, sum uint32
	busiest := 0
	for i, n := range messages {
		if sum += n; n > most {
			most, busiest = n, i
		}
	}
	if most == 0 {
		return nil
	}
	outline := make([]byte, 0, 20*len(messages)) // fmt would be half of what an open page costs
	for i, n := range messages {
		if n > 0 {
			h := max(1, int(uint64(n)*barHeight/uint64(most)))
			outline = strconv.AppendInt(append(outline, 'M'), int64(i), 10)
			outline = strconv.AppendInt(append(outline, ' '), int64(barHeight-h), 10)
			outline = strconv.AppendInt(append(outline, "h1v"...), int64(h), 10)
			outline = append(outline, "h-1z"...)
		}
	}
	at := start.Add(24 * time.Hour * time.Duration(busiest) / time.Duration(len(messages)))
	return &bars{
		Width: len(messages), Height: barHeight, Outline: string(outline),
		Label: fmt.Sprintf("%s in the last day, most around %s", many(uint64(sum), "message"), at.Local().Format("15:04")),
	}
}

// strip is the last day's levels, as runs.
type strip struct {
	Width, Height int
	Runs          []run
	Label         string
	From          string
}

type run struct {
	X, Width int
	Level    Level
	Title    string
}

func newStrip(start time.Time, levels []uint8) *strip {
	s := &strip{Width: len(levels), Height: stripHeight, From: start.Local().Format("15:04")}
	clock := func(slot int) string {
		return start.Add(24 * time.Hour * time.Duration(slot) / time.Duration(len(levels))).Local().Format("15:04")
	}
	var loud [3]int
	for i := 0; i < len(levels); {
		end := i
		for end < len(levels) && levels[end] == levels[i] {
			end++
		}
		if n := int(levels[i]); n > 0 && n <= len(Levels()) {
			level := Levels()[n-1]
			loud[n-1] += end - i
			s.Runs = append(s.Runs, run{i, end - i, level, fmt.Sprintf("%s to %s: %s", clock(i), clock(end), level.Word())})
		}
		i = end
	}
	if len(s.Runs) == 0 {
		return nil
	}
	slot := 24 * time.Hour / time.Duration(len(levels))
	s.Label = "The last day: "
	if loud[1]+loud[2] == 0 {
		s.Label += "all well"
	} else {
		s.Label += fmt.Sprintf("needed a look for %s, needed action for %s", span(slot*time.Duration(loud[1])), span(slot*time.Duration(loud[2])))
	}
	return s
}

// remember adds the last day to a view.
func (v *view) remember(h History, now time.Time) {
	for i := range v.Analyzers {
		c := &v.Analyzers[i]
		if start, messages := h.Day(now, c.key); messages != nil {
			c.Day = newBars(start, messages)
		}
	}
	if start, levels := h.Levels(now); len(levels) > 0 {
		v.Day = newStrip(start, levels)
	}
}
