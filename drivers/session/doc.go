// Package session is what all drivers do alike between a connection and a pure
// state machine: read, tell it what came, store what it wants stored, answer what
// it wants answered, count, and log without content.
//
//	Conn --bytes, silence, hang-up--> Link --Step--> store --outcome--> Link --Step--> answer
//
// A protocol brings a [Link] and nothing of this: [New] makes a whole
// drivers.Driver of it, and [Split] cuts captured traffic with it. A protocol whose
// answers do not fit a [Step] uses [Listen] and [Keeper] by themselves.
//
// The order is the promise: what a Step wants stored is on stable storage before
// Link.Stored is called with nil, and only the Step that follows from that can
// carry the acknowledgement. An analyzer that gets no answers cannot be promised as
// much: see [Unanswered].
package session
