package main

import (
	"io"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/labcourier/labcourier/agent/config"
)

// newLog makes the log: lines for people when somebody watches, JSON otherwise.
func newLog(w io.Writer, c config.Log) zerolog.Logger { return leveled(presented(w, c), c) }

func presented(w io.Writer, c config.Log) io.Writer {
	if c.Format == "console" || c.Format != "json" && isTerminal(w) {
		return zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)}
	}
	return w
}

func leveled(w io.Writer, c config.Log) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil || c.Level == "" {
		level = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// openLog makes the log of a service: where the host wants it, and in a file if
// the configuration names one. A file that cannot be written is said in the other
// log and keeps nothing from running. The function closes the file.
func (h host) openLog(c config.Log) (log zerolog.Logger, end func()) {
	near := presented(h.log, c)
	if inJournal(h.log) && near == h.log { // not written for people
		near = journalWriter{near}
	}
	if c.File == "" {
		return leveled(near, c), func() {}
	}
	file := &lumberjack.Logger{
		Filename: c.File, MaxSize: int(c.MaxSize / config.MiB), MaxBackups: c.MaxFiles,
		MaxAge: int((c.MaxAge + 24*time.Hour - 1) / (24 * time.Hour)),
	}
	if _, err := file.Write(nil); err != nil { // opens it
		log = leveled(near, c)
		log.Error().Err(err).Str("file", c.File).Msg("the log file cannot be written; check [log] file and who may write there")
		return log, func() {}
	}
	if h.sparing {
		near = &zerolog.FilteredLevelWriter{Writer: zerolog.MultiLevelWriter(near), Level: zerolog.WarnLevel}
	}
	return leveled(zerolog.MultiLevelWriter(near, file), c), func() { _ = file.Close() }
}

// inJournal reports whether w is this program's standard error and leads to
// systemd's journal.
func inJournal(w io.Writer) bool {
	if w != io.Writer(os.Stderr) {
		return false
	}
	is, err := journal.StderrIsJournalStream()
	return err == nil && is
}

// journalWriter begins each line with its priority, as sd-daemon(3) says, so that
// `journalctl -p warning` finds it.
type journalWriter struct{ to io.Writer }

var _ zerolog.LevelWriter = journalWriter{}

// Write takes a line whose level nobody told.
func (w journalWriter) Write(line []byte) (int, error) { return w.WriteLevel(zerolog.InfoLevel, line) }

// WriteLevel writes a line with its priority.
func (w journalWriter) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	priority := journal.PriInfo
	switch {
	case level >= zerolog.ErrorLevel:
		priority = journal.PriErr
	case level == zerolog.WarnLevel:
		priority = journal.PriWarning
	case level < zerolog.InfoLevel:
		priority = journal.PriDebug
	}
	if _, err := w.to.Write(append([]byte{'<', '0' + byte(priority), '>'}, line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// isTerminal reports whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}
