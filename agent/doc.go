// Package agent is labcourier as a whole: it wires the packages together, runs
// them in the right order, and tells how they do.
//
//	analyzer                        labcourier                                    FHIR server
//	   |   bytes    +------+  frames  +--------+  Message   +--------+
//	   |----------->| port |--------->| driver |----------->| intake |  Put = fsync
//	   |<-----------|      |<---------|        |<-----------|        |----------+
//	   |    ACK     +------+          +--------+  nil / err +--------+          v
//	   |                                                                  +---------+
//	   |                                                                  |  spool  |  bbolt, one lane per analyzer
//	   |                                                                  +---------+
//	   |                                                                        | oldest first
//	   |                                                                        v
//	   |                                              Report   +------+  Plan  +---------+   HTTPS   +--------+
//	   |                       Kind.Parse(raw) --------------->| fhir |------>| deliver |<--------->| server |
//	   |                                                       +------+        +---------+   auth    +--------+
//	   |                                                                            | Done / Park
//
// An analyzer that exports files has a folder instead of a port, and a driver that
// cuts files by the kind's Split; a file moves to done only when all of it is
// stored.
//
// One direction. Nothing downstream of the spool can hold up anything upstream
// of it: the agent starts, listens and acknowledges with no network at all.
//
// # Order
//
// [Agent.Run] starts what takes before what gives: status, authorisation and
// delivery, then the drivers. It stops them the other way round, and closes the
// spool last, so that no message can arrive at a store that is gone.
//
// # Reload
//
// The spool, the history and the status endpoint last as long as the agent. The
// sources, the way upstream (reader, sign-in and lanes of both servers) and the
// alerts are parts, each made of what the configuration says of it. [Agent.Reload]
// reads the file anew, makes the parts of what is different, and exchanges them:
// first all are made, then the old ones end, then the new ones begin, so that two
// never have one port or one lane. A start is the exchange of nothing for all. A
// delivery in flight is given its time, or is made again by the successor under the
// same identifiers. What cannot change while running, such as the data directory,
// waits for the next start; the status says so.
//
// # Results that were sent before
//
// A result has two identifiers: its own, which makes it one however often it is
// sent, and that of its series: analyzer, specimen, test and sub-id. A
// correction finds the earlier result by the series and updates it, a result
// that is marked as sent before is not made twice, and nothing replaces what a
// newer message wrote: see agent/fhir and agent/deliver. QC and calibration stay
// here unless the analyzer's qc says otherwise; then they are marked, and have
// the analyzer for their subject.
//
// # A second server
//
// The analyzers with shadow = true are delivered to a second server as well, by a
// Deliverer with an authorizer and HTTP clients of its own. It reads the spool
// beside the first and keeps its place in a file, so that nothing of it can hold
// up, park or count a message. What it refuses it passes over, and says so in
// the status; what a person does to a message later does not reach it.
//
// # Seen from the server
//
// With heartbeat in [server] the agent's own Device is written there now and then:
// that it runs, and counts. It comes after every result ([deliver.Deliverer.Renew]),
// and for the last time when the drivers have stopped.
//
// # Packages
//
//	config    the TOML file, every fault at once
//	auth      token source, renewal, fallback to basic
//	clientkey the private key of private_key_jwt
//	secretfile, dpapi  files that hold a secret, refused if others can read them
//	outbound  the HTTP client: TLS, certificates that are renewed, proxy
//	codes     LOINC and UCUM for what analyzers send: LIVD catalogues, codes.toml
//	fhir      Report -> FHIR R4
//	deliver   lanes, outcomes, retry, pacing, the HTTP client
//	admin     looking into the spool and steering it, for the command line
//	browse    the message browser of the local page
//	status    the local endpoint, the page, its client
//	history   the last day, and each analyzer's habit
//	metrics   the same numbers for a monitoring system
//	doctor    a look at all that the agent stands on, for the command line
//	validate  what was sent beside what the server holds, for the command line
//	alert     what is wrong, by webhook and e-mail, where nothing else watches
//	sandbox   an in-memory FHIR server for the demo and the tests
//
// None of them knows the agent, and the agent knows no protocol: the kinds of
// drivers and the way to open ports are given to it.
//
// # Dependencies, and why each
//
//	go.etcd.io/bbolt            the spool's store: one file, ACID, in wide use
//	github.com/klauspost/compress/s2  packs what the spool stores, at a GiB/s
//	github.com/tarm/serial      serial lines; in drivers/port only
//	github.com/kardianos/service  runs under the service managers of Windows and Linux
//	github.com/coreos/go-systemd  readiness, watchdog and journal of systemd, without its library
//	golang.org/x/oauth2         the token request
//	github.com/go-jose/go-jose/v4  keys in every form, and their signatures
//	golang.org/x/net/http/httpproxy  what goes through the proxy; net/http hides its own
//	golang.org/x/term           a secret is typed without being shown
//	github.com/rs/zerolog       structured logs without allocation
//	github.com/pelletier/go-toml/v2  the only TOML parser that places every key
//	github.com/spf13/cobra      subcommands, help and completion as people know them
//	github.com/spf13/pflag      its flags, for the manual pages
//	github.com/VictoriaMetrics/metrics  what the system says of this process, for /metrics
//	gopkg.in/natefinch/lumberjack.v2  a log file that is begun anew by size and age
//	github.com/cenkalti/backoff/v5   exponential pauses with jitter
//	golang.org/x/time           a limit for tries to sign in
//	github.com/creack/pty       pseudo-terminals, for the demo's and the tests' serial line
//	github.com/mattn/go-isatty  whether a person is watching the log
//	golang.org/x/text           character sets
//	golang.org/x/sync           a fair semaphore for requests in flight
//	golang.org/x/sys            file locks, terminals and disk space by platform
//
// In tests only: github.com/chromedp/chromedp (the page in a real browser),
// go.uber.org/goleak, github.com/google/go-cmp,
// github.com/rogpeppe/go-internal (testscript), pgregory.net/rapid,
// github.com/google/jsonschema-go (another hand's word on our schema).
package agent
