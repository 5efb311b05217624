// Package poct reads point-of-care devices that speak POCT1-A2: XML messages over
// TCP, one document after the other without any framing, in a conversation that
// the device opens.
//
//	device                       labcourier
//	HEL.R01  who it is       -->
//	                         <-- ACK.R01
//	DST.R01  what is new     -->
//	                         <-- ACK.R01, REQ.R01 (observations)
//	OBS.R01  one result      -->           store = fsync
//	                         <-- ACK.R01 (AA, or AE if it was not stored)
//	EOT.R01  no more         -->
//	                         <-- ACK.R01
//	END.R01 or silence, which KPA.R01 keeps alive
//
// # Layers
//
//	bytes --> [Splitter] documents --> [Link] conversation --> Handler
//	           splitter.go              link.go                 session.go
//
//	stored bytes --> element tree --> []drivers.Report
//	                  document.go      report.go
//
// [Link] is a pure state machine: bytes, silences, hang-up and the outcome of a
// store go in; documents to send and messages to store come out. [Sender] is the
// device's side, for the simulator and tests.
//
// # What is stored, and what is acknowledged
//
// Each OBS document (results, controls) and each EVS document (device events) is
// one message, stored byte for byte as it came, behind those elements of HEL that
// name the device: an OBS document does not say which device sent it. Its ACK
// leaves only after it is on stable storage. Everything else is conversation. What
// the package does not know is answered with AE, so that the device keeps it.
//
// # Caveats
//
// A document type declaration, and with it every entity of its own, is refused:
// the connection ends. So it does for documents that are too long or nested too
// deep. A document that is cut off by another is noticed by the name of the other.
// UTF-16 is refused, in so many words.
package poct
