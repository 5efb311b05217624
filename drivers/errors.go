package drivers

import "errors"

// Errors that Handler.Receive and Handler.Accepting return wrapped, so that a
// driver can tell the peer more than "no" where its protocol has words for it.
var (
	// ErrStoreFull: no space; the analyzer should keep the message and try later.
	ErrStoreFull = errors.New("message store is full")

	// ErrStoreFailed: the store cannot write now.
	ErrStoreFailed = errors.New("message store failed")

	// ErrTooLarge: the message is larger than the store takes; it will not be
	// taken later either.
	ErrTooLarge = errors.New("message is too large")
)

// ErrPortBusy is returned by Port.Open when another program holds the port.
var ErrPortBusy = errors.New("port is in use")
