package hl7_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/hl7"
)

func TestSender(t *testing.T) {
	ack := func(code, id string) string {
		return block("MSH|^~\\&|||||20261122||ACK^R01|9|P|2.5\rMSA|" + code + "|" + id + "|why\r")
	}
	for _, c := range []struct {
		name, conditions, answer string
		want                     error
		refused                  string
	}{
		{name: "AA", answer: ack("AA", "7")},
		{name: "no last CR", answer: "\x0bMSH|^~\\&|||||20261122||ACK|9|P|2.5\rMSA|AA|7\r\x1c\x0b"},
		{name: "AE", answer: ack("AE", "7"), refused: "AE"},
		{name: "of an earlier message", answer: ack("AA", "6"), want: hl7.ErrNoAnswer},
		{name: "of an earlier message, then ours", answer: ack("AE", "6") + ack("AA", "7")},
		{name: "none", answer: "noise", want: hl7.ErrNoAnswer},
		{name: "not HL7", answer: block("hello") + block("MSH|^~\\&|\r"), want: hl7.ErrNoAnswer},
		{name: "both", conditions: "|||AL|AL", answer: ack("CA", "7") + ack("AA", "7")},
		{name: "both in one block", conditions: "|||AL|AL", answer: block("MSH|^~\\&|\rMSA|CA|7\rMSH|^~\\&|\rMSA|AA|7\r")},
		{name: "only the first of both", conditions: "|||AL|AL", answer: ack("CA", "7"), want: hl7.ErrNoAnswer},
		{name: "CE", conditions: "|||AL|AL", answer: ack("CE", "7"), refused: "CE"},
		{name: "accept only", conditions: "|||AL|NE", answer: ack("CA", "7")},
		{name: "LAW", conditions: "|||ER|AL", answer: ack("AA", "7")},
		{name: "LAW refused", conditions: "|||ER|AL", answer: ack("CE", "7"), refused: "CE"},
		{name: "nothing asked for", conditions: "|||NE|NE"},
		{name: "hang-up", answer: "", want: io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				message := "MSH|^~\\&|S||||20261122||ORU^R01|7|P|2.5" + c.conditions + "\r"
				received := make(chan string, 1)
				go func() {
					raw := make([]byte, len(block(message)))
					io.ReadFull(there, raw)
					received <- string(raw)
					for i := range c.answer { // one byte at a time
						there.Write([]byte(c.answer[i : i+1]))
					}
					if c.want == io.EOF {
						there.Close()
					}
				}()
				err := hl7.Sender{}.Send(t.Context(), drivertest.Conn{Conn: here}, []byte(message))
				if got := <-received; got != block(message) {
					t.Errorf("sent %q", got)
				}
				refusal, _ := errors.AsType[*hl7.RefusedError](err)
				switch {
				case c.refused != "":
					if refusal == nil || refusal.Code != c.refused || refusal.Text != "why" {
						t.Errorf("%v", err)
					}
				case !errors.Is(err, c.want):
					t.Errorf("%v, want %v", err, c.want)
				}
				here.Close()
				there.Close()
			})
		})
	}
}

func TestSenderStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		go io.Copy(io.Discard, there)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		stop := context.AfterFunc(ctx, func() { here.Close() }) // as the simulator does
		defer stop()
		if err := (hl7.Sender{}).Send(ctx, drivertest.Conn{Conn: here}, []byte("MSH|^~\\&|S\r")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		there.Close()
	})
	if err := (hl7.Sender{}).Send(t.Context(), nil, []byte("PID|")); err == nil {
		t.Error("sent what is no message")
	}
}
