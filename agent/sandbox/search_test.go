package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/agent/sandbox"
)

func TestSearch(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	for i := range 30 {
		body := fmt.Sprintf(`{"resourceType":"Observation","identifier":[{"system":"urn:a","value":"v%d"},{"value":"bare"}],
			"status":%q,"code":{"text":"x"},"specimen":{"reference":"Specimen/s%d"},"device":{"reference":"Device/d"},
			"meta":{"tag":[{"system":"urn:other","code":"x"},{"system":"urn:t","code":"t%d"}]}}`,
			i, []string{"final", "preliminary"}[i%2], i%3, i)
		wantStatus(t, ask(t, s, "POST", fhir("Observation"), body), 201)
	}
	first := s.Resources("Observation")[0].ID
	tests := []struct {
		query          string
		entries, total int // total -1: absent
	}{
		{"", 20, -1},
		{"_count=1000", 30, -1},
		{"_count=0&_total=accurate", 0, 30},
		{"_summary=count", 0, 30},
		{"identifier=urn:a|v7", 1, -1},
		{"identifier=v7", 1, -1},
		{"identifier=|v7", 0, -1},
		{"identifier=|bare&_summary=count", 0, 30},
		{"identifier=urn:b|v7", 0, -1},
		{"identifier=urn:a|&_summary=count", 0, 30},
		{"identifier=urn:a|v7,urn:a|v8,urn:a|nine", 2, -1},
		{"_tag=urn:t|t7", 1, -1},
		{"_tag=urn:t|x", 0, -1},
		{"_tag=t7,t8&_summary=count", 0, 2},
		{"specimen=Specimen/s1&_summary=count", 0, 10},
		{"specimen=s1&_summary=count", 0, 10},
		{"device=Device/d&status=final&_summary=count", 0, 15},
		{"status=final,preliminary&_summary=count", 0, 30},
		{"_id=" + first, 1, -1},
		{"_id=nothing", 0, -1},
		{"_offset=25", 5, -1},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			q := strings.ReplaceAll(tt.query, "|", url.QueryEscape("|"))
			for _, w := range []answer{
				read(t, ask(t, s, "GET", fhir("Observation?"+q), "")),
				read(t, ask(t, s, "POST", fhir("Observation/_search"), q, "Content-Type", formType)),
			} {
				total := -1
				if w.Total != nil {
					total = *w.Total
				}
				if w.Type != "searchset" || len(w.Entry) != tt.entries || total != tt.total {
					t.Errorf("%s with %d entries, total %d; want %d, %d", w.Type, len(w.Entry), total, tt.entries, tt.total)
				}
			}
		})
	}
}

func TestSearchPages(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	for i := range 25 {
		if _, err := s.Add(json.RawMessage(observation(fmt.Sprint("p", i)))); err != nil {
			t.Fatal(err)
		}
	}
	target, seen := "http://example.com"+fhir("Observation?_count=10&_sort=-_lastUpdated"), map[string]bool{}
	pages := 0
	for target != "" {
		a := read(t, ask(t, s, "GET", target, ""))
		for _, e := range a.Entry {
			seen[e.FullURL] = true
		}
		target = ""
		if len(a.Link) > 0 {
			target = a.Link[0].URL
		}
		pages++
	}
	if pages != 3 || len(seen) != 25 {
		t.Errorf("%d on %d pages, want 25 on 3", len(seen), pages)
	}
}

func TestConditionWithReservedCharacters(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	value := "a;b c+d%&e"
	cond := "identifier=" + url.QueryEscape(resultSystem+"|"+value)
	for _, want := range []int{201, 200} {
		wantStatus(t, ask(t, s, "POST", fhir("Observation"), observation(value), "If-None-Exist", cond), want)
	}
	semicolon := "identifier=" + resultSystem + "|x;y"
	for _, want := range []int{201, 200} {
		wantStatus(t, ask(t, s, "POST", fhir("Observation"), observation("x;y"), "If-None-Exist", semicolon), want)
	}
}

func TestUpdate(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	s.Permit("Observation", sandbox.Create, sandbox.Read, sandbox.Search, sandbox.Update)
	byID := fhir("Observation?identifier=" + url.QueryEscape(resultSystem+"|a"))
	wantStatus(t, ask(t, s, "PUT", byID, observation("a")), 201)
	old := ask(t, s, "GET", fhir("Observation/"+s.Resources("Observation")[0].ID), "")
	edited := strings.Replace(observation("a"), "5.40", "5.50", 1)
	wantStatus(t, ask(t, s, "PUT", byID, edited, "If-Match", old.Header().Get("Etag")), 200)
	wantStatus(t, ask(t, s, "PUT", byID, edited, "If-Match", old.Header().Get("Etag")), 412)
	all := s.Resources("Observation")
	if len(all) != 1 || !strings.Contains(string(all[0].Raw), "5.50") {
		t.Errorf("stored %v", all)
	}
	moved := observation("b")
	wantStatus(t, ask(t, s, "PUT", fhir("Observation/"+all[0].ID), moved), 200)
	if len(s.ByIdentifier(resultSystem, "a")) != 0 || len(s.ByIdentifier(resultSystem, "b")) != 1 {
		t.Error("the index did not follow the identifier")
	}
	wantStatus(t, ask(t, s, "PUT", fhir("Observation/none"), moved), 404)
	wantStatus(t, ask(t, s, "PUT", fhir("Observation/none?identifier=z"), moved), 404)
	wantStatus(t, ask(t, s, "PUT", fhir("Observation/"+all[0].ID), `{"id":"x",`+moved[1:]), 400)
	if c := s.Counts(); c.Created != 1 || c.Updated != 2 {
		t.Errorf("counts %+v", c)
	}
}
