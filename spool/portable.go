package spool

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// An export is a stream that other tools can read: a line of JSON that says
// what it is, then for each record a line of JSON and after it the payload's
// bytes and a line end, and at the end a line with the number of records.
type (
	exportHead struct {
		Format  int       `json:"labcourier_export"`
		Created time.Time `json:"created"`
	}
	exportRecord struct {
		Seq        Seq       `json:"seq,omitempty"`
		Lane       string    `json:"lane,omitempty"`
		Kind       string    `json:"kind,omitempty"`
		Received   time.Time `json:"received,omitzero"`
		Stage      Stage     `json:"stage,omitempty"`
		Fault      string    `json:"fault,omitempty"`
		Occurrence uint32    `json:"occurrence,omitempty"`
		State      string    `json:"state,omitempty"`
		Receipt    *Receipt  `json:"receipt,omitempty"`
		Reason     *Reason   `json:"reason,omitempty"`
		Size       int       `json:"size"`
		Digest     string    `json:"sha256,omitempty"`

		End   bool `json:"end,omitempty"`
		Count int  `json:"count,omitempty"`
	}
)

const (
	exportFormat  = 1
	maxExportLine = 1 << 20
)

// ErrExport: the stream is no export, is cut off, or was changed.
var ErrExport = errors.New("not a complete labcourier export")

// Export writes the records that q selects to w, payloads included: the
// stream holds patient data. Limit 0 means all. Drafts are left out, and so
// are damaged records. It returns how many it wrote.
func (s *Spool) Export(ctx context.Context, w io.Writer, q Query) (n int, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	if err := enc.Encode(exportHead{Format: exportFormat, Created: s.opt.Now().UTC()}); err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	limit := q.Limit
	for limit == 0 || n < limit {
		page, err := s.List(Query{Lane: q.Lane, State: q.State, After: q.After, Limit: DefaultLimit})
		if err != nil {
			return n, fmt.Errorf("export: %w", err)
		}
		if len(page) == 0 {
			break
		}
		for _, info := range page {
			q.After = info.Seq
			if info.State == Drafted || info.Damaged || limit != 0 && n >= limit {
				continue
			}
			if err := ctx.Err(); err != nil {
				return n, fmt.Errorf("export: %w", err)
			}
			wrote, err := s.exportOne(out, enc, info.Seq)
			if err != nil {
				return n, fmt.Errorf("export record %d: %w", info.Seq, err)
			}
			if wrote {
				n++
			}
		}
	}
	err = enc.Encode(exportRecord{End: true, Count: n})
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = s.Audit(ctx, auditExport, q.Lane, 0, fmt.Sprintf("%d records", n))
	}
	if err != nil {
		return n, fmt.Errorf("export: %w", err)
	}
	return n, nil
}

func (s *Spool) exportOne(out *bufio.Writer, enc *json.Encoder, q Seq) (bool, error) {
	r, err := s.Get(q)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		return false, nil // gone meanwhile
	}
	if err != nil {
		return false, err
	}
	err = enc.Encode(exportRecord{
		Seq: r.Seq, Lane: r.Lane, Kind: r.Kind, Received: r.Received, Stage: r.Stage, Fault: r.Fault, Occurrence: r.Occurrence,
		State: r.State.String(), Receipt: r.Receipt, Reason: r.Reason, Size: len(r.Payload), Digest: hex.EncodeToString(r.Digest[:]),
	})
	if err == nil {
		_, err = out.Write(r.Payload)
	}
	if err == nil {
		err = out.WriteByte('\n')
	}
	return true, err
}

// Imported says what Import did.
type Imported struct {
	Stored int
	Known  int // in the spool already, with the same identity
}

// Import reads what Export wrote. Every record keeps its identity and state
// and gets a new number, in the stream's order; one that the spool has already
// is left out, so that an import may be repeated. Records read before an error
// stay.
func (s *Spool) Import(ctx context.Context, r io.Reader) (im Imported, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var head exportHead
	if err := readLine(in, &head); err != nil || head.Format != exportFormat {
		return im, fmt.Errorf("import: %w", ErrExport)
	}
	for n := 0; ; n++ {
		var rec exportRecord
		if err := readLine(in, &rec); err != nil {
			return im, fmt.Errorf("import record %d: %w", n+1, err)
		}
		if rec.End {
			if rec.Count != n {
				return im, fmt.Errorf("import: %d of %d records: %w", n, rec.Count, ErrExport)
			}
			break
		}
		stored, err := s.importOne(ctx, in, rec)
		switch {
		case err != nil:
			return im, fmt.Errorf("import record %d: %w", n+1, err)
		case stored:
			im.Stored++
		default:
			im.Known++
		}
	}
	note := fmt.Sprintf("%d stored, %d known", im.Stored, im.Known)
	if err := s.Audit(ctx, auditImport, "", 0, note); err != nil {
		return im, fmt.Errorf("import: %w", err)
	}
	return im, nil
}

// readLine decodes one line of bounded length.
func readLine(in *bufio.Reader, v any) error {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxExportLine {
			return fmt.Errorf("a line is too long: %w", ErrExport)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("cut off: %w", ErrExport)
		}
	}
	if json.Unmarshal(line, v) != nil {
		return ErrExport
	}
	return nil
}

func (s *Spool) importOne(ctx context.Context, in io.Reader, e exportRecord) (stored bool, err error) {
	r := Record{Lane: e.Lane, Kind: e.Kind, Received: e.Received, Stage: e.Stage, Fault: e.Fault}
	state, err := ParseState(e.State)
	if err != nil || state == Any || state == Drafted || e.Stage == Draft || e.Size < 0 {
		return false, ErrExport
	}
	if s.set().MaxPayload > 0 && e.Size > s.set().MaxPayload {
		return false, ErrTooLarge
	}
	// The length is the stream's word only: memory grows with what comes.
	var payload bytes.Buffer
	if _, err := io.CopyN(&payload, in, int64(e.Size)+1); err != nil {
		return false, fmt.Errorf("cut off: %w", ErrExport)
	}
	r.Payload = payload.Bytes()[:e.Size]
	r.Digest = sha256.Sum256(r.Payload)
	if hex.EncodeToString(r.Digest[:]) != e.Digest || payload.Bytes()[e.Size] != '\n' {
		return false, fmt.Errorf("the bytes are not those exported: %w", ErrExport)
	}
	if r.Received.IsZero() {
		r.Received = s.opt.Now()
	}
	if err := s.checkPut(ctx, &r); err != nil {
		return false, err
	}
	p := &pendingPut{lane: r.Lane, stage: r.Stage, digest: r.Digest, tag: s.tagOf(r.Stage, r.Digest), received: r.Received}
	p.value = encodeBody(&r, p.tag)
	err = s.submit(ctx, len(p.value), func(t *txn) (err error) {
		stored, err = p.adopt(t, e, state)
		return err
	})
	return stored, err
}

// adopt stores a record of another spool under its own identity.
func (p *pendingPut) adopt(t *txn, e exportRecord, state State) (stored bool, err error) {
	h, err := t.lane(p.lane, true)
	if err != nil {
		return false, err
	}
	key := tagKey(h.id, p.tag)
	if known, _ := t.known(h, key); known != nil && known.occurrence >= e.Occurrence {
		return false, nil
	}
	seq, err := t.nextSeq()
	if err != nil {
		return false, err
	}
	v, err := finishRecord(p.value, seq, h.id, e.Occurrence, t.s.keys)
	if err != nil {
		return false, err
	}
	if err := t.putRaw(records, seqKey(seq), v); err != nil {
		return false, err
	}
	entry := digestEntry{seq: seq, occurrence: e.Occurrence, last: p.received.UnixNano()}
	t.addDigest(key, entry, len(v))
	switch state {
	case Waiting:
		return true, t.arrive(h, seq, t.s.opt.Now().UnixNano())
	case Parked:
		return true, t.park(h, seq, stateEntry{}, e.Reason)
	case Delivered:
		h.delivered++
	case Discarded:
		h.discarded++
	}
	return true, t.finished(h, seq, stateEntry{State: state, Counted: state == Delivered, Receipt: e.Receipt, Reason: e.Reason})
}
