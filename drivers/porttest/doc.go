// Package porttest keeps TCP ports for tests that have to name one before
// somebody listens there: in a configuration, or for another program.
//
// To listen on port 0, close, and use that number is luck: until the number is
// used, the system may give it to any connection of any other test.
package porttest
