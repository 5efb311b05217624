package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
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
			fmt.Fprintf(w, "%s  %-12s %-15s %-6s %8s %s\n", a.Time.Local().Format(time.TimeOnly), a.Analyzer, a.Specimen, a.Test, a.Value, a.Unit)
		}
	}
}

// table prints a line for each specimen.
func (b *board) table(w io.Writer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var order []string
	lines := map[string]string{}
	for _, a := range b.arrivals {
		key := a.Analyzer + "\t" + a.Specimen
		if _, seen := lines[key]; !seen {
			order = append(order, key)
		}
		lines[key] += fmt.Sprintf("%s %s  ", a.Test, a.Value)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "ANALYZER\tSPECIMEN\tRESULTS ON THE SERVER")
	for _, key := range order {
		fmt.Fprintf(t, "%s\t%s\n", key, strings.TrimSpace(lines[key]))
	}
	t.Flush()
}
