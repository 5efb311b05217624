// Package validate compares what an analyzer sent with what the server holds now:
// the report that a laboratory makes before an interface goes live, and again from
// time to time for its inspectors. It is `labcourier validate-interface`.
//
//	stored bytes --> the analyzer's driver --> drivers.Report --+
//	                                                            +--> Item: field by field
//	server --> HTTP --> readers of this package ----------------+
//
// # Two ways
//
// A mistake of the mapping must not be in both sides of the comparison. So this
// package does not know agent/fhir: it never makes the resource that should be
// there. It finds a result's Observation by the identifier that the README of the
// agent promises, reads value, unit, code, specimen, flags and times out of the
// server's JSON with readers of its own, and compares them with the fields of the
// driver's Report. What both sides share is the driver: that it reads the bytes
// rightly is for the analyzer's own printout to show, and the report has the text
// as it was sent beside everything.
//
// # Verdicts
//
//	equal         the server holds what was sent
//	digits        the same number with other digits: 5.10 is there as 5.1. Servers
//	              written in JavaScript do that; a reader of the data should know
//	superseded    a newer message of the analyzer corrected it, or made it final;
//	              that message's own lines say whether the new version is there
//	differs       something else is there, or it is there twice
//	missing       it is not there
//	unread        the server's answer, or the message, could not be read
//	not compared  and why: QC that is kept here, a message that is parked, a patient
//
// Text is compared without regard to how many blanks are between its words. Times
// are compared as instants, as exactly as the analyzer told them.
//
// Whose result it is, is not compared: an analyzer knows tubes, not patients, and
// what it says of a patient goes nowhere. Both sides are shown.
//
// # CSV
//
// Cells that a spreadsheet would take for a formula get an apostrophe in front, and
// the last column names them: see [WriteCSV].
package validate
