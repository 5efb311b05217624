package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Why a file is not taken now.
var (
	errChanged = errors.New("the file changed while it was read")
	errStore   = errors.New("cannot store now") // no fault of the file: all wait
)

// held is why a file stays where it is.
type held string

const (
	heldEmpty      held = "empty"
	heldIrregular  held = "irregular"
	heldLarge      held = "too_large"
	heldUnreadable held = "unreadable"
	heldOpen       held = "open"      // by another program
	heldRefused    held = "refused"   // for good, by the store
	heldUnmoved    held = "not_moved" // stored, but still there
)

// fault is a file that is not taken, through no fault of the store.
type fault struct {
	held held
	err  error
}

func (f fault) Error() string { return f.err.Error() }
func (f fault) Unwrap() error { return f.err }

// Files that are due together are noted together, since each write of the journal
// waits for the disk. Half of what the journal keeps are moves that are not durable
// yet; the group must fit beside them. Large files are noted one by one: for the
// note they are read a second time.
const (
	groupSize = kept / 4
	smallFile = 256 << 10
)

// announce notes the files of a group in the journal before the first of them is
// taken. What cannot be noted here is noted, or at fault, when it is its turn.
func (d *Driver) announce(group []*sighting) {
	if len(group) < 2 {
		return
	}
	fresh := map[string]entry{}
	for _, s := range group {
		if s.info.Size() > smallFile {
			continue
		}
		raw, info, err := d.read(s)
		if err != nil {
			continue
		}
		e := newEntry(info, raw, d.now())
		if _, ok := d.journal.known(s.name, e); !ok {
			fresh[s.name] = e
		}
	}
	if len(fresh) > 0 {
		_ = d.journal.note(fresh, d.there())
	}
}

// take stores all of a file and moves it.
func (d *Driver) take(ctx context.Context, s *sighting) error {
	raw, info, err := d.read(s)
	if err != nil {
		return err
	}
	if err := d.at("read"); err != nil {
		return err
	}
	e, err := d.journal.begin(s.name, newEntry(info, raw, d.now()), d.there())
	if err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	if err := d.at("noted"); err != nil {
		return err
	}
	if !e.Stored {
		if err := d.hand(ctx, raw, e.Received); err != nil {
			return err
		}
	}
	if err := d.at("stored"); err != nil {
		return err
	}
	return d.move(s, info)
}

// read reads a file that nobody else writes to.
func (d *Driver) read(s *sighting) ([]byte, fs.FileInfo, error) {
	if s.info.Size() > d.o.MaxFile {
		return nil, nil, fault{heldLarge, fmt.Errorf("a file of %d bytes is larger than max_file: raise max_file, or take the file away", s.info.Size())}
	}
	f, err := openFile(filepath.Join(d.o.Path, s.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, errChanged
	case inUse(err):
		return nil, nil, fault{heldOpen, errors.New("a file is still open in another program: it is read when that program closes it")}
	case err != nil:
		return nil, nil, fault{heldUnreadable, fmt.Errorf("a file cannot be opened: %s: let the service's account read it", cause(err))}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || !same(info, s.info) {
		return nil, nil, errChanged
	}
	raw, err := io.ReadAll(io.LimitReader(f, info.Size()+1))
	if err != nil {
		return nil, nil, fault{heldUnreadable, fmt.Errorf("a file cannot be read: %s", cause(err))}
	}
	after, err := f.Stat()
	if err != nil || !same(info, after) || int64(len(raw)) != info.Size() {
		return nil, nil, errChanged
	}
	return raw, info, nil
}

// hand hands all messages of a file over, in order.
func (d *Driver) hand(ctx context.Context, raw []byte, received time.Time) error {
	messages := d.cut(raw)
	if len(messages) == 0 {
		d.count("blank_files", 1)
	}
	for i, m := range messages {
		m.Source, m.Kind, m.Received = d.name, d.kind.Name, received
		err := d.receive(ctx, m)
		switch {
		case errors.Is(err, drivers.ErrTooLarge):
			return fault{heldRefused, fmt.Errorf("message %d of a file has %d bytes, more than the spool takes: raise spool.max_message", i+1, len(m.Payload))}
		case err != nil:
			return fmt.Errorf("%w: %w", errStore, err)
		}
		d.stored(m)
		if err := d.at("part"); err != nil {
			return err
		}
	}
	return nil
}

// receive hands one message over. That is finished also while the agent stops.
func (d *Driver) receive(ctx context.Context, m drivers.Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return d.handler.Receive(ctx, m)
}

// cut cuts a file into messages. What cannot be cut is kept whole, as broken: a
// file that nothing was made of must not vanish into done.
func (d *Driver) cut(raw []byte) (messages []drivers.Message) {
	if len(bytes.Trim(raw, " \t\r\n\x00\x1A\uFEFF")) == 0 {
		return nil
	}
	if d.kind.Split == nil {
		return []drivers.Message{{Payload: raw}}
	}
	messages, faults := d.split(raw)
	seen := false
	for _, m := range messages {
		seen = seen || m.Stage == drivers.Broken
	}
	if len(faults) > 0 && !seen || len(messages) == 0 {
		messages = append(messages, drivers.Message{Payload: raw, Stage: drivers.Broken, Fault: wording(faults)})
	}
	return messages
}

// split is Kind.Split, which must not take the folder down with a file.
func (d *Driver) split(raw []byte) (messages []drivers.Message, faults []string) {
	defer func() {
		if p := recover(); p != nil {
			messages, faults = nil, []string{fmt.Sprintf("this program has a fault: reading the file panicked (%T)", p)}
		}
	}()
	return d.kind.Split(raw, d.section)
}

// wording is Split's words, a few of them.
func wording(faults []string) string {
	const most = 3
	words := "the file does not hold messages only"
	for i, f := range faults {
		if i == most {
			return fmt.Sprintf("%s, and %d more faults", words, len(faults)-most)
		}
		words += map[bool]string{true: ": ", false: "; "}[i == 0] + strings.TrimSpace(f)
	}
	return words
}

// move renames a file that is stored into the done folder. One that was changed
// meanwhile stays, to be read again.
func (d *Driver) move(s *sighting, read fs.FileInfo) error {
	from := filepath.Join(d.o.Path, s.name)
	now, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody took it away: it is stored
	}
	if err == nil && (!same(now, read) || !os.SameFile(now, read)) {
		return errChanged
	}
	dir := d.o.target(d.now())
	to := ""
	if err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	if err == nil {
		to, err = free(dir, s.name)
	}
	if err == nil {
		err = os.Rename(from, to)
	}
	if err != nil {
		if jerr := d.journal.stored(s.name); jerr != nil {
			err = jerr
		}
		return fault{heldUnmoved, fmt.Errorf("a file is stored, but cannot be moved to done: %s: let the service's account change the folder, and keep done on the same disk or share", cause(err))}
	}
	if err := d.at("moved"); err != nil {
		return err
	}
	if d.moved = append(d.moved, dir); len(d.moved) >= kept/2 {
		d.flush()
	}
	return d.unmove(to, from, read)
}

// flush makes moves durable. One that a power cut undoes before that is still in
// the journal, which knows more files than wait to be flushed.
func (d *Driver) flush() {
	slices.Sort(d.moved)
	for _, dir := range slices.Compact(d.moved) {
		_ = errors.Join(syncDir(dir), syncDir(d.o.Path))
	}
	d.moved = d.moved[:0]
}

// unmove moves a file back that was written to while it was moved.
func (d *Driver) unmove(to, from string, read fs.FileInfo) error {
	moved, err := os.Lstat(to)
	if err != nil || same(moved, read) {
		return nil //nolint:nilerr // somebody took it from there: nothing is left to put back
	}
	back, err := free(filepath.Dir(from), filepath.Base(from))
	if err == nil {
		err = os.Rename(to, back)
	}
	if err != nil {
		d.log.Error().Int64("bytes", moved.Size()).Msg("a file in done was written to after it was read: look at it and put it back")
		return nil //nolint:nilerr // told in the log: what was read is stored, and the file stays in done
	}
	d.count("moved_back", 1)
	return errChanged
}

// free is a name in dir that nothing has: name itself, or with a number before
// its extension.
func free(dir, name string) (string, error) {
	ext := filepath.Ext(name)
	for n := 1; n < 100_000; n++ {
		try := filepath.Join(dir, name)
		if n > 1 {
			try = filepath.Join(dir, fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), n, ext))
		}
		if _, err := os.Lstat(try); errors.Is(err, fs.ErrNotExist) {
			return try, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", errors.New("too many files of one name")
}

// cause is an error of the file system without the name of the file.
func cause(err error) string {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err.Error()
	case errors.As(err, &le):
		return le.Err.Error()
	}
	return err.Error()
}
