package detect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/trace"
)

// Probe listens on a link until it knows what the analyzer speaks.
type Probe struct {
	// Open opens the link; s is what a serial line is to be opened with.
	Open func(ctx context.Context, s Settings) (drivers.Conn, error)

	Serial bool // settings are to be found out
	Baud   int  // where to begin; 0: 9600
	Silent bool // answer nothing

	Record func(trace.Event)     // may be nil
	Say    func(progress string) // may be nil

	all     []byte
	conns   uint64
	answers Answers
	ladder  *Ladder
	fits    bool // the settings were seen to make sense
}

// Answers is what a Probe sent. Nothing of it acknowledges a result.
type Answers struct {
	Granted int `json:"ack_to_enq"`   // ACK to the question whether a transfer may begin
	Busy    int `json:"nak_to_enq"`   // NAK to such a question
	Refused int `json:"nak_to_frame"` // NAK to a frame
}

// Result is what a Probe came to know.
type Result struct {
	Finding
	Settings Settings `json:"settings"`
	Settled  bool     `json:"settled"` // the settings were seen to make sense
	Answers  Answers  `json:"answers"`
	Bytes    []byte   `json:"-"`
}

// quiet is how long a silence ends a burst, and is when an answer is given.
const quiet = 400 * time.Millisecond

// enough is how many bytes are looked at.
const enough = 1 << 20

// Run listens until it has seen enough, or ctx ends. An error means that the link
// could not be opened.
func (p *Probe) Run(ctx context.Context) (Result, error) {
	p.ladder = NewLadder(p.Baud)
	p.fits = !p.Serial
	for ctx.Err() == nil && !p.done() {
		c, err := p.Open(ctx, p.ladder.Now())
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			return Result{}, err
		}
		err = p.serve(ctx, c)
		c.Close()
		p.note(trace.Event{Kind: trace.Close})
		if err != nil && ctx.Err() == nil {
			drivers.Pause(ctx, time.Second)
		}
	}
	return Result{Finding: Look(p.all), Settings: p.ladder.Now(), Settled: p.fits && len(p.all) > 0, Answers: p.answers, Bytes: p.all}, nil
}

// done reports whether more would say no more.
func (p *Probe) done() bool {
	if len(p.all) >= enough {
		return true
	}
	f := Look(p.all)
	switch f.Driver {
	case "astm":
		return f.Sure && (p.answers.Refused >= 2 || p.Silent && bytes.IndexByte(p.all, astm.EOT) >= 0) ||
			f.Sure && p.answers.Granted == 0 && bytes.Contains(p.all, []byte("\rL|"))
	case "hl7":
		return bytes.IndexByte(p.all, 0x1C) >= 0
	case "poct":
		return f.Sure
	}
	return p.answers.Refused >= 3
}

// serve listens on one connection: until it ends, or until its settings turn out
// to be wrong.
func (p *Probe) serve(ctx context.Context, c drivers.Conn) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	p.conns++
	p.note(trace.Event{Kind: trace.Open, Note: fmt.Sprintf("%s %s", c.Peer(), p.setting())})
	p.say("listening on " + c.Peer() + p.setting())
	var burst []byte
	buf := make([]byte, 4096)
	for !p.done() {
		if err := c.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return err
		}
		n, err := c.Read(buf)
		if n > 0 {
			p.note(trace.Event{Kind: trace.Data, From: trace.Analyzer, Data: buf[:n]})
			burst = append(burst, buf[:n]...)
		}
		over := errors.Is(err, os.ErrDeadlineExceeded)
		if len(burst) > 0 && (over || err != nil || len(burst) >= enough) {
			if !p.judge(burst) {
				return nil
			}
			if werr := p.answer(c, burst); werr != nil && err == nil {
				return werr
			}
			burst = nil
		}
		if err != nil && !over {
			return err
		}
	}
	return nil
}

// judge takes a burst that makes sense; for one that does not, other settings are
// to be tried.
func (p *Probe) judge(burst []byte) bool {
	if p.Serial {
		if !p.ladder.Judge(burst) {
			p.fits, p.all = false, nil
			p.say(fmt.Sprintf("%d bytes came that make no sense: trying %s", len(burst), p.ladder.Now()))
			return false
		}
		p.fits = true
	}
	p.all = append(p.all, burst...)
	p.say(fmt.Sprintf("%d bytes came: %s", len(burst), Look(p.all).Framing))
	return true
}

// answer answers what has to be answered for the analyzer to go on; see the
// package's comment.
func (p *Probe) answer(c drivers.Conn, burst []byte) error {
	var reply byte
	last := bytes.TrimRight(burst, "\r\n\x00")
	switch {
	case p.Silent || len(last) == 0:
		return nil
	case last[len(last)-1] == astm.ENQ && p.answers.Refused == 0:
		reply = astm.ACK
		p.answers.Granted++
	case last[len(last)-1] == astm.ENQ:
		reply = astm.NAK
		p.answers.Busy++
	case p.answers.Granted > 0 && bytes.IndexByte(burst, astm.STX) >= 0:
		reply = astm.NAK
		p.answers.Refused++
	default:
		return nil
	}
	p.note(trace.Event{Kind: trace.Data, From: trace.Host, Data: []byte{reply}})
	if err := c.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, err := c.Write([]byte{reply})
	return err
}

func (p *Probe) setting() string {
	if !p.Serial {
		return ""
	}
	return " with " + p.ladder.Now().String()
}

func (p *Probe) note(e trace.Event) {
	if p.Record != nil {
		e.At, e.Conn = time.Now(), p.conns
		p.Record(e)
	}
}

func (p *Probe) say(text string) {
	if p.Say != nil {
		p.Say(text)
	}
}
