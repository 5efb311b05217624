// Package pagetest opens the local page in a real browser, for tests.
//
// It wants Chromium on the PATH, and for Axe the npm package axe-core in the
// folder that LABCOURIER_PEERS names; a test is skipped without them. Pictures go
// to the folder LABCOURIER_PICTURES, if it is set, for people to look at.
package pagetest
