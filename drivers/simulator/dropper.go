package simulator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Dropper is an analyzer that exports files: each message is a file in Dir, and
// acknowledged when it is gone from there, moved away by whoever stored it. It is
// both the port and the sender of an Analyzer.
type Dropper struct {
	Dir string
	Ext string // of the files; "" for ".csv"

	n int
}

var (
	_ Sender       = (*Dropper)(nil)
	_ drivers.Port = (*Dropper)(nil)
)

// dropWait is how long a file may lie, and dropLook how often it is looked for.
const (
	dropWait = time.Minute
	dropLook = 50 * time.Millisecond
)

// Send writes one file, under another name until it is whole, and waits until it
// is gone. One that stays is taken back.
func (d *Dropper) Send(ctx context.Context, _ drivers.Conn, message []byte) error {
	ext := d.Ext
	if ext == "" {
		ext = ".csv"
	}
	d.n++
	path := filepath.Join(d.Dir, fmt.Sprintf("sim-%06d%s", d.n, ext))
	if err := os.WriteFile(path+".tmp", message, 0o600); err != nil {
		return fmt.Errorf("drop a file: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("drop a file: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, dropWait)
	defer cancel()
	for {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		t := time.NewTimer(dropLook)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
				return nil // it went at the last moment
			}
			return fmt.Errorf("nobody took the file: %w", ctx.Err())
		}
	}
}

// Open returns a connection that carries nothing.
func (d *Dropper) Open(ctx context.Context) (drivers.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	here, there := net.Pipe()
	return dropConn{here}, there.Close()
}

// Close does nothing.
func (*Dropper) Close() error { return nil }

func (d *Dropper) String() string { return "folder " + d.Dir }

// dropConn stands in for the connection that a folder does not have.
type dropConn struct{ net.Conn }

func (dropConn) Peer() string { return "folder" }
