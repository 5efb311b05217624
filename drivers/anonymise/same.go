package anonymise

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/labcourier/labcourier/drivers"
)

// Same returns nil if two readings of a message hold the same results, whoever they
// are of. It is the proof that a capture still says what it said.
func Same(before, after []drivers.Report) error {
	if len(before) != len(after) {
		return fmt.Errorf("%d reports before, %d after", len(before), len(after))
	}
	for i := range before {
		a, b := before[i], after[i]
		if a.Purpose != b.Purpose || len(a.Results) != len(b.Results) || (a.Specimen.ID == "") != (b.Specimen.ID == "") || (a.Hold == "") != (b.Hold == "") {
			return fmt.Errorf("report %d: %s with %d results before, %s with %d after", i+1, a.Purpose, len(a.Results), b.Purpose, len(b.Results))
		}
		for j := range a.Results {
			if !reflect.DeepEqual(impersonal(a.Results[j]), impersonal(b.Results[j])) {
				return fmt.Errorf("result %d of report %d differs", j+1, i+1)
			}
		}
	}
	return nil
}

// impersonal is a result without what may name somebody.
func impersonal(r drivers.Result) drivers.Result {
	r.Operator, r.Verifier, r.Notes = "", "", nil
	if remark.MatchString(r.Test.Code + r.Test.Text) {
		r.Value = drivers.Value{}
	}
	return r
}

// Identifying are the values of reports that name somebody, each once.
func Identifying(reports []drivers.Report) (values []string) {
	add := func(all ...string) {
		for _, v := range all {
			if v != "" && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
	}
	for _, r := range reports {
		add(r.Specimen.ID, r.Patient.PracticeID, r.Patient.LaboratoryID, r.Patient.OtherID, r.Patient.Name)
		for _, res := range r.Results {
			add(res.Operator, res.Verifier)
		}
	}
	return values
}
