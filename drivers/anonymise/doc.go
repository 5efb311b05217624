// Package anonymise takes patients and specimens out of captured traffic, so that
// it can be shown to others or kept as a test: the same bytes, but for what names
// somebody.
//
// # What is replaced
//
//	ASTM    P but for the sex; O.3, the ids of O.4, collector, physician and the user's
//	        and laboratory's own fields of O; the ranges of Q; R.11; comments (C.4) that
//	        the instrument itself did not make
//	HL7     PID but for the sex, PD1, NK1, PV1, PV2, GT1, IN1 to IN3, MRG, ACC, DSP and
//	        all Z segments; the ids, people and clinical notes in ORC, OBR, SPM, SAC;
//	        OBX-16; NTE-3; query parameters; remarks that are sent as OBX
//	POCT1-A PT but for the sex, OPR, the ids of ORD, texts of NTE
//	text    what the analyzer's description calls the specimen, the patient or a person
//
// A digit becomes a digit, a letter a letter of its case, and everything else stays:
// lengths, frames, padding, delimiters, escapes. Checksums that were right are right
// again, and those that were wrong are as wrong as before. The same id becomes the
// same pseudonym wherever it stands in a run, and another in the next run: the key
// is random and forgotten. Dates of birth become other dates. Ids that are replaced
// are looked for in manufacturer's records and comments as well.
//
// # Caveats
//
// What stays can still tell something: the times, the results themselves, the
// instrument's serial number, the sex. Free text in results (R.4, OBX-5) is not
// understood: a name that was typed in there stays. Manufacturer's records (M) may
// hold what no standard describes. So look at the outcome before you give it away.
package anonymise
