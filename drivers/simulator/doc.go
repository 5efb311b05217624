// Package simulator is the analyzer's side of a link: it makes up plausible
// results in the dialects of common models, and sends them, or a capture byte
// for byte, over any drivers.Port.
//
// It serves `labcourier simulate`, `labcourier demo` and the tests. What it
// makes up is no patient's: every specimen id begins with "SIM".
//
// A [Sender] knows one protocol. An [Analyzer] keeps a port open and hands it
// messages in order, each until it is acknowledged, as an analyzer with a
// memory does:
//
//	Next() --> message --> Sender --> Conn --> (labcourier)
//	  ^                      |
//	  +----- acknowledged ---+   not acknowledged: the same message again
//
// The simulator and the driver were written by the same hands, so that the two
// agree proves little: the tests check each against captures of real analyzers.
package simulator
