package session

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/drivers"
)

// Keeper hands the messages of one connection over to the store.
type Keeper struct {
	Source  string // the analyzer's name
	Kind    string // the driver's
	Session uint64
	Handler drivers.Handler
	Log     zerolog.Logger
}

// Keep hands one piece over. Nil means that it is on stable storage.
func (k Keeper) Keep(ctx context.Context, p Piece) error {
	return k.Handler.Receive(ctx, k.message(p))
}

// KeepAll hands several pieces over, in their order. Nil means that all of them are
// on stable storage; an error, that none of them may be acknowledged.
func (k Keeper) KeepAll(ctx context.Context, pieces []Piece) error {
	if batch, ok := k.Handler.(drivers.BatchHandler); ok && len(pieces) > 1 {
		messages := make([]drivers.Message, len(pieces))
		for i, p := range pieces {
			messages[i] = k.message(p)
		}
		return batch.ReceiveAll(ctx, messages)
	}
	for _, p := range pieces {
		if err := k.Keep(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (k Keeper) message(p Piece) drivers.Message {
	return drivers.Message{
		Source:   k.Source,
		Kind:     k.Kind,
		Received: time.Now(),
		Payload:  p.Payload,
		Stage:    p.Stage,
		Fault:    p.Fault,
		Session:  k.Session,
	}
}

// Note logs what became of a piece without saying what is in it.
func (k Keeper) Note(p Piece, err error, what string) {
	e := k.Log.Warn()
	if err != nil {
		e = k.Log.Error().Err(err)
	}
	sum := sha256.Sum256(p.Payload)
	e.Stringer("stage", p.Stage).Int("bytes", len(p.Payload)).Hex("digest", sum[:8]).Str("reason", p.Fault).Msg(what)
}
