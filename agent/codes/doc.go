// Package codes knows which LOINC and UCUM codes belong to what an analyzer
// sends, and says so only where there is no doubt.
//
//	codes.toml (a person's) ---+
//	LIVD as CSV -----+         |
//	LIVD as XLSX ----+-> Rows -+-> Book --- Test(Question) --> Answer: LOINC, or why not
//	LIVD as FHIR ----+                 \--- UCUM(unit) ------> code, or text as it is
//
// LIVD is the IVD makers' list of which of their test codes is which LOINC
// code. One test code often has several, one for each unit and specimen.
//
// # How a code is chosen
//
// What is written for this analyzer by name goes before what is written for its
// model, that before what is written for all, and a person's file before the
// catalogues. The first of these levels that has a row for the result decides.
// A row is not for the result where it contradicts it:
//
//   - the row names a unit or specimen, and the result has another;
//   - the LOINC code's property, or the unit that a catalogue gives, cannot go
//     with the result's unit (a mass concentration in mmol/L);
//   - the LOINC code's system is another material than the specimen;
//   - the LOINC code's scale is of words, and the result is a number.
//
// Rows that name the unit or specimen go before rows that do not. If what is
// left is one LOINC code, that is the answer. If it is none or several there is
// no answer, and the reason and the candidates are told. A single row that
// contradicts the result is not taken either.
//
// # Caveats
//
// Properties and materials are compared by short tables; one that is in neither
// contradicts nothing. LOINC is licensed: the catalogue is the laboratory's to
// get, and none is part of this program.
package codes
