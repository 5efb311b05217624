// Package deliver takes messages from the spool to the FHIR server.
//
// # The promise
//
// Every message of a lane ends in one of two ways, in the lane's order: the
// server has all of its resources, each once; or it is parked with the reason,
// in the server's own words where there are some. A fault that may pass is
// waited out, for ever, by the lane that met it; the other lanes go on.
//
//	        Next                Map            one bundle at a time
//	+-------+    +------+ Record   +------+ Plan   +------------------+   HTTPS
//	| Queue |--->| lane |--------->| fhir |------->| steps, in order  |<-------> server
//	+-------+    +------+          +------+        +------------------+
//	    ^            |                              breaker  is anybody there?
//	    +------------+                              pacer    may we?
//	      Done, Park                                gate     is it our turn?
//	                                                auth     as whom?
//
// A step is a batch of conditional creates. The status of each entry is read;
// those that failed are sent again without the others. A step begins when all
// before it are in, so that no report ever points at nothing. After an answer
// that did not come, or not whole, the same bundle is sent again: the
// identifiers make it one.
//
// # Results that were sent before
//
// All results of one test on one specimen share an identifier, their series
// ([fhir.Prior]). By it the earlier ones are found:
//
//	the message says              what is done
//	this corrects (C, A, D, W)    GET the series; PUT the one that is meant, with
//	                              If-Match; none is meant: create
//	this is its state (P, F ..)   GET the series of all results at once; PUT the
//	                              one that was less final; else create
//	this was sent before (R)      GET the series; the same time and value: it is
//	                              there already; else create
//
// Which one is meant is [fhir.Entry.Choose]'s to say: that of the same time of
// analysis, else the newest that is no newer than the correction. What a newer
// message wrote is never replaced; such a message is parked as superseded. The
// new version carries the identifiers of both messages, so that an attempt
// whose answer was lost finds itself. The history is the server's.
//
// A final result says nothing of a preliminary one before it, which is taken for
// the same only if the time of analysis or that of collection is equal, or if
// there is no time that differs and it is not older than corrections_within.
// Then its report follows: the one that has the result already. It becomes final
// with the last of its results, for which the others are looked at.
//
// # Orders
//
// With Options.Orders each specimen id is looked for among the server's
// ServiceRequests before anything is sent. What is found becomes subject and
// basedOn, and is believed for five minutes; what is not found is looked for
// again. Orders of two patients with one id hold what is of that specimen.
//
// # Bots
//
// A lane in Options.Bots sends each message as it came to a program on the
// server. It is read here all the same, to keep what is no patient's result and
// to hold what a person must release; since a bot gets all or nothing, a message
// that mixes these is held as a whole.
//
// A bot is run at least once: after an answer that was lost it is run again.
// The header Idempotency-Key, the message's key in quotes, is the same each
// time, for a bot that must not do a thing twice. Servers answer 400 for any
// failure of a bot, a crash and bad data alike: the message is parked, and
// retried by a person.
//
// # Outcomes
//
//	2xx                        in
//	no answer, a cut one, 408, wait and repeat: 1 s to 60 s with jitter, or as
//	409, 425, 429, 5xx         Retry-After, RateLimit and _msBeforeNext say
//	401                        reject the credential, repeat once, then wait
//	403                        wait, loudly
//	413, 400 "too large"       halves; a single entry: park
//	412                        park: several resources have the identifier;
//	                           of an update: look again, somebody was quicker
//	other 4xx                  park
//
// It is the same for a whole answer and for an entry inside a 200, with one
// exception. Where the whole answer is a 404, 405, 407, 410 or a redirect, or
// is not FHIR at all, the base address does not lead to a FHIR server. That is
// never one message's fault, so the lane waits loudly; parking would empty the
// spool into the hands of a person for a slip of a proxy. A 415 to a compressed
// body turns compression off.
//
// When an entry is refused for good while a remembered Device id was used, the
// id is forgotten and the message tried once more from its first step: the
// server may have lost the Device.
//
// # A server that is away
//
// When the server cannot be connected to, or three requests in a row went
// without a usable answer, the breaker opens. Then one lane at a time tries
// with its own next bundle, first come first served, one to five seconds after
// the last try, and the first answer lets all of them go on. A message that kills
// the server cannot keep the other lanes waiting: their answers close the
// breaker again.
//
// # Beside the lanes
//
// [Deliverer.Renew] writes what is no result: the agent's own state. It asks only
// while the server answers and its limit is far, takes a place only where one is
// free, and tells breaker and pacer nothing, so that no lane ever learns of it.
//
// # The server's words
//
// A parked message keeps what the server said: of each issue the code, the
// expression, and its text without anything that may be of the message. From
// the text is removed what stands in quotes, every word with a digit in it, and
// every word that occurs in a value that was sent, in parts, too. That removes
// more than it must, on purpose.
//
// # Caveats
//
// The mapper must be pure and quick. If it panics the message is parked: one
// message must not stop all lanes, over and over again.
//
// Exactly once rests on the server's conditional create. Racing creates of one
// identifier can make two on some servers; this package never has two requests
// of one lane in flight, but after a timeout the first may still be at work
// over there.
//
// A message is one plan; two plans with the same identifiers in different lanes
// are the caller's mistake.
package deliver
