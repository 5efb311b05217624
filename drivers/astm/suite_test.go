package astm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/simulator"
)

// messages in the dialects of three vendors, written for these tests.
var messages = [][]byte{
	[]byte("H|\\^&|||SIM-A^1|||||||P|1|20261122080000\rP|1\rO|1|S-100||^^^GLU|R\rR|1|^^^GLU|5.40|mmol/L|3.9^5.8|N||F||op||20261122075900\rL|1|N\r"),
	[]byte("H|`^&|||SIM-B|||||||P|E 1394-97|20261122080100\rP|1\rO|1|S-101||^^^CRE`^^^K\rR|1|^^^CRE|0.75|mg/dl||N||F\rC|1|I|Instrument Flag N\rR|2|^^^K|4.1|mmol/L||N||F\rL|1|N\r"),
	[]byte("H|\\^&|||SIM-C|||||||P|LIS2-A2|20261122080200\rP|1\rO|1|S-102||^^^PT|R\rR|1|^^^PT|12.1|s||N||F\rL|1\r"),
}

func suite(send simulator.ASTM) drivertest.Suite {
	return drivertest.Suite{
		Kind:     astm.Kind(),
		Messages: messages,
		Send:     send.Send,
		Wire: func(m []byte) []byte {
			raw := []byte{astm.ENQ}
			for _, f := range astm.Frames(m, send.FrameText, send.PerRecord) {
				raw = append(raw, f...)
			}
			return append(raw, astm.EOT)
		},
		Noise:   []byte("\x00\x00\r\n\x02\x02\x15\x06garbage\x03\x17\xff"),
		Endless: []byte("\x05\x021H|\\^&"),
		Filler:  []byte("abcdefgh"),
	}
}

func TestConformance(t *testing.T) {
	for name, send := range map[string]simulator.ASTM{
		"one record a frame":      {PerRecord: true},
		"cut anywhere, as e411":   {FrameText: 40},
		"whole message, as XN":    {FrameText: 64000},
		"one byte of text":        {FrameText: 1},
		"every record, cut small": {FrameText: 7, PerRecord: true},
	} {
		t.Run(name, func(t *testing.T) { drivertest.Run(t, suite(send)) })
	}
}

func TestConformanceEOT(t *testing.T) {
	s := suite(simulator.ASTM{PerRecord: true})
	s.Section = drivertest.Section(func(dst any) error {
		dst.(*astm.Options).End = "eot"
		return nil
	})
	s.Messages = nil
	for _, m := range messages { // without the L record
		s.Messages = append(s.Messages, m[:len(m)-len("L|1|N\r")])
	}
	s.Messages[2] = []byte("H|\\^&|||SIM-C\rP|1\rO|1|S-102||^^^PT|R\rR|1|^^^PT|12.1|s||N||F\r")
	drivertest.Run(t, s)
}

// rawSender sends bare records, as some analyzers do over TCP.
type rawSender struct{ answered bool }

func (s rawSender) Send(_ context.Context, c drivers.Conn, message []byte) error {
	if _, err := c.Write(message); err != nil || !s.answered {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(astm.ReplyTimeout)); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := c.Read(answer); err != nil {
		return err
	}
	if answer[0] != astm.ACK {
		return errors.New("refused")
	}
	return nil
}

func TestConformanceRaw(t *testing.T) {
	for name, o := range map[string]astm.Options{
		"not answered": {Framing: "none"},
		"with ACK":     {Framing: "none", Answer: "ack"},
	} {
		s := suite(simulator.ASTM{})
		s.Section = drivertest.Section(func(dst any) error { *dst.(*astm.Options) = o; return nil })
		s.NoAnswer = o.Answer == ""
		s.Send = rawSender{answered: !s.NoAnswer}.Send
		s.Wire = func(m []byte) []byte { return m }
		s.Endless = []byte("H|\\^&|")
		t.Run(name, func(t *testing.T) { drivertest.Run(t, s) })
	}
}
