package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// The values of [Event.Event].
const (
	EventNew  = "new"  // it is wrong now
	EventOver = "over" // it was told, and is over
	EventPast = "past" // it began and ended before it could be told
)

// Notice is what is told at once. It holds no patient data.
type Notice struct {
	ID           string       `json:"id"`      // the same for each try to tell the same
	Version      int          `json:"version"` // of this form: 1
	Time         status.Time  `json:"time"`
	Agent        string       `json:"agent"`
	AgentVersion string       `json:"agent_version"`
	Test         bool         `json:"test"` // somebody tries the way out
	Level        status.Level `json:"level"`
	Text         string       `json:"text"` // one line
	Open         int          `json:"open"` // problems that last
	Events       []Event      `json:"events"`
}

// Event is one problem that began or ended.
type Event struct {
	Event    string       `json:"event"`
	Kind     string       `json:"kind"`
	Analyzer string       `json:"analyzer"` // "" where it is not about one
	Level    status.Level `json:"level"`
	Text     string       `json:"text"`
	Todo     string       `json:"todo"`
	Since    status.Time  `json:"since"`
	Until    status.Time  `json:"until"` // null while it lasts
	Count    uint64       `json:"count"`
}

// Test is a notice for trying a way out.
func Test(agent, version string, now time.Time) Notice {
	n := Notice{Time: status.At(now), Test: true, Events: []Event{}}
	n.signedBy(agent, version, now, 0)
	n.Text = "This is a test of labcourier's alerts; nothing is wrong"
	return n
}

// signedBy fills in whose notice it is, and what follows from that.
func (n *Notice) signedBy(agent, version string, started time.Time, number uint64) {
	n.Version, n.Agent, n.AgentVersion, n.Level = 1, plain(agent), version, status.LevelOK
	var fresh []string
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %d %d", agent, started.UnixNano(), number)
	for _, e := range n.Events {
		fmt.Fprintf(sum, " %s %s %s %d", e.Event, e.Kind, e.Analyzer, e.Count)
		if e.Event == EventNew {
			fresh = append(fresh, e.Text)
			if n.Level != status.LevelBad {
				n.Level = e.Level
			}
		}
	}
	n.ID = hex.EncodeToString(sum.Sum(nil)[:16])
	switch over := len(n.Events) - len(fresh); {
	case len(fresh) == 1 && over == 0:
		n.Text = fresh[0]
	case len(fresh) > 0 && over > 0:
		n.Text = fmt.Sprintf("%s, %d over", counted(len(fresh), "new problem"), over)
	case len(fresh) > 0:
		n.Text = fmt.Sprintf("%s: %s …", counted(len(fresh), "new problem"), fresh[0])
	case over == 1:
		n.Text = "Over: " + n.Events[0].Text
	default:
		n.Text = counted(over, "problem") + " over"
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// subject is the subject of the mail that n is.
func (n Notice) subject() string { return "[labcourier " + n.Agent + "] " + n.Text }

// body is the text of the mail that n is.
func (n Notice) body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n", n.Text)
	for _, e := range n.Events {
		switch e.Event {
		case EventNew:
			fmt.Fprintf(&b, "\n* %s.\n  Since %s. %s\n", e.Text, e.Since.RFC3339(), e.Todo)
		default:
			fmt.Fprintf(&b, "\n* Over: %s.\n  From %s to %s.\n", e.Text, e.Since.RFC3339(), e.Until.RFC3339())
		}
	}
	if !n.Test {
		last := " lasts."
		if n.Open != 1 {
			last = " last."
		}
		fmt.Fprintf(&b, "\n%s%s\n", counted(n.Open, "problem"), last)
	}
	fmt.Fprintf(&b, "\n-- \nlabcourier %s, agent %s, %s, notice %s\nThe agent's status page says more. This mail holds no patient data.\n",
		n.AgentVersion, n.Agent, n.Time.RFC3339(), n.ID)
	return b.String()
}
