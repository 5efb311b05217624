// Package port opens the links that analyzers hang on: a serial line, a TCP
// port that the analyzer connects to, or a TCP port of the analyzer that is
// connected to. Each is a [drivers.Port], made by [Serial], [Listen] or
// [Connect]. A constructor only validates; Open does the work.
//
//	 analyzer                        port                          driver
//	+--------+  RS-232, USB   +-----------------+           +--------------+
//	|        |--------------->| Serial          |           |              |
//	|        |  its socket    +-----------------+   Conn    | drivers.Line |
//	|        |--------------->| Listen          |---------->|  opens again |
//	|        |  its server    +-----------------+           |  and again   |
//	|        |<---------------| Connect         |           |              |
//	+--------+                +-----------------+           +--------------+
//
// # The promise
//
// Whatever the link is, its connection keeps the contract of [drivers.Conn]:
// Read never returns nothing without an error, a peer that hung up and an
// adapter that was pulled out are both io.EOF, an end that came is told again
// on every later Read without asking the system, and Close sets a blocked Read
// or Write free. No error holds a byte of what was read or written.
//
// A port never tries again by itself and never waits longer than it was asked
// to: pauses and repeats belong to drivers.Line.
//
// # Caveats
//
//   - A serial line is polled: a read deadline, and Close, take effect within
//     100 ms. TCP deadlines are exact.
//   - A byte that the line damaged (parity, framing) is read as NUL where the
//     driver of the adapter reports it. tarm/serial would have it dropped
//     silently, which turns one number into another.
//   - Without a write deadline a serial write gives up 10 s after the line
//     should have been done with it. TCP writes have no such limit, but a peer
//     that no longer confirms what is sent to it ends the connection.
//   - A closed serial line may hold Close for some seconds while the kernel
//     gets rid of what flow control held back.
//   - On Windows a serial write deadline applies to the writes that begin after
//     it was set, and the settings of a line that tarm/serial has no words for
//     are made through the handle that it keeps.
//
// The packages stood on: tarm/serial opens and reads serial lines, and is
// imported nowhere else; golang.org/x/sys adds the settings that it lacks.
package port
