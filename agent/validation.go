package agent

import (
	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/spool"
)

// Reader returns what reads a stored message as the agent of a configuration does:
// by the analyzer's own driver, with the specimen ids that a person gave. It maps
// nothing.
func Reader(cfg *config.Config, kinds []drivers.Kind) func(spool.Record) ([]drivers.Report, error) {
	r := newReader(kinds, cfg.Analyzers, nil)
	return func(rec spool.Record) ([]drivers.Report, error) {
		in, _, err := r.input(rec)
		return in.Reports, err
	}
}
