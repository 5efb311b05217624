package main

import (
	"fmt"
	"io"
	"strings"
)

// screen holds back what a test says until the test has failed.
type screen struct {
	out   io.Writer
	order map[string][]string          // package to tests, in the order of their first words
	said  map[string]map[string]string // package to test to words
}

// show prints a line for each package, and all that a failed test said. Whether
// something failed is go test's exit status, not this one's.
func show(in io.Reader, out io.Writer) error {
	s := &screen{out: out, order: map[string][]string{}, said: map[string]map[string]string{}}
	return events(in, s.event, func(line string) { fmt.Fprint(out, line) })
}

func (s *screen) event(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "output":
		s.keep(e)
	case "pass", "skip", "fail":
		s.end(e)
	}
}

func (s *screen) keep(e event) {
	tests := s.said[e.Package]
	if tests == nil {
		tests = map[string]string{}
		s.said[e.Package] = tests
	}
	if _, known := tests[e.Test]; !known {
		s.order[e.Package] = append(s.order[e.Package], e.Test)
	}
	tests[e.Test] += e.Output
}

// end forgets what a test said that went well. With its package it shows the
// rest: tests that failed, and tests that a panic or the time limit cut off.
func (s *screen) end(e event) {
	if e.Test != "" {
		if e.Action != "fail" {
			delete(s.said[e.Package], e.Test)
		}
		return
	}
	for _, test := range s.order[e.Package] {
		words := s.said[e.Package][test]
		if e.Action != "fail" {
			words = verdict(words)
		}
		fmt.Fprint(s.out, words)
	}
	delete(s.said, e.Package)
	delete(s.order, e.Package)
}

// verdict picks go test's own line about a package out of what it printed, and
// the results of benchmarks.
func verdict(words string) string {
	var kept strings.Builder
	for line := range strings.Lines(words) {
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "? ") || strings.Contains(line, "ns/op") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
