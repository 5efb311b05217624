// Package history remembers the last day for the page, and each analyzer's habit
// of the last two weeks, so that a silence can be told from a pause.
//
//	minute by minute: messages, level ---> Book ---> Day      bars and a strip for the page
//	                                         \-----> Silence  longer than the analyzer's own habit?
//
// It counts; it holds no content and no identifier. It lives in memory: a day is
// 144 slots of ten minutes, a fortnight 336 hours. At the start the agent fills it
// from the times at which stored messages were received, as far back as retention
// reaches, so that a restart does not forget the habit. Levels of before the start
// are not known, and shown as such.
//
// # Silence
//
// A laboratory closes at night and at weekends, and an analyzer for one rare test
// may speak once a week. So there is no limit to configure: an analyzer is unusually
// silent when it has sent nothing for half as long again as its longest pause of the
// fortnight, and at least for two hours. An analyzer that is known for less than two
// days has no habit yet, and is never called silent.
package history
