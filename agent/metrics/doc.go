// Package metrics tells a monitoring system what the status page tells a
// person, in the Prometheus and OpenMetrics text formats.
//
//	status.Source --- Snapshot ---> families ---> /metrics
//
// Nothing is counted here: each scrape takes one snapshot, so that the numbers
// of a scrape belong together and agree with the page. Labels are the names of
// analyzers and their drivers, from the configuration; there is no patient data
// and no secret, and the number of series is bounded by the configuration.
//
// Names follow the conventions of Prometheus: base units (seconds, bytes),
// _total for what only grows, _timestamp_seconds for points in time, 0 for one
// that has not come yet. A counter that counts since the agent started begins
// again at 0 with it, as counters may.
//
// The texts are written here: the client library of Prometheus goes through protocol
// buffers, which are 2.2 MB of program; with them the one for Windows has 21.4 MB, and
// its limit is 20 MiB (20.97 MB). Its parser and its linter judge the result in the
// tests.
//
// The alert rules and the dashboard in configs/ are written against these names,
// and a test holds them together.
package metrics
