// Package astm reads analyzers that speak CLSI LIS01-A2 (ASTM E1381) on the
// wire and CLSI LIS02-A2 (ASTM E1394) in their records.
//
// # Layers
//
//	bytes --> [Decoder] frames --> [Link] LIS01 receiver --> assembly of H..L --> drivers/session
//	           frame.go             link.go                   assemble.go
//	bytes --> rawLink (framing = "none") ------------------------------------->
//	           raw.go
//
//	stored bytes --> records, fields --> []drivers.Report
//	                  record.go           report.go, codes.go, specimen.go
//
// [Link] is a pure state machine: bytes, silence, hang-up and the outcome of a
// store go in; a reply, messages to store and a time to wait come out. It does
// no input or output and starts nothing, so every order of events can be tested.
// [Sender] is the other side, for the simulator and its tests.
//
// # What is acknowledged, and when
//
// ASTM has one kind of acknowledgement, the ACK of a frame. A message is whole
// when its L record is in; the ACK of the frame that brings it leaves only after
// the message is on stable storage. Earlier frames are acknowledged from memory,
// since the analyzer still holds their message. For an analyzer that ends with
// EOT and sends no L record (option end = "eot"), every frame that ends with ETX
// is made durable, as a draft, before its ACK.
//
// Bare records (option framing = "none") have no acknowledgement of their own.
// Unless the option answer = "ack" says that the analyzer waits for one, it is not
// answered and sends nothing twice: while nothing can be stored, what it sends is
// held in memory, as with the text driver.
//
// A session that ends before its message is whole is stored as broken: a person
// sees it, and it is never delivered.
//
// # Tolerance
//
// Bytes outside frames are counted and ignored (LIS01-A2 6.5.1.1). Restricted
// characters inside a frame (6.6.2) are left to the checksum. Everything that
// bends the standard is an option, off by default, whose absence is named in the
// refusal that it would have prevented: see [Options].
package astm
