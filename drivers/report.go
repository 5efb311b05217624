package drivers

import "time"

// Report is what one order on one specimen came to, in no protocol's own
// terms. A message holds any number of them.
//
// All text is UTF-8, with escapes resolved and surrounding blanks cut off, and
// otherwise as the analyzer sent it.
type Report struct {
	// Index counts the reports of a message from 0, in the message's order. It
	// is part of the identity of what is delivered.
	Index int

	Purpose       Purpose
	PurposeReason string // the mark that says so: "O.12 = Q"

	// Hold, if not empty, is why a person must look before this is passed on:
	// "no specimen id", "the analyzer ended the message with L.3 = E".
	Hold string

	ControlID string // the message's own id, as sent; not unique
	Sent      Time
	Sender    Sender
	Patient   Patient
	Specimen  Specimen
	Order     Order
	Results   []Result
	Notes     []Note

	// Problems are what could not be read, by field and without content:
	// "R.13 of result 3 is not a time". The values stay in the stored bytes.
	Problems []string
}

// Purpose tells whether a report is about a patient.
type Purpose string

const (
	ForPatient     Purpose = "patient"
	ForQC          Purpose = "qc"
	ForCalibration Purpose = "calibration"
	ForTraining    Purpose = "training"
	ForDebugging   Purpose = "debugging"
	ForQuery       Purpose = "query" // the analyzer asks; there are no results
	ForNothing     Purpose = "empty" // a message with neither results nor a question
)

// Sender is the instrument as it names itself.
type Sender struct {
	Name         string
	Manufacturer string
	Model        string
	Version      string
	Serial       string
}

// Patient is what the analyzer said of the patient, as sent. It is never
// turned into a Patient resource.
type Patient struct {
	PracticeID   string // P.3, PID-2
	LaboratoryID string // P.4, PID-3
	OtherID      string // P.5, PID-4
	Name         string
	Birth        Time
	Sex          string
}

// Specimen is what was measured.
type Specimen struct {
	ID           string // the laboratory's id, from the barcode or typed
	InstrumentID string // the analyzer's own: sequence, carrier, position
	Type         string // as sent
	Source       string // as sent
	Collected    Time
	Received     Time
}

// Order is what was asked for.
type Order struct {
	Tests     []Code
	Placer    string       // the laboratory's order number: ORC-2, OBR-2
	Filler    string       // the analyzer's order number: ORC-3, OBR-3
	Priority  string       // as sent: S, A, R
	Action    string       // as sent: O.12
	Status    ResultStatus // of the report as a whole
	StatusRaw string       // as sent: O.26, OBR-25
	Requested Time
	Reported  Time

	// Observed is when what was asked for was true of the patient, if the order
	// says so; and Until the end, where that took a while: OBR-7, OBR-8.
	Observed Time
	Until    Time
}

// Code is a code with what belongs to it.
type Code struct {
	System string // a URI, or "" for the analyzer's own
	Code   string
	Text   string
	Alt    []Code // the same in other systems
}

// Result is one measured value.
type Result struct {
	// Index counts the results of the report from 0. It is part of the identity
	// of what is delivered.
	Index int

	Test       Code
	SubID      string // tells results of one test apart: OBX-4
	Value      Value
	Unit       string   // as sent
	Range      []string // reference ranges, as sent
	Flags      []string // abnormal flags, as sent
	Status     ResultStatus
	StatusRaw  string // as sent: R.9, OBX-11
	Previous   bool   // the analyzer says that it sent this result before
	Doubtful   bool   // the analyzer says that the result is questionable
	Observed   Time   // when it was true of the patient, if the result says so
	Started    Time
	Completed  Time
	Operator   string
	Verifier   string
	Instrument string // the instrument, where it differs from the sender
	Method     string
	Notes      []Note
}

// Value is a result's value. Text is what the analyzer sent; the other fields
// say how it reads, and are empty where it does not read that way.
type Value struct {
	Text string

	// Number is Text's decimal number, digit for digit as sent; Comparator is
	// "", "<", "<=", ">" or ">=".
	Comparator string
	Number     string

	// Separator and Second make a ratio (":" or "/") or a range ("-") of Number.
	Separator string
	Second    string

	// Code is a coded value.
	Code *Code

	// Time is a value that is a point in time, and Until, if known, the end of
	// the period that begins with it. Clock is a time of any day: hh:mm:ss, with
	// the fraction that was sent.
	Time  Time
	Until Time
	Clock string

	// Absent is why there is no value, as a FHIR data-absent-reason code; Text
	// may then still hold what was sent instead of one ("---").
	Absent string
}

// Note is a comment of the analyzer, as sent.
type Note struct {
	Source string // who says so: "I" instrument, "L" laboratory, "P" practice
	Code   string
	Text   string
}

// ResultStatus is the state of a result or report, in FHIR's words.
type ResultStatus string

const (
	StatusRegistered     ResultStatus = "registered"
	StatusPartial        ResultStatus = "partial"
	StatusPreliminary    ResultStatus = "preliminary"
	StatusFinal          ResultStatus = "final"
	StatusCorrected      ResultStatus = "corrected"
	StatusAmended        ResultStatus = "amended"
	StatusCancelled      ResultStatus = "cancelled"
	StatusEnteredInError ResultStatus = "entered-in-error"
	StatusUnknown        ResultStatus = "unknown"
)

// Precision is how exact a Time is.
type Precision uint8

const (
	NoTime Precision = iota // not given, or not readable
	Year
	Month
	Day
	Minute
	Second
	Millisecond
)

// Time is a point in time as an analyzer gives it.
type Time struct {
	Text      string    // as sent
	Value     time.Time // with the offset that the message or the configured zone gives
	Precision Precision // NoTime: Value means nothing

	// Ambiguous marks a local time that the clock change made happen twice, or
	// never; Value is then the earlier reading.
	Ambiguous bool
}

// Known reports whether t holds a time.
func (t Time) Known() bool { return t.Precision != NoTime }
