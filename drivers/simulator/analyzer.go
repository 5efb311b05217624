package simulator

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Analyzer sends messages in order over one port, each again and again until it
// was acknowledged.
type Analyzer struct {
	Port   drivers.Port
	Sender Sender

	// Next returns the message to send now; it waits as long as the analyzer is
	// idle. It returns io.EOF, or any other error, when there are no more.
	Next func(ctx context.Context) ([]byte, error)

	// Acknowledged is told of each message, once, when its acknowledgement came.
	Acknowledged func(message []byte)

	// Failed, if set, is told of each attempt that was not acknowledged.
	Failed func(err error)

	// Retry is the pause before a message is sent again, 0 for one second.
	Retry time.Duration
}

// Run sends until Next returns an error, which Run returns, or ctx ends.
func (a *Analyzer) Run(ctx context.Context) error {
	var conn drivers.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for {
		message, err := a.Next(ctx)
		if err != nil {
			return err
		}
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			if conn == nil {
				conn, err = a.Port.Open(ctx)
			}
			if err == nil {
				err = a.send(ctx, conn, message)
			}
			if err == nil {
				break
			}
			if conn != nil {
				conn.Close()
				conn = nil
			}
			if a.Failed != nil && ctx.Err() == nil {
				a.Failed(err)
			}
			if !drivers.Pause(ctx, cmp.Or(a.Retry, time.Second)) {
				return ctx.Err()
			}
		}
		if a.Acknowledged != nil {
			a.Acknowledged(message)
		}
	}
}

// send sends one message, and gives up when ctx ends.
func (a *Analyzer) send(ctx context.Context, c drivers.Conn, message []byte) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := a.Sender.Send(ctx, c, message); err != nil {
		return fmt.Errorf("message of %d bytes: %w", len(message), err)
	}
	return nil
}
