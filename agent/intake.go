package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// intake is drivers.Handler over the spool: the step after which a message may
// be acknowledged.
type intake struct{ spool *spool.Spool }

var _ drivers.BatchHandler = intake{}

// Receive returns nil when m is fsynced.
func (i intake) Receive(ctx context.Context, m drivers.Message) error {
	_, err := i.spool.Put(ctx, record(m))
	return storeError(err)
}

// ReceiveAll returns nil when all messages are fsynced, in their order.
func (i intake) ReceiveAll(ctx context.Context, messages []drivers.Message) error {
	records := make([]spool.Record, len(messages))
	for n, m := range messages {
		records[n] = record(m)
	}
	_, err := i.spool.PutAll(ctx, records)
	return storeError(err)
}

func record(m drivers.Message) spool.Record {
	return spool.Record{
		Lane:     m.Source,
		Kind:     m.Kind,
		Received: m.Received,
		Payload:  m.Payload,
		Stage:    stageOf(m),
		Fault:    m.Fault,
		Session:  m.Session,
	}
}

// Accepting asks the spool.
func (i intake) Accepting() error { return storeError(i.spool.Accepting()) }

// storeError says the spool's errors in the words that drivers know.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, spool.ErrFull):
		return fmt.Errorf("%w: %w", drivers.ErrStoreFull, err)
	case errors.Is(err, spool.ErrTooLarge):
		return fmt.Errorf("%w: %w", drivers.ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", drivers.ErrStoreFailed, err)
}

// stageOf is m's stage in the spool's words.
func stageOf(m drivers.Message) spool.Stage {
	switch m.Stage {
	case drivers.Draft:
		return spool.Draft
	case drivers.Broken:
		return spool.Broken
	}
	return spool.Complete
}
