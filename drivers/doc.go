// Package drivers holds what every analyzer driver has in common, and nothing
// of any one protocol: the contracts between a link, a driver and the store
// ([Port], [Conn], [Driver], [Handler]), the message exactly as it came off
// the wire ([Message]), and the protocol-neutral [Report] that a message is
// read into after it has been stored.
//
// # The promise a driver keeps
//
// A driver sends the byte that lets the analyzer forget a message only after
// [Handler.Receive] returned nil for it, which means: the raw bytes are on
// stable storage. When Receive fails the driver refuses (NAK, AE) or stays
// silent, so that the analyzer keeps the message.
//
//	         Open            bytes             Receive = fsync
//	+------+ ----> +------+ -----> +--------+ ---------------> +---------+
//	| Port |       | Conn |        | Driver |                  | Handler |
//	+------+ <---- +------+ <----- +--------+ <--------------- +---------+
//	         Close           ACK              nil or an error
//
// [Kind.Parse] runs later and elsewhere, on the stored bytes. It is pure, so a
// mistake in it can be mended and the stored message read again; it can never
// cost a message.
//
// # Caveats
//
// A driver must not log payload, patient or specimen: a log line names the
// analyzer, a number, a length or a digest.
package drivers
