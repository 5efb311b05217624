package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Level is how loud the status is.
type Level string

const (
	LevelOK   Level = "ok"   // nothing to do
	LevelWarn Level = "warn" // results are safe; somebody should have a look
	LevelBad  Level = "bad"  // results do not get where they should until somebody acts
)

// Word is the level in two words.
func (l Level) Word() string {
	switch l {
	case LevelOK:
		return "All well"
	case LevelWarn:
		return "Needs a look"
	}
	return "Act now"
}

// Levels are all levels, the calmest first.
func Levels() []Level { return []Level{LevelOK, LevelWarn, LevelBad} }

func (l Level) rank() int { return slices.Index(Levels(), l) }

// Sentence sums s up for a person: how loud, one sentence, and what to do. The
// sentence tells the worst that is wrong; the advice begins with that and goes
// on with whatever else is wrong. There is no advice at LevelOK.
func Sentence(s Snapshot) (level Level, text string, advice []string) {
	v := judge(s)
	return v.level, v.text, v.advice
}

// verdict is Sentence's answer, with what a screen reader announces: the same
// without the counts, which change all the time.
type verdict struct {
	level    Level
	text     string
	advice   []string
	announce string
}

func judge(s Snapshot) verdict {
	var all []trouble
	for _, look := range []func(Snapshot) []trouble{
		spoolTrouble, serverTrouble, laneTrouble, linkTrouble, silentTrouble, parkedTrouble, diskTrouble, fallbackTrouble,
	} {
		all = append(all, look(s)...)
	}
	if len(all) == 0 {
		return verdict{level: LevelOK, text: allWell(s), announce: LevelOK.Word()}
	}
	slices.SortStableFunc(all, func(a, b trouble) int { return cmp.Compare(b.level.rank(), a.level.rank()) })
	first := all[0]
	v := verdict{level: first.level, text: ended(first.text + first.tail), advice: slices.Clone(first.advice)}
	heard := []string{first.level.Word(), first.text}
	for _, t := range all[1:] {
		v.advice = append(v.advice, "Also: "+ended(t.text+t.tail)+" "+t.advice[0])
		heard = append(heard, t.text)
	}
	v.announce = ended(strings.Join(heard, ". "))
	return v
}

// allWell is the sentence when nothing is wrong.
func allWell(s Snapshot) string {
	delivered := "nothing delivered yet"
	switch {
	case s.Spool.Results > 0:
		delivered = many(s.Spool.Results, "result") + " delivered"
	case s.Spool.Delivered > 0:
		delivered = many(s.Spool.Delivered, "message") + " delivered"
	}
	waiting := "nothing waiting"
	if s.Spool.Queued > 0 {
		waiting = grouped(s.Spool.Queued) + " on the way"
	}
	return connectedWords(s) + ", " + delivered + ", " + waiting + "."
}

func connectedWords(s Snapshot) string {
	var away []string
	for _, a := range s.Analyzers {
		if a.Link != LinkConnected {
			away = append(away, clean(a.Name))
		}
	}
	n := len(s.Analyzers)
	switch {
	case len(away) == 0 && n == 1:
		return "The analyzer is connected"
	case len(away) == 0 && n == 2:
		return "Both analyzers connected"
	case len(away) == 0:
		return fmt.Sprintf("All %d analyzers connected", n)
	case len(away) == n:
		return "Ready for " + listed(away, 2)
	}
	return fmt.Sprintf("%d of %d analyzers connected, ready for %s", n-len(away), n, listed(away, 2))
}
