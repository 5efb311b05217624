package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/simulator"
	"github.com/labcourier/labcourier/drivers/text"
	"github.com/labcourier/labcourier/drivers/trace"
)

// role is which analyzer `simulate` is.
type role struct {
	kind    drivers.Kind
	section drivers.Section
	model   simulator.Model
}

// role finds out which analyzer is meant: the configuration goes first, then the
// driver, then the model.
func (s simulation) role() (role, error) {
	driver, an, err := s.configured()
	if err != nil {
		return role{}, err
	}
	return roleOf(an, driver, s.model)
}

// roleOf is the role of the first model that fits, as an analyzer of the
// configuration if an is not nil.
func roleOf(an *config.Analyzer, driver, model string) (as role, err error) {
	as.section = drivers.NoSection{}
	if an != nil {
		as.section = an.Section
	}
	for _, m := range simulator.Models() {
		fits := (driver == "" || m.Driver == driver) && (model == "" || m.Name == model)
		if model == "" && driver == "" {
			fits = m.Name == "chemistry"
		}
		if fits {
			as.model = m
			break
		}
	}
	if as.model.Name == "" {
		return as, usageError{fmt.Errorf("no model %q of driver %q; see `labcourier simulate --help`", model, driver)}
	}
	for _, k := range kinds() {
		if k.Name == as.model.Driver {
			as.kind = k
		}
	}
	if an != nil {
		as.model, err = described(as)
	}
	return as, err
}

// described is the model as the analyzer's own table says that it speaks.
func described(as role) (simulator.Model, error) {
	switch as.kind.Name {
	case text.KindName:
		var o text.Options
		err := as.section.Decode(&o)
		return as.model.Described(o), err
	case astm.KindName:
		var o astm.Options
		err := as.section.Decode(&o)
		return as.model.Optioned(o), err
	case hl7.KindName:
		var o hl7.Options
		err := as.section.Decode(&o)
		return as.model.Placed(o), err
	}
	return as.model, nil
}

// configured is the driver that is asked for, and the analyzer of the
// configuration whose part is played, if any.
func (s simulation) configured() (driver string, an *config.Analyzer, err error) {
	if (s.config == "") != (s.analyzer == "") {
		return "", nil, usageError{errors.New("--config and --analyzer go together")}
	}
	if s.config == "" {
		return s.driver, nil, nil
	}
	_, found, err := configuredAnalyzer(s.config, s.analyzer)
	if err != nil {
		return "", nil, err
	}
	if s.driver != "" && s.driver != found.Driver {
		return "", nil, usageError{fmt.Errorf("analyzer %q has the driver %q: leave --driver out", found.Name, found.Driver)}
	}
	return found.Driver, &found, nil
}

// senderTo sends as the model does, or drops files.
func senderTo(pt drivers.Port, m simulator.Model) simulator.Sender {
	if d, drops := pt.(*simulator.Dropper); drops {
		return d
	}
	return m.Sender()
}

// answered says what is known of a message once it was sent.
func answered(pt drivers.Port, m simulator.Model) string {
	if _, drops := pt.(*simulator.Dropper); drops || m.Answered() {
		return "acknowledged"
	}
	return "sent; such an analyzer gets no answer"
}

// playMessages sends what the driver finds in a capture, message by message.
func (p *program) playMessages(ctx context.Context, pt drivers.Port, c drivers.Conn, as role, raw []byte) error {
	sender := senderTo(pt, as.model)
	if as.kind.Name == text.KindName && as.model.Text == nil {
		_, err := as.model.Renders()
		return usageError{err}
	}
	messages, faults := as.kind.Split(raw, as.section)
	for _, f := range faults {
		fmt.Fprintln(p.err, "note:", f)
	}
	if len(messages) == 0 {
		return errors.New("no message in it")
	}
	for i, m := range messages {
		if err := sender.Send(ctx, c, m.Payload); err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
		fmt.Fprintf(p.out, "message %d, %d bytes: %s\n", i+1, len(m.Payload), answered(pt, as.model))
	}
	return nil
}

// answerWait is how long play waits for each answer: as long as an analyzer.
const answerWait = astm.ReplyTimeout

// play sends a capture.
func (p *program) play(ctx context.Context, pt drivers.Port, as role, name string, timing bool) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if trace.Sniff(raw) {
		return p.replay(ctx, pt, raw, timing)
	}
	if timing {
		return usageError{errors.New("--timing needs a recording of `labcourier tap` or `capture`: raw traffic has no times")}
	}
	c, err := pt.Open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if as.kind.Name != astm.KindName || bytes.IndexByte(raw, astm.STX) < 0 {
		return p.playMessages(ctx, pt, c, as, raw)
	}
	refused := 0
	err = simulator.Play(ctx, c, raw, answerWait, func(t simulator.Turn, answer byte) {
		if !t.Answer {
			return
		}
		word := map[byte]string{astm.ACK: "ACK", astm.NAK: "NAK", 0: "no answer"}[answer]
		if word == "" {
			word = fmt.Sprintf("%#02x", answer)
		}
		if answer != astm.ACK {
			refused++
		}
		fmt.Fprintf(p.out, "%4d bytes: %s\n", len(t.Bytes), word)
	})
	if err == nil && refused > 0 {
		err = fmt.Errorf("%d frames were not acknowledged", refused)
	}
	return err
}

// replay sends what the analyzer sent in a recording.
func (p *program) replay(ctx context.Context, pt drivers.Port, raw []byte, timing bool) error {
	_, events, err := trace.ReadAll(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	missing, other := 0, 0
	r := simulator.Replay{Port: pt, Events: events, Timing: timing, Seen: func(sent int, recorded, now []byte) {
		same := bytes.Equal(recorded, now)
		switch {
		case len(now) == 0:
			missing++
			fmt.Fprintf(p.out, "%5d bytes: no answer; recorded: %s\n", sent, short(recorded))
		case same:
			fmt.Fprintf(p.out, "%5d bytes: %s, as recorded\n", sent, short(now))
		default:
			if len(recorded) == 1 { // a longer answer holds times and numbers of its own
				other++
			}
			fmt.Fprintf(p.out, "%5d bytes: %s; recorded: %s\n", sent, short(now), short(recorded))
		}
	}}
	if err := r.Run(ctx); err != nil {
		return err
	}
	if missing+other > 0 {
		return fmt.Errorf("%d answers did not come, %d differ from the recording", missing, other)
	}
	return nil
}

// short shows the beginning of an answer.
func short(b []byte) string {
	const most = 40
	if len(b) <= most {
		return trace.Visible(b)
	}
	return fmt.Sprintf("%s... (%d bytes)", trace.Visible(b[:most]), len(b))
}
