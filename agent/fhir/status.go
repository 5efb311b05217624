package fhir

import (
	"slices"

	"github.com/labcourier/labcourier/drivers"
)

// statusOf is the status of a result's Observation. Nothing sent, and states
// that an Observation cannot have, mean preliminary: output of an analyzer
// that nobody has verified.
func statusOf(res *drivers.Result) drivers.ResultStatus {
	switch s := res.Status; s {
	case drivers.StatusRegistered, drivers.StatusCancelled, drivers.StatusEnteredInError:
		return s
	case drivers.StatusFinal, drivers.StatusAmended, drivers.StatusCorrected, drivers.StatusUnknown:
		if res.Doubtful {
			return drivers.StatusPreliminary
		}
		return s
	}
	return drivers.StatusPreliminary
}

// isKnown reports whether s is a state of the core types.
func isKnown(s drivers.ResultStatus) bool {
	switch s {
	case drivers.StatusRegistered, drivers.StatusPartial, drivers.StatusPreliminary, drivers.StatusFinal,
		drivers.StatusCorrected, drivers.StatusAmended, drivers.StatusCancelled,
		drivers.StatusEnteredInError, drivers.StatusUnknown:
		return true
	}
	return false
}

// reportStatus is the status of a report: what the order says, but never more
// final than its results, since many readers look at the report's alone.
func reportStatus(r *drivers.Report) drivers.ResultStatus {
	derived := derivedStatus(r.Results)
	switch s := r.Order.Status; s {
	case drivers.StatusFinal, drivers.StatusCorrected, drivers.StatusAmended:
		if isOpen(derived) {
			return derived
		}
		return s
	default:
		if isKnown(s) {
			return s
		}
	}
	return derived
}

// isOpen reports whether more is to come of something in this state.
func isOpen(s drivers.ResultStatus) bool {
	switch s {
	case drivers.StatusRegistered, drivers.StatusPartial, drivers.StatusPreliminary, drivers.StatusUnknown:
		return true
	}
	return false
}

// derivedStatus is the status that results give their report.
func derivedStatus(results []drivers.Result) drivers.ResultStatus {
	var seen []drivers.ResultStatus
	for i := range results {
		if s := statusOf(&results[i]); !slices.Contains(seen, s) {
			seen = append(seen, s)
		}
	}
	if len(seen) == 1 {
		return seen[0]
	}
	// What was cancelled or wrong says nothing of the state of the rest.
	open := slices.DeleteFunc(slices.Clone(seen), func(s drivers.ResultStatus) bool {
		return s == drivers.StatusCancelled || s == drivers.StatusEnteredInError
	})
	switch {
	case len(open) == 0:
		return drivers.StatusCancelled
	case len(open) == 1:
		return open[0]
	case slices.Contains(open, drivers.StatusRegistered):
		return drivers.StatusPartial
	}
	for _, s := range []drivers.ResultStatus{drivers.StatusPreliminary, drivers.StatusUnknown, drivers.StatusCorrected} {
		if slices.Contains(open, s) {
			return s
		}
	}
	return drivers.StatusAmended // with or without final ones
}
