package agent

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// parseGiven reads a message, and again with the specimen ids that a person
// gave to it. Such an id counts only for an order that has none of its own that
// can be used. One that was given without naming the order counts only if there
// is just one such order: two tubes must not become one. Unclear says so.
func parseGiven(parse drivers.ParseFunc, rec spool.Record, o drivers.ParseOptions) (reports []drivers.Report, unclear string, err error) {
	reports, err = parse(rec.Payload, o)
	given, anywhere := specimensGiven(rec.Given)
	if err != nil || len(given) == 0 && anywhere == "" {
		return reports, "", err
	}
	if anywhere != "" {
		o.Specimens = map[int]string{}
		for _, r := range reports {
			o.Specimens[r.Index] = anywhere
		}
		with, err := parse(rec.Payload, o)
		if err != nil {
			return nil, "", err
		}
		if without := changed(reports, with); len(without) == 1 {
			given[without[0]] = anywhere
		} else {
			unclear = fmt.Sprintf("a specimen id was given, and %d orders are without one: say which with --order", len(without))
		}
	}
	o.Specimens = given
	with, err := parse(rec.Payload, o)
	if err != nil {
		return nil, "", err
	}
	for _, index := range changed(reports, with) {
		for i := range with {
			if with[i].Index == index {
				with[i].Notes = append(slices.Clone(with[i].Notes), drivers.Note{
					Source: "labcourier", Text: "The specimen id was entered by a person; the analyzer's message has none that can be used.",
				})
			}
		}
	}
	return with, unclear, nil
}

// changed are the indices of the reports whose specimen ids differ.
func changed(a, b []drivers.Report) (indices []int) {
	ids := map[int]string{}
	for _, r := range a {
		ids[r.Index] = r.Specimen.ID
	}
	for _, r := range b {
		if id, ok := ids[r.Index]; ok && id != r.Specimen.ID {
			indices = append(indices, r.Index)
		}
	}
	return indices
}

// specimensGiven reads the words that admin.GiveSpecimen writes.
func specimensGiven(words map[string]string) (byIndex map[int]string, anywhere string) {
	byIndex = map[int]string{}
	for _, word := range slices.Sorted(maps.Keys(words)) {
		rest, ok := strings.CutPrefix(word, admin.GivenSpecimen)
		if !ok {
			continue
		}
		if rest == "" {
			anywhere = words[word]
		} else if n, err := strconv.Atoi(rest[1:]); err == nil && n > 0 {
			byIndex[n-1] = words[word]
		}
	}
	return byIndex, anywhere
}
