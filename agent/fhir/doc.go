// Package fhir turns what an analyzer reported into FHIR R4 resources, and
// orders them into steps that can each be sent again without harm.
//
//	drivers.Report --+                     Plan
//	drivers.Report --+--> Mapper.Plan --+-> Step "device"        Device
//	 of one message  |                  +-> Step "specimen"      Specimen ...
//	                 |                  +-> Step "observations"  Observation ... (at most 40)
//	                 |                  +-> Step "observations"  ...
//	                 |                  +-> Step "report"        DiagnosticReport ...
//	                 |                  +-> Step "document"      DocumentReference, where wanted
//	                 |                  +-> Step "provenance"    Provenance ..., where wanted
//	                 |                  +-> Held: a person must look
//	                 +                  +-> Kept: rightly not sent
//
// A step names resources of earlier steps by their urn:uuid; [Step.Bundle]
// puts the ids in their place that the server gave them, and refuses to make a
// bundle that would point at nothing.
//
// # The promise
//
// Mapping is pure: the same [Input] gives the same bytes. Numbers keep the
// digits that the analyzer sent, trailing zeros included. Codes and units are
// translated by exact tables; whatever has no row in them stays text, and a
// remark says so where a reader could be misled. No Patient and no subject is
// ever made up. What is not about a patient (training, debugging, queries) becomes
// no resource at all; QC and calibration only where they are asked for, with a
// tag, a category of their own and the analyzer as subject.
//
// # Identity
//
// Every resource carries one identifier that its creation is conditional on:
//
//	base:device    <agent>/<analyzer>
//	base:specimen  <message key>-s<index of the first report on this specimen>
//	base:result    <message key>-<report index>-<result index>
//	base:report    <message key>-<report index>
//	base:message   <message key>, of the DocumentReference
//	base:origin    <message key>-<report index>, of the Provenance
//	base:device    <agent>, of the agent itself: a Provenance names it, and a
//	               heartbeat writes it anew ([Mapper.Heartbeat])
//
// R4's Provenance has no identifier: its own is a meta.tag, and its creation is
// conditional on _tag.
//
//	base:series    digest of analyzer, specimen id and type, test, sub-id
//
// The last is shared by all results of a test on a specimen, and finds the one
// that a correction is about, or that is preliminary and now final: see
// [Entry.Choose]. It never decides a creation.
//
// No time of arrival and no retry count is in any of them. A specimen's number
// is the index of a report, and not a running count, so that it does not move
// when a held report of the same message is released later: a number that
// moved would join one patient's results to another's specimen. It is never
// the laboratory's specimen id, since laboratories use short ids again; that
// id is the accessionIdentifier. Reports of one message share a Specimen when
// their ids are equal and nothing said of the specimens contradicts.
//
// # Choices a reader of the data should know
//
// Status. A result without one is preliminary. A questionable result is never
// more than preliminary. A report has the status that the order was given, but
// is never more final than its results; without one it is the least final of
// its results, "partial" when some of them are still pending.
//
// Time. effectiveDateTime is the first that is known of: specimen collected,
// result observed, result completed, started, order reported. From the third
// on it is not a time of the patient but of the laboratory, which a meta.tag
// of system urn:labcourier:effective says. With none known it is left out.
// issued is the time of receipt. A report has the time that its order gives
// (OBR-7), with an end (OBR-8) as a Period, else that of its first result.
//
// Code. A test has the LOINC code that the package codes finds for it, if
// there is no doubt, unless the message gives one itself; and it always keeps
// the analyzer's own code. Its system, where the message
// names none, is urn:labcourier:code:<manufacturer>:<model> in lower case
// (configuration first, else what the instrument calls itself, else the
// analyzer's configured name); coded values use that with ":value" behind. A
// report on several tests has only text for its code: several codings would
// say that they all mean the same.
//
// Value. A number that FHIR cannot hold as sent (".5", "007", more than 18
// digits) is a string with the unit behind it. A text value with a digit in it
// also gets the unit; one without keeps it in a note. A cancelled result has
// no value; what was sent with it is in a note. A value that is a date, a
// moment, a period or a time of day, by the message's own word, has FHIR's type
// for it, as exact as it was sent and with the offset of the analyzer's zone;
// where FHIR asks for seconds that were not sent, a note has what was.
//
// Notes. R4's DiagnosticReport has no note, and its conclusion is a
// clinician's word. What was said of the whole report, and what could not be
// read of it, is in R5's note as a cross-version extension; the comments also
// stand at each Observation, as far as there are at most eight. Remarks of
// this package are signed "labcourier".
//
// Device. Its content is what the configuration says, else what the first
// message said; a conditional create keeps the first. What an instrument calls
// itself in a later message is in the display of Observation.device.
//
// The message itself ([Choices].Raw) is the data of a DocumentReference and no
// Binary, which has no identifier, so that creating it could not be made
// conditional. It comes after the reports: what a server refuses of it never
// holds a result back. One too large for a request goes without its data, with
// size, hash and a word on that. It has no subject, since a message can be about
// several people. A report that a person releases later is not among those that
// it names; its Provenance names the document.
//
// # Caveats
//
// A server written in JavaScript reads 5.40 as 5.4: the digits are sent, what
// it stores is its own.
package fhir
