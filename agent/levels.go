package agent

import (
	"strings"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/config"
)

// levels are how much each part of the agent writes to the log. A logger asks
// with each line, so that it can change while the parts go on.
type levels struct{ now atomic.Pointer[logLevels] }

// logLevels is the level of the parts that have one of their own, and of the
// others.
type logLevels struct {
	others zerolog.Level
	of     map[string]zerolog.Level
}

// set takes the levels of the parts from l.
func (v *levels) set(others zerolog.Level, l config.Log) {
	next := logLevels{others, map[string]zerolog.Level{}}
	for part, name := range l.Levels {
		if level, err := zerolog.ParseLevel(name); err == nil && level != zerolog.NoLevel {
			next.of[part] = level
		}
	}
	v.now.Store(&next)
}

// reload is set with what a new configuration says. While its level is that of
// the old one, the others keep the level that they were begun with.
func (v *levels) reload(old, l config.Log) {
	others := v.now.Load().others
	if l.Level != old.Level {
		if level, err := zerolog.ParseLevel(l.Level); err == nil {
			others = level
		}
	}
	v.set(others, l)
}

// gate lets those lines of a part through that are to be written. As a sampler it
// is asked before a line is made.
type gate struct {
	levels *levels
	part   string
}

var _ zerolog.Sampler = gate{}

// Sample reports whether a line of that level is written.
func (g gate) Sample(level zerolog.Level) bool {
	now := g.levels.now.Load()
	if own, has := now.of[g.part]; has {
		return level >= own
	}
	return level >= now.others
}

// openLog makes the agent's log of the one that it was given.
func (a *Agent) openLog() {
	a.levels = &levels{}
	a.levels.set(a.o.Log.GetLevel(), a.o.Config.Log)
	a.log = a.o.Log.Level(zerolog.TraceLevel).Sample(gate{levels: a.levels})
}

// component is the log of a part of the agent, with a level of its own if the
// configuration gives it one.
func (a *Agent) component(name string) zerolog.Logger {
	_, part, ok := strings.Cut(name, " ") // that of the second server
	if !ok {
		part = name
	}
	return a.log.With().Str("component", name).Logger().Sample(gate{a.levels, part})
}
