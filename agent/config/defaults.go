package config

import (
	"strconv"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// DefaultIdentifierBase begins the identifiers of a file that sets none.
const DefaultIdentifierBase = "urn:labcourier"

func (a *Agent) setDefaults() {
	a.DataDir = DefaultDataDir()
	a.IdentifierBase = DefaultIdentifierBase
	a.StopTimeout = 10 * time.Second
}

func (s *Server) setDefaults() {
	s.Deliver = "fhir"
	s.Timeout = 30 * time.Second
	s.MaxBody = 900 * KiB // Medplum refuses at 1 MB
	s.MaxParallel = 8
	s.CertFor = "all"
	s.Proxy.Address = "environment"
	s.Auth.setDefaults()
}

func (a *Auth) setDefaults() {
	a.Method = "auto"
	a.ClientAuth = "header"
	a.FallbackAfter = 2 * time.Minute
	a.Reprobe = 5 * time.Minute
}

func (o *Orders) setDefaults() { o.Unmatched, o.MaxAge = "send", 30*24*time.Hour }

func (s *Status) setDefaults() { s.Listen = "127.0.0.1:8686" }

func (l *Log) setDefaults() {
	l.Level, l.Format = "info", "auto"
	l.MaxSize, l.MaxAge, l.MaxFiles = 20*MiB, 30*24*time.Hour, 10
}

func (s *Spool) setDefaults() {
	s.ResendWindow = 30 * time.Minute // see doc.go
	s.Retain = 30 * 24 * time.Hour
	s.RetainBytes = 4 * GiB
	s.RetainAudit = 2 * 365 * 24 * time.Hour
	s.Reserve = 512 * MiB
	s.Warn = 2 * GiB
	s.MaxMessage = 16 * MiB
}

func (a *Analyzer) setDefaults() {
	a.Enabled = true
	a.Timezone = "Local"
	a.StatusDefault = drivers.StatusPreliminary
	a.Corrections, a.CorrectionsWithin, a.QC = "update", 24*time.Hour, "keep"
}

func (s *Serial) setDefaults() {
	s.Baud, s.DataBits, s.Parity, s.StopBits, s.FlowControl = 9600, 8, "none", 1, "none"
}

func (t *TCP) setDefaults() {
	t.MaxConnections = 8
	t.DialTimeout = 10 * time.Second
}

func (f *Folder) setDefaults() {
	f.Pattern, f.Done = "*", "done"
	f.Settle = 2 * time.Second
	f.MaxFile = 64 * MiB
}

// StopBits is a number of stop bits.
type StopBits float64

// String is the number as short as it goes: "1", "1.5".
func (s StopBits) String() string { return strconv.FormatFloat(float64(s), 'g', -1, 64) }
