package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/config"
)

func TestLogFile(t *testing.T) {
	var near bytes.Buffer
	file := filepath.Join(t.TempDir(), "log", "l.log")
	log, end := host{log: &near}.openLog(config.Log{Level: "debug", File: file, MaxSize: config.MiB, MaxFiles: 2, MaxAge: time.Hour})
	log.Debug().Msg("one")
	filler := strings.Repeat("x", 10_000)
	for range 450 { // over four times MaxSize
		log.Info().Msg(filler)
	}
	log.Warn().Msg("last")
	end()
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"last"`) || len(text) > 1<<20 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if !strings.Contains(near.String(), `"one"`) || !strings.Contains(near.String(), `"last"`) {
		t.Error("the other log lacks lines")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 != 0 && filepath.Separator == '/' {
		t.Errorf("others can read the log: %v", info.Mode())
	}
	// Old files are removed by another goroutine.
	until(t, "there are not the log and two old ones", func() bool {
		all, err := os.ReadDir(filepath.Dir(file))
		return err == nil && len(all) == 3
	})
}

// A service of Windows has its warnings in the event log, and the rest in the file.
func TestSparingLog(t *testing.T) {
	var near bytes.Buffer
	file := filepath.Join(t.TempDir(), "l.log")
	log, end := host{log: &near, sparing: true}.openLog(config.Log{File: file, MaxSize: config.MiB})
	log.Info().Msg("routine")
	log.Warn().Msg("trouble")
	end()
	text, _ := os.ReadFile(file)
	if strings.Contains(near.String(), "routine") || !strings.Contains(near.String(), "trouble") || strings.Count(string(text), "\n") != 2 {
		t.Errorf("near: %s\nfile: %s", near.String(), text)
	}
}

func TestLogFileThatCannotBe(t *testing.T) {
	var near bytes.Buffer
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log, end := host{log: &near}.openLog(config.Log{File: filepath.Join(dir, "f", "l.log"), MaxSize: config.MiB})
	defer end()
	log.Info().Msg("on it goes")
	if !strings.Contains(near.String(), "cannot be written") || !strings.Contains(near.String(), "on it goes") {
		t.Error(near.String())
	}
}

func TestJournalPriorities(t *testing.T) {
	var b bytes.Buffer
	log := zerolog.New(journalWriter{&b})
	log.Debug().Msg("d")
	log.Info().Msg("i")
	log.Warn().Msg("w")
	log.Error().Msg("e")
	var got string
	for line := range strings.Lines(b.String()) {
		got += line[:3]
		if !json.Valid([]byte(line[3:])) {
			t.Errorf("%q", line)
		}
	}
	if got != "<7><6><4><3>" {
		t.Error(got)
	}
}
