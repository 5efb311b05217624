package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/labcourier/labcourier/drivers/trace"
)

// liveLine keeps one line of the terminal up to date while lines go by above it.
// Where nobody watches it shows nothing.
type liveLine struct {
	p    *program
	text func() string
	on   bool

	mu    sync.Mutex
	shown bool
}

func (p *program) newLiveLine(text func() string) *liveLine {
	return &liveLine{p: p, text: text, on: isTerminal(p.err)}
}

// run shows the line until ctx ends, and then takes it away.
func (l *liveLine) run(ctx context.Context) {
	if !l.on {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		l.show()
		select {
		case <-ctx.Done():
			l.say("")
			return
		case <-tick.C:
		}
	}
}

func (l *liveLine) show() {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.p.err, "\r%.79s\x1b[K", l.text())
	l.shown = true
}

// say writes a line above; "" only takes the live line away.
func (l *liveLine) say(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown {
		fmt.Fprint(l.p.err, "\r\x1b[K")
		l.shown = false
	}
	if text != "" {
		fmt.Fprintln(l.p.err, text)
	}
}

// recording is a file that a command records to.
type recording struct {
	name string
	file *trace.File
	*trace.Recorder
}

// record opens the recording of that name, or one named by what and the time.
func record(name, what string, h trace.Header) (*recording, error) {
	if name == "" {
		name = fmt.Sprintf("%s-%s.trace", what, h.Began.Format("20060102-150405"))
	}
	f, err := trace.OpenFile(name)
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	r, err := trace.NewRecorder(f, h, 0)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &recording{name, f, r}, nil
}

// end closes the recording and says what is in it. What is missing is an error.
func (r *recording) end(p *program) error {
	t := r.Close()
	if err := r.file.Close(); t.Err == nil {
		t.Err = err
	}
	fmt.Fprintf(p.err, "recorded %d bytes of the link in %s (patient data)\n", t.Written, r.name)
	if t.Lost == 0 && t.Gaps == 0 && t.Err == nil {
		return nil
	}
	return fmt.Errorf("%d bytes are missing in %s, in %d gaps that are marked%s: the link itself was not disturbed",
		t.Lost, r.name, t.Gaps, because(t.Err))
}

// state is the recording in a few words.
func (r *recording) state() string {
	t := r.Totals()
	switch {
	case t.Err != nil:
		return "RECORDING FAILS"
	case t.Lost > 0:
		return fmt.Sprintf("recorded %s, %s MISSING", size(t.Size), size(t.Lost))
	}
	return "recorded " + size(t.Size)
}

func because(err error) string {
	if err == nil {
		return ""
	}
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		err = pathErr.Err
	}
	return " (" + err.Error() + ")"
}

// size is a number of bytes for people.
func size(n uint64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}
