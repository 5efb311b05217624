package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

const module = "github.com/labcourier/labcourier"

// test is a test by the folder of its package and its name.
type test struct{ dir, name string }

// exemption is one line of the list of tests that may be skipped.
type exemption struct {
	dir, name string // patterns of path.Match
	why       string
}

func (x exemption) covers(t test) bool {
	dir, err1 := path.Match(x.dir, t.dir)
	name, err2 := path.Match(x.name, t.name)
	return dir && name && err1 == nil && err2 == nil
}

// skips fails if a test was skipped in some log, passed in none, and has no
// exemption in the file allowed.
func skips(allowed string, logs []string, out io.Writer) error {
	list, err := readExemptions(allowed)
	if err != nil {
		return err
	}
	passed, skipped := map[test]bool{}, map[test]string{}
	for _, log := range logs {
		if err := readLog(log, passed, skipped); err != nil {
			return err
		}
	}
	if len(passed) == 0 {
		return fmt.Errorf("%s: no test passed in these logs, so they say nothing about skips", strings.Join(logs, ", "))
	}
	unexplained := 0
	for _, t := range slices.SortedFunc(maps.Keys(skipped), byName) {
		if passed[t] {
			continue
		}
		if at := slices.IndexFunc(list, func(x exemption) bool { return x.covers(t) }); at >= 0 {
			fmt.Fprintf(out, "%s %s: skipped, which is allowed: %s\n", t.dir, t.name, list[at].why)
			continue
		}
		unexplained++
		fmt.Fprintf(out, "%s %s: SKIPPED\n%s", t.dir, t.name, skipped[t])
	}
	if unexplained > 0 {
		return fmt.Errorf("%d tests were skipped and ran in no stage: install what they want in .ci/run, or say in %s why they cannot run", unexplained, allowed)
	}
	fmt.Fprintf(out, "%d tests passed; none was skipped without a reason\n", len(passed))
	return nil
}

func byName(a, b test) int {
	return strings.Compare(a.dir+" "+a.name, b.dir+" "+b.name)
}

// readLog notes the tests that passed, and the words of those that were skipped.
func readLog(name string, passed map[test]bool, skipped map[test]string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	said := map[test]string{}
	return events(f, func(e event) {
		t := test{strings.TrimPrefix(strings.TrimPrefix(e.Package, module), "/"), e.Test}
		switch {
		case e.Test == "":
		case e.Action == "output":
			said[t] += e.Output
		case e.Action == "skip":
			skipped[t] = said[t]
			delete(said, t)
		case e.Action == "pass":
			passed[t] = true
			delete(said, t)
		}
	}, func(string) {})
}

// readExemptions reads lines of a pattern for the package's folder, a pattern
// for the test, and the reason.
func readExemptions(name string) (list []exemption, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 3 {
			return nil, fmt.Errorf("%s:%d: a package, a test and a reason, please", name, n)
		}
		x := exemption{words[0], words[1], strings.Join(words[2:], " ")}
		for _, pattern := range []string{x.dir, x.name} {
			if _, err := path.Match(pattern, ""); err != nil {
				return nil, fmt.Errorf("%s:%d: %s: %w", name, n, pattern, err)
			}
		}
		list = append(list, x)
	}
	return list, lines.Err()
}
