// Package drivertest is the suite that every driver must pass, and the fakes
// that it needs: a port of in-memory pipes and a store whose behaviour a test
// sets.
//
// A driver's own tests call [Run] with a [Suite] that says how its protocol
// sends a message. The suite then shows what must hold of every protocol: a
// message is acknowledged after it was stored and never otherwise; how the bytes
// are split changes nothing; noise, silence and hang-ups at every place neither
// invent nor lose a message, nor stop the driver; a store that refuses is told
// to the analyzer.
//
// The tests run in testing/synctest bubbles, so that minutes of silence cost
// nothing.
package drivertest
