package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/deliver"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/spool"
)

// shadowName is the file in the data directory that says how far the second
// server is.
const shadowName = "shadow.json"

// shadowSave is how often that is written. What was delivered since the last
// time is delivered again after a crash, which the identifiers make harmless.
const shadowSave = time.Second

// shadowQueue reads the lanes a second time, for a second server. It has its
// own place in each and changes nothing in the spool: what goes wrong with the
// second server is nothing to the first.
type shadowQueue struct {
	spool *spool.Spool
	path  string

	mu    sync.Mutex
	lanes map[string]*shadowLane
	saved time.Time
}

var _ deliver.Queue = (*shadowQueue)(nil)

// shadowLane is how far the second server is with one analyzer.
type shadowLane struct {
	At        spool.Seq `json:"at"` // done with up to here
	Delivered uint64    `json:"delivered"`
	Refused   uint64    `json:"refused"`
	Reason    string    `json:"reason,omitempty"` // of the last that was refused

	// When that last happened; zero where an older version wrote the file.
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	RefusedAt   time.Time `json:"refused_at,omitzero"`
}

func newShadowQueue(s *spool.Spool, dataDir string) *shadowQueue {
	return &shadowQueue{spool: s, path: filepath.Join(dataDir, shadowName), lanes: map[string]*shadowLane{}}
}

// open reads how far the second server is.
func (q *shadowQueue) open() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	text, err := os.ReadFile(q.path)
	if err == nil {
		err = json.Unmarshal(text, &q.lanes)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read how far the shadow server is: %w: delete %s to begin with what comes from now on", err, q.path)
	}
	return nil
}

// add takes lanes up. One that is new to the second server begins with the messages
// that come from now on.
func (q *shadowQueue) add(lanes []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, lane := range lanes {
		if q.lanes[lane] != nil {
			continue
		}
		at, err := q.spool.Newest(lane)
		if err != nil {
			return fmt.Errorf("begin with the shadow server: %w", err)
		}
		q.lanes[lane] = &shadowLane{At: at}
	}
	return q.saveLocked()
}

// Next returns the message after the last that was done with.
func (q *shadowQueue) Next(ctx context.Context, lane string) (spool.Record, error) {
	return q.spool.Follow(ctx, lane, q.state(lane).At)
}

// Done notes that the second server has the message.
func (q *shadowQueue) Done(lane string, n spool.Seq, _ spool.Receipt) error {
	return q.pass(lane, n, func(l *shadowLane) { l.Delivered, l.DeliveredAt = l.Delivered+1, time.Now() })
}

// Park notes that the second server does not get the message.
func (q *shadowQueue) Park(lane string, n spool.Seq, r spool.Reason) error {
	return q.pass(lane, n, func(l *shadowLane) { l.Refused, l.Reason, l.RefusedAt = l.Refused+1, r.Text, time.Now() })
}

func (q *shadowQueue) pass(lane string, n spool.Seq, count func(*shadowLane)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[lane]
	l.At = n
	count(l)
	if time.Since(q.saved) < shadowSave {
		return nil
	}
	return q.saveLocked()
}

func (q *shadowQueue) state(lane string) shadowLane {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l := q.lanes[lane]; l != nil {
		return *l
	}
	return shadowLane{}
}

func (q *shadowQueue) save() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.saveLocked()
}

func (q *shadowQueue) saveLocked() error {
	text, err := json.Marshal(q.lanes)
	if err != nil {
		return fmt.Errorf("write how far the shadow server is: %w", err)
	}
	aside := q.path + ".new"
	if err := os.WriteFile(aside, text, 0o600); err != nil {
		return fmt.Errorf("write how far the shadow server is: %w", err)
	}
	if err := os.Rename(aside, q.path); err != nil {
		return fmt.Errorf("write how far the shadow server is: %w", err)
	}
	q.saved = time.Now()
	return nil
}

// runShadow delivers to the second server, if there is one. Whatever becomes of
// that is told in the log, and ends nothing else.
func (u *upstream) runShadow(ctx context.Context, work *sync.WaitGroup, log zerolog.Logger) {
	if u.shadow == nil {
		return
	}
	for name, run := range map[string]func(context.Context) error{"authorisation": u.shadow.auth.Run, "delivery": u.shadow.deliver.Run} {
		work.Go(func() {
			err := run(ctx)
			if name == "delivery" {
				err = errors.Join(err, u.queue.save())
			}
			if err != nil {
				log.Error().Err(err).Msg(name + " at the shadow server ended")
			}
		})
	}
}

// tellShadow adds to s how the second server does, if there is one.
func (u *upstream) tellShadow(s *status.Snapshot) {
	if u.shadow == nil {
		return
	}
	sending := u.shadow.deliver.State()
	whole := upstreamStatus(sending, u.shadow.auth.State())
	s.Shadow = &whole
	for _, l := range sending.Lanes {
		for i := range s.Analyzers {
			if s.Analyzers[i].Name != l.Name {
				continue
			}
			at := u.queue.state(l.Name)
			s.Analyzers[i].Shadow = &status.Shadow{
				Delivered: at.Delivered, Refused: at.Refused, RefusedReason: at.Reason,
				LastDelivered: status.At(at.DeliveredAt), LastRefused: status.At(at.RefusedAt),
				WaitingReason: l.Waiting, WaitingSince: status.At(l.Since),
			}
		}
	}
}
