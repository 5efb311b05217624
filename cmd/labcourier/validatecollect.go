package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/validate"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// collect reads the messages to be compared, and what else came in that time.
func (v *validation) collect(ctx context.Context, client *admin.Client, c *validate.Comparison) error {
	since, err := pointInTime("since", v.since)
	if err != nil {
		return err
	}
	until, err := pointInTime("until", v.until)
	if err != nil {
		return err
	}
	chosen, err := v.delivered(ctx, client, since, until)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return errNothingDelivered
	}
	first, last := chosen[len(chosen)-1], chosen[0]
	c.Selection = fmt.Sprintf("the last %d that were delivered", len(chosen))
	if v.since != "" || v.until != "" {
		c.Selection += fmt.Sprintf(", received from %s to %s", first.Received.Format(time.DateTime), last.Received.Format(time.DateTime))
	}
	take := map[spool.Seq]bool{}
	for _, m := range chosen {
		take[m.Seq] = true
	}
	read := agent.Reader(v.cfg, kinds())
	q := admin.Query{Analyzer: v.analyzer.Name, After: first.Seq - 1, Limit: 1000}
	for {
		list, err := client.List(ctx, q)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, m := range list {
			q.After = m.Seq
			c.Known[m.Key] = uint64(m.Seq)
			switch {
			case take[m.Seq]:
				content, err := client.Get(ctx, m.Seq)
				if err != nil {
					return fmt.Errorf("message %d: %w", m.Seq, err)
				}
				c.Stored = append(c.Stored, stored(content, read))
			case !until.IsZero() && m.Received.After(until):
			default:
				c.Stored = append(c.Stored, left(m))
			}
		}
	}
}

// delivered lists the newest messages that went to the server.
func (v *validation) delivered(ctx context.Context, client *admin.Client, since, until time.Time) (chosen []admin.Message, err error) {
	q := admin.Query{Analyzer: v.analyzer.Name, State: spool.Delivered.String(), Newest: true, Limit: 500, Since: since, Until: until}
	for {
		list, err := client.List(ctx, q)
		if err != nil || len(list) == 0 {
			return chosen, err
		}
		for _, m := range list {
			q.Before = m.Seq
			if m.Damaged || m.Receipt == nil || m.Receipt.Outcome != spool.OutcomeDelivered {
				continue
			}
			if chosen = append(chosen, m); len(chosen) == v.last {
				return chosen, nil
			}
		}
	}
}

// stored is a message to be compared.
func stored(m admin.Content, read reportReader) validate.Stored {
	sum := sha256.Sum256(m.Payload)
	s := validate.Stored{
		Number: uint64(m.Seq), Key: m.Key, Received: m.Received, Bytes: m.Bytes, SHA256: hex.EncodeToString(sum[:]), State: m.State,
	}
	if m.Receipt != nil {
		s.Delivered, s.Resources = m.Receipt.At, m.Receipt.Resources
	}
	rec, err := storedRecord(m, sum)
	if err == nil {
		s.Reports, err = read(rec)
	}
	if err != nil {
		s.Unread = "the message cannot be read as the analyzer is configured now: " + err.Error()
	}
	return s
}

// left is a message that is not compared, and why.
func left(m admin.Message) validate.Stored {
	s := validate.Stored{Number: uint64(m.Seq), Key: m.Key, Received: m.Received, Bytes: m.Bytes, SHA256: m.Digest + "…", State: m.State}
	switch {
	case m.Damaged:
		s.Unread = "the stored bytes are damaged"
	case m.Reason != nil:
		s.Skip = m.State + ": " + m.Reason.Text
	case m.Receipt != nil && m.Receipt.Outcome != spool.OutcomeDelivered:
		s.Skip = "kept here, not sent: " + m.Receipt.Note
	case m.Receipt != nil:
		s.Skip = "delivered, and not among those that were chosen"
	default:
		s.Skip = m.State + ": not delivered yet"
	}
	return s
}

// pointInTime reads a time as a person writes it, in the zone of this computer.
func pointInTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		t, err := time.ParseInLocation(layout, text, time.Local)
		if err != nil {
			continue
		}
		if layout == time.DateOnly && flag == "until" {
			t = t.AddDate(0, 0, 1).Add(-time.Nanosecond) // all of that day
		}
		return t, nil
	}
	return time.Time{}, usageError{fmt.Errorf("--%s is not a time like 2026-11-22 or 2026-11-22T08:00", flag)}
}

// noRedirects is a client that follows nobody: a redirect could carry credentials
// and identifiers away.
func noRedirects(c *http.Client) *http.Client {
	copied := *c
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}

// reportReader reads a stored message as the agent does.
type reportReader func(spool.Record) ([]drivers.Report, error)

// storedRecord is a message as the spool has it, as far as reading it needs.
func storedRecord(m admin.Content, sum [sha256.Size]byte) (spool.Record, error) {
	rec := spool.Record{Lane: m.Analyzer, Kind: m.Driver, Received: m.Received, Payload: m.Payload, Seq: m.Seq, Digest: sum, Given: m.Given}
	key, err := hex.DecodeString(m.Key)
	if err != nil || len(key) != len(rec.Key) {
		return rec, errors.New("its key is none")
	}
	copy(rec.Key[:], key)
	return rec, nil
}
