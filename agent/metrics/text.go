package metrics

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// kind is a metric's type in both formats.
type kind string

const (
	gaugeKind   kind = "gauge"
	counterKind kind = "counter"
)

// family is one name with all its samples.
type family struct {
	name, help string
	kind       kind
	samples    []sample
}

type sample struct {
	labels []string // name, value, name, value
	value  float64
}

func one(name, help string, value float64, labels ...string) family {
	f := family{name: name, help: help, kind: gaugeKind}
	f.add(value, labels...)
	return f
}

func (f *family) add(value float64, labels ...string) {
	f.samples = append(f.samples, sample{labels, value})
}

// write puts the family into the Prometheus text format 0.0.4, or that of
// OpenMetrics 1.0, which names a counter without its _total.
func (f *family) write(w *bytes.Buffer, open bool) {
	if len(f.samples) == 0 {
		return
	}
	name := f.name
	if open && f.kind == counterKind {
		name = strings.TrimSuffix(name, "_total")
	}
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, escape(f.help), name, f.kind)
	for _, s := range f.samples {
		w.WriteString(f.name)
		for i := 0; i+1 < len(s.labels); i += 2 {
			w.WriteByte("{,"[min(i, 1)])
			fmt.Fprintf(w, `%s="%s"`, s.labels[i], strings.ReplaceAll(escape(s.labels[i+1]), `"`, `\"`))
		}
		if len(s.labels) > 0 {
			w.WriteByte('}')
		}
		fmt.Fprintf(w, " %s\n", strconv.FormatFloat(s.value, 'g', -1, 64))
	}
}

func escape(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), "\n", `\n`)
}
