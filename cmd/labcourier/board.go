package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// board watches the demo's server and knows what arrived there.
type board struct {
	mu       sync.Mutex
	devices  map[string]string // "Device/1" -> analyzer
	tubes    map[string]string // "Specimen/1" -> specimen id
	arrivals []status.Arrival
	news     chan struct{} // holds one token while there are new arrivals
}

func newBoard() *board {
	return &board{devices: map[string]string{}, tubes: map[string]string{}, news: make(chan struct{}, 1)}
}

// resource is what the board reads of a FHIR resource.
type resource struct {
	ID         string
	Identifier []struct{ Value string }

	// Specimen
	AccessionIdentifier struct{ Value string }

	// Observation
	Code             struct{ Text string }
	Specimen, Device struct{ Reference string }
	ValueString      string
	ValueQuantity    struct {
		Value            json.Number
		Comparator, Unit string
	}
}

// created is told of each resource that the server made.
func (b *board) created(kind string, raw json.RawMessage) {
	var r resource
	if err := json.Unmarshal(raw, &r); err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch kind {
	case "Device":
		for _, id := range r.Identifier {
			_, b.devices["Device/"+r.ID], _ = strings.Cut(id.Value, "/")
		}
	case "Specimen":
		b.tubes["Specimen/"+r.ID] = r.AccessionIdentifier.Value
	case "Observation":
		value := r.ValueString
		if r.ValueQuantity.Value != "" {
			value = r.ValueQuantity.Comparator + r.ValueQuantity.Value.String()
		}
		b.arrivals = append(b.arrivals, status.Arrival{
			Time: status.At(time.Now()), Analyzer: b.devices[r.Device.Reference], Test: r.Code.Text,
			Value: value, Unit: r.ValueQuantity.Unit, Specimen: b.tubes[r.Specimen.Reference],
		})
		select {
		case b.news <- struct{}{}:
		default:
		}
	}
}

// recent is what the status page shows: the newest first.
func (b *board) recent() []status.Arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []status.Arrival
	for i := len(b.arrivals) - 1; i >= 0 && len(out) < 12; i-- {
		out = append(out, b.arrivals[i])
	}
	return out
}

// bySpecimen counts the results of each specimen.
func (b *board) bySpecimen() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]int{}
	for _, a := range b.arrivals {
		out[a.Specimen]++
	}
	return out
}

// follow prints what arrives until ctx or the agent ends.
func (b *board) follow(ctx context.Context, w io.Writer, ended <-chan error) error {
	shown := 0
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(w)
			return nil
		case err := <-ended:
			return err
		case <-b.news:
		}
		b.mu.Lock()
		fresh := b.arrivals[shown:]
		shown = len(b.arrivals)
		b.mu.Unlock()
		for _, a := range fresh {
			fmt.Fprintf(w, "%s  %-13s  %-14s  %-6s %8s %s\n", a.Time.Local().Format(time.TimeOnly), a.Analyzer, a.Specimen, a.Test, a.Value, a.Unit)
		}
	}
}

// width is how wide a terminal is taken to be.
const width = 80

// table prints a line for each specimen: as many of its results as fit.
func (b *board) table(w io.Writer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var order []status.Arrival
	results := map[string][]string{}
	names, tubes := len("ANALYZER"), len("SPECIMEN")
	for _, a := range b.arrivals {
		key := a.Analyzer + "\x00" + a.Specimen
		if _, seen := results[key]; !seen {
			order = append(order, a)
			names, tubes = max(names, len(a.Analyzer)), max(tubes, len(a.Specimen))
		}
		results[key] = append(results[key], a.Test+" "+a.Value)
	}
	slices.SortStableFunc(order, func(a, b status.Arrival) int { return strings.Compare(a.Analyzer, b.Analyzer) })
	line := func(name, tube, rest string) { fmt.Fprintf(w, "%-*s  %-*s  %s\n", names, name, tubes, tube, rest) }
	line("ANALYZER", "SPECIMEN", "RESULTS ON THE SERVER")
	for _, a := range order {
		line(a.Analyzer, a.Specimen, fitting(results[a.Analyzer+"\x00"+a.Specimen], width-names-tubes-2*len("  ")))
	}
}

// fitting is as many of the texts as fit into room, and how many more there are.
func fitting(texts []string, room int) string {
	out := ""
	for i, text := range texts {
		more := ""
		if left := len(texts) - i - 1; left > 0 {
			more = fmt.Sprintf("  +%d", left)
		}
		if i > 0 && len(out)+len("  ")+len(text)+len(more) > room {
			return fmt.Sprintf("%s  +%d", out, len(texts)-i)
		}
		if i > 0 {
			out += "  "
		}
		out += text
	}
	return out
}
