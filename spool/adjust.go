package spool

// Adjust changes how an open spool behaves: the resend windows, the largest
// payload, retention, reserve and warning. What comes from now on is judged by
// them, and retention by the next chore. Keys and the clock stay as they were.
func (s *Spool) Adjust(o Options) {
	o = o.withDefaults()
	o.Keys, o.Now, o.hooks = s.opt.Keys, s.opt.Now, s.opt.hooks
	s.limits.Store(&o)
	s.space.adjust(o.Reserve, o.Warn)
}

// set are the options in force, of those that Adjust changes.
func (s *Spool) set() *Options { return s.limits.Load() }
