// Package status says how the agent does: to a person across the room, to a
// script, and to whatever watches the machine.
//
//	            Source (the agent)
//	                 |  Snapshot, Ready
//	                 v
//	+---------------------------------------+        +--------+
//	| Server, on loopback                   |  JSON  | Client |---> WriteTable
//	|   /  /events   page     /api/status   |------->+--------+     (labcourier status)
//	|   /healthz     /readyz  /metrics      |
//	+---------------------------------------+
//	                 |  both by way of
//	                 v
//	             Sentence: ok, warn or bad; one sentence; what to do
//
// # Promise
//
// The JSON of [Snapshot] keeps its field names and their meaning; fields may be
// added. Every field is always there. A time is RFC 3339 in UTC with whole
// seconds, or null where there is none yet. Lists are never null.
//
// A snapshot holds no patient data and no secret, so reading it needs no login.
// Whoever fills its reasons keeps to that.
//
// The endpoint binds to loopback. It answers only requests
// that name a loopback host and the endpoint's own port, so that a foreign page
// cannot reach it by rebinding its name; it answers no foreign origin and sends
// no CORS header. But for the admin API and the message browser, which look after
// their callers' rights, it changes nothing and reads no request body.
//
// Other computers come another way, if it is set up ([Remote]): over TLS, called by
// a name of the certificate, with a password for everything, limited tries, and
// without the admin API. Certificate and password are read again when they change.
//
// # The page
//
// The page is rendered here, whole, so that it works without scripts and in old
// browsers; there it reloads itself. Where scripts run, a small one asks for
// the same page whenever the agent says that it changed (/events, server-sent
// events; every other second where a browser cannot hear them) and changes only
// what differs, so nothing flickers and an opened detail stays open. There is
// one renderer, in Go, and the script knows nothing of what it shows. All assets
// are in the binary. What is shown is looked after every two seconds, once for all
// open pages and without rendering it: BenchmarkPageMillion/events in cmd/labcourier
// tells what that costs.
//
// It is quiet while all is well, and loud when it is not: the field behind the
// headline turns amber or red, and the headline says what is wrong and what to
// do. Colour never says it alone: shape and words say it too.
//
// # Caveats
//
// An analyzer that is waited for ([LinkListening]) is no fault: many connect
// only to send. The sentence names it and stays calm. Whether its silence is
// longer than usual is not known here.
//
// A tunnel to the endpoint has to keep the port number, because the port is
// part of the check on the Host header.
package status
