package config

// Adopt makes c fit to take the place of running in an agent that goes on: what
// cannot change meanwhile stays as it runs, and is named.
func (c *Config) Adopt(running *Config) (later []string) {
	later = append(Differences("agent", running.Agent, c.Agent), Differences("status", running.Status, c.Status)...)
	c.Agent, c.Status = running.Agent, running.Status
	c.folders() // whose journals are in the data directory

	log := running.Log
	log.Level, log.Levels = c.Log.Level, c.Log.Levels
	later = append(later, Differences("log", log, c.Log)...)
	c.Log = log

	spool := c.Spool
	spool.Key, spool.OldKeys = running.Spool.Key, running.Spool.OldKeys
	if !Same(spool, c.Spool) {
		later = append(later, "[spool] key")
	}
	c.Spool = spool
	return later
}
