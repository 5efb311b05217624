package drivers

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/rs/zerolog"
)

// Driver serves one analyzer.
type Driver interface {
	// Run serves the analyzer until ctx ends, and then returns nil. An error
	// means that the driver cannot go on by itself; whoever called Run may call
	// it again later. Faults of the line or of the peer are not such errors: the
	// driver rides them out.
	Run(ctx context.Context) error

	// Status tells how the link does. It may be called at any time, from any
	// goroutine, also before Run.
	Status() Status
}

// Handler takes messages over from drivers.
type Handler interface {
	// Receive returns nil only when m is on stable storage; only then may the
	// driver acknowledge it. It returns well inside ctx's deadline. It keeps no
	// reference to m.Payload. A repeated message is not an error: it is stored
	// already.
	Receive(ctx context.Context, m Message) error

	// Accepting returns nil while messages can be stored, and otherwise why not:
	// a driver asks before it lets an analyzer begin.
	Accepting() error
}

// BatchHandler is implemented by handlers that can take several messages at once,
// which costs less than one after the other.
type BatchHandler interface {
	Handler

	// ReceiveAll is Receive for messages of one source, which are stored in their
	// order. An error means that none of them may be acknowledged; some may be
	// stored all the same.
	ReceiveAll(ctx context.Context, messages []Message) error
}

// Port yields connections, whichever end opens them.
type Port interface {
	// Open dials, accepts the next peer, or opens the line. It returns when it
	// has a connection, when that failed, or when ctx ended. A port that is not
	// Listening carries one connection at a time: it is opened again only after
	// that one was closed.
	Open(ctx context.Context) (Conn, error)

	// Close releases what the port holds between connections (its listener).
	// Connections that were handed out stay open. A closed port can be opened
	// again.
	Close() error

	// String names the port for people: "serial COM3 9600 8N1", "tcp listen :2575".
	String() string
}

// Listening is implemented by ports to which the peer opens the connection.
// They may hand out several at a time, and a peer that is away is no fault.
type Listening interface {
	Port

	// Addr is the address that is listened on, "" while it is not.
	Addr() string
}

// Guarded is implemented by listening ports that do not keep every peer.
type Guarded interface {
	// Refusals may be called at any time; the counts begin with the port.
	Refusals() Refusals
}

// Refusals counts the connections that a listening port did not keep.
type Refusals struct {
	Refused     uint64     // peers that are not on the allow list
	LastRefused netip.Addr // the last of them; invalid: none yet
	LastAt      time.Time  // when that was

	// Displaced counts connections that were closed because too many were open.
	Displaced uint64
}

// Collecting is implemented by ports without connections: nobody at the other end
// waits for an answer, and what comes lies there until it is collected, like the
// files in a folder.
type Collecting interface {
	Port

	// Collect returns a driver that hands over what lies at the port, cut into
	// messages by k. It opens nothing, so that a configuration can be checked
	// with it; d may then be zero.
	Collect(name string, k Kind, s Section, d Deps) (Driver, error)
}

// Conn is one open connection to an analyzer.
//
// Read returns at least one byte or an error; it never returns 0, nil. A read
// past its deadline returns an error that satisfies os.ErrDeadlineExceeded; a
// line that hung up, or whose adapter was unplugged, returns io.EOF. Close
// makes a blocked Read or Write return.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error

	// Peer names the other end: an address, or the device of a serial line.
	Peer() string
}

// Deps is what a driver is given to work with.
type Deps struct {
	Port    Port
	Handler Handler
	Log     zerolog.Logger // already carries the analyzer's name
}

// Section is a driver's own table of the configuration file.
type Section interface {
	// Decode fills dst, a pointer to a struct with toml tags that already holds
	// the defaults. A key that dst does not know, or a value of the wrong type,
	// is an error that names the place.
	Decode(dst any) error
}

// NoSection is the section of an analyzer that sets none of its driver's options.
type NoSection struct{}

// Decode leaves dst as it is.
func (NoSection) Decode(any) error { return nil }

var _ Section = NoSection{}
