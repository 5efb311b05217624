// Package packaging holds the texts that make labcourier a service of an
// operating system: the systemd unit, its user, and the scripts for OpenRC and
// System V. Each has one source, which the packages ship and `labcourier service
// install` installs with the places of program and configuration put in.
//
// The program that builds the packages is in packaging/release, a module of its
// own, so that its dependencies are none of the agent's.
package packaging
