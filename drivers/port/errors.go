package port

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// hinted puts what to do next behind an error: operation, subject, cause, hint.
func hinted(what string, cause error, hint string) error {
	if hint == "" {
		return fmt.Errorf("%s: %w", what, cause)
	}
	return fmt.Errorf("%s: %w: %s", what, cause, hint)
}

// bare takes off what os and net wrap around an error number: they repeat the
// operation and the address, and the ports of a TCP connection differ each
// time, so that the same fault would never read the same.
func bare(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// ended is the error of an Open whose ctx ended.
func ended(ctx context.Context, what string) error {
	return fmt.Errorf("%s: %w", what, ctx.Err())
}
