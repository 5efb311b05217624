// Package detect tells from bytes what an analyzer speaks: the driver, the options
// that it needs, and what the analyzer calls itself.
//
//	           bytes                 Finding
//	capture ----------> Look ------------------> a stanza to paste
//	                     ^
//	line ---> Probe -----+      serial: tries settings until the bytes make sense
//
// [Look] is pure and works on whatever there is. [Probe] listens on a link.
//
// # What is answered
//
// Probe never acknowledges a result: an analyzer whose results were acknowledged
// may forget them, and nobody has them. Most analyzers say nothing of interest until
// somebody answers, so that two things are sent, on links whose analyzer has shown
// that it expects them, and each is told:
//
//   - ACK to ENQ, the question whether a transfer may begin. It confirms nothing.
//   - NAK to the frame that follows, and to later ENQs: not received, busy. The
//     analyzer keeps its results and sends them again, by itself or when asked to.
//
// Nothing is answered to HL7, POCT1-A or text without ENQ: such an analyzer waits
// in vain. Some then go on to their next message, and a few analyzers give a block
// up after some refusals (Roche cobas c 111: three). So whatever was sent during
// detection has to be sent again at the analyzer, and the command says so. With
// Silent nothing at all is sent.
//
// # Caveats
//
// One refused frame is often all there is: it shows the framing and mostly names
// the instrument, but not how its messages end. Speed and parity are judged by what
// comes: valid characters, NULs in the place of damaged ones, and the parity that is
// left in the eighth bit. Bytes that make sense by chance at a wrong speed are
// possible while there are few.
package detect
