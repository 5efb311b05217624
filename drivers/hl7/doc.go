// Package hl7 reads analyzers that speak HL7 version 2 (2.1 to 2.9) over MLLP:
// ORU^R01 and its kin R30 to R32, OUL^R21 to R24, and with them IHE LAW (LAB-29).
//
// # Layers
//
//	bytes --> mllp.Decoder --> block --> messages --> verdict --> Handler --> acknowledgement
//	                           batch.go               verdict.go  session.go  ack.go
//
//	stored bytes --> text --> segments --> []drivers.Report
//	                charset.go segment.go   report.go, result.go, value.go, specimen.go
//
// Everything but session.go is pure. [Sender] is the other side, for the
// simulator and its tests.
//
// # What is acknowledged, and when
//
// AA or CA leaves only after the message is on stable storage. A message that
// cannot be stored is answered AE (in enhanced mode CE where that is asked for)
// and not kept: the analyzer has it. What is in a message does not matter for
// that: it is read after the spool.
//
//	what came                                   kept as     answer
//	a message with results                      complete    AA or CA
//	its header cannot be read, no MSH-9         broken      AE
//	wrong MSH-11, MSH-12, or message type       broken (*)  AR or CR
//	a query: host query is not built yet        -           AR or CR
//	an acknowledgement, or an answer to nobody  -           none, counted
//	a block that ended before its message did   broken      none
//	a block that is too long                    its head    AR or CR
//
// (*) where it holds results; a message of another trade, such as ADT, is
// refused and not kept.
//
// Original mode is one acknowledgement; MSH-15 and MSH-16 make it enhanced mode
// (HL7 2.9.3.1): the accept acknowledgement first, then the application
// acknowledgement, each only where its condition (AL, NE, ER, SU) asks for it,
// the second only when the first accepted. Mindray analyzers use MSH-16 for
// something else (0, 1, 2), which is no condition.
//
// # Several messages in one block
//
// Each message of a block or batch (FHS, BHS) is stored by itself, without the
// envelope: the envelope carries the time of sending, so that the same message
// sent again would look like another. All are stored before anything is
// answered. If one cannot be, all are refused, since a sender may take the first
// answer for that of the block; what was stored already is known when it comes
// again. The answers are the messages of one block (batch_ack = "block"): a
// sender that waits for one block must not find a second one when it sends its
// next message. With batch_ack = "message" each is a block of its own. Between two
// blocks of answers there is a short pause, for peers that take what one read
// gives them for one message. An empty batch is not answered.
//
// # Caveats
//
// A character set that is not a superset of ASCII (UTF-16) cannot be read. Of an
// ISO 2022 set only ISO-2022-JP is known; \C..\ and \M..\ escapes stay as they are.
//
// A message whose VT got lost cannot be told from noise: it is counted
// (noise_bytes) and not answered, unless idle_end is set.
package hl7
