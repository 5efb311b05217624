package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSkips(t *testing.T) {
	const (
		pass   = `{"Action":"pass","Package":"github.com/labcourier/labcourier/spool","Test":"TestA"}`
		crash  = `{"Action":"pass","Package":"github.com/labcourier/labcourier/spool","Test":"TestCrash"}`
		why    = `{"Action":"output","Package":"github.com/labcourier/labcourier/spool","Test":"TestCrash","Output":"no strace\n"}`
		skip   = `{"Action":"skip","Package":"github.com/labcourier/labcourier/spool","Test":"TestCrash"}`
		noTest = `{"Action":"skip","Package":"github.com/labcourier/labcourier/configs"}`
		seed   = `{"Action":"skip","Package":"github.com/labcourier/labcourier/drivers/astm","Test":"FuzzFrame/seed#1"}`
	)
	lines := func(l ...string) string { return strings.Join(l, "\n") + "\n" }
	for _, c := range []struct {
		name    string
		allowed string
		logs    []string
		want    string // part of the error; empty: none
		shown   string
	}{
		{"none", "", []string{lines(pass)}, "", "1 tests passed"},
		{"a package without tests", "", []string{lines(pass, noTest)}, "", "1 tests passed"},
		{"one", "", []string{lines(pass, why, skip)}, "1 tests were skipped", "spool TestCrash: SKIPPED\nno strace\n"},
		{"ran in an earlier stage", "", []string{lines(crash), lines(skip)}, "", "1 tests passed"},
		{"ran in a later stage", "", []string{lines(skip), lines(crash)}, "", "1 tests passed"},
		{"allowed", "# why\nspool TestCr* no loop devices\n", []string{lines(pass, skip)}, "", "allowed: no loop devices"},
		{"allowed in another package", "agent TestCr* no loop devices\n", []string{lines(pass, skip)}, "1 tests were skipped", ""},
		{"a seed", "*/* Fuzz*/* domain\n", []string{lines(pass, seed)}, "", "allowed: domain"},
		{"no reason", "spool TestCrash\n", []string{lines(pass)}, ":1: a package", ""},
		{"bad pattern", "spool Test[ why\n", []string{lines(pass)}, "syntax error", ""},
		{"nothing ran", "", []string{lines(noTest)}, "no test passed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"skips", write(t, dir, "allowed", c.allowed)}
			for i, log := range c.logs {
				args = append(args, write(t, dir, string(rune('a'+i)), log))
			}
			var out strings.Builder
			err := run(args, nil, &out)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if !strings.Contains(out.String(), c.shown) {
				t.Errorf("shows %q, want %q", out.String(), c.shown)
			}
		})
	}
}

func TestShow(t *testing.T) {
	in := strings.Join([]string{
		`{"Action":"output","Package":"p","Test":"TestGood","Output":"chatter\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestGood"}`,
		`{"Action":"output","Package":"p","Output":"PASS\n"}`,
		`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
		`{"Action":"pass","Package":"p"}`,
		`{"Action":"output","Package":"q","Test":"TestGood","Output":"chatter\n"}`,
		`{"Action":"pass","Package":"q","Test":"TestGood"}`,
		`{"Action":"output","Package":"q","Test":"TestBad","Output":"two is not three\n"}`,
		`{"Action":"fail","Package":"q","Test":"TestBad"}`,
		`{"Action":"output","Package":"q","Test":"TestCutOff","Output":"panic: out of time\n"}`,
		`{"Action":"output","Package":"q","Output":"FAIL\tq\t0.1s\n"}`,
		`{"Action":"fail","Package":"q"}`,
		`{"ImportPath":"r","Action":"build-output","Output":"r.go:1:1: undefined: x\n"}`,
		`not JSON`,
	}, "\n")
	const want = "ok  \tp\t0.1s\n" +
		"two is not three\npanic: out of time\nFAIL\tq\t0.1s\n" +
		"r.go:1:1: undefined: x\nnot JSON"
	var out strings.Builder
	if err := run([]string{"show"}, strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("shows\n%s\nwant\n%s", out.String(), want)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
