// Package tap sits between an analyzer and the system that takes its results now,
// and passes every byte both ways, unchanged and at once, while it records them:
//
//	+----------+  bytes   +-----+  bytes   +-------------+
//	| analyzer |--------->| Tap |--------->| present LIS |
//	|          |<---------|     |<---------|             |
//	+----------+          +-----+          +-------------+
//	                         |
//	                         v events, never waited for
//	                      Recorder
//
// It is the safe way to see what a model really sends before labcourier takes its
// place, and to compare the two afterwards. It answers nothing itself: what is
// acknowledged was acknowledged by the LIS.
//
// # Promises
//
//   - Bytes go on as they came, in order, none added and none left out. One that
//     cannot be passed on ends the connection on both sides, so that neither
//     believes what the other has not got.
//   - A side that sends no more (FIN) is shown to the other as just that; a side
//     that breaks off (RST) as that. A peer that the other side cannot be opened for
//     is broken off at once.
//   - Recording is somebody else's work: Record must not wait, as that of
//     trace.Recorder does not.
//
// # Caveats
//
// A serial line knows no end: when the TCP side sends no more, what the line still
// says is passed on until it has been silent for two seconds, and then the TCP side
// is closed. While only one connection can be passed on at a time (a serial line on
// either side, or both sides wait to be connected to), a further peer waits in the
// queue of the system. What a TCP peer has sent and its system has taken may be lost
// when a tap is stopped, as with any gateway: stop it while the link is idle.
package tap
