// Package alert tells people that something is wrong, by e-mail or webhook, at
// sites where nothing watches /metrics.
//
//	Snapshot --> problems --> book, one per way --> Notice --> webhook
//	 every 15 s              (both are pure)               \-> e-mail
//
// # What is told, and how often
//
// A problem is told once when it has lasted for its time, and once more when it
// has been over for Hold. What comes and goes faster, as a loose cable does, is
// neither. Everything that is new or over leaves in one notice, and the next one
// not before Digest has passed: fifty problems at once are one e-mail. What began
// and ended while its way failed is told as past. Parked messages are told again
// when their number has doubled.
//
// A book notes a notice as told only once it was taken. While a way fails, each
// try tells how things are then, so that nothing piles up behind a mail server
// that is away for a night. An answer that is lost makes a notice come twice, with
// the same id.
//
// A reload that changes how people are told keeps the book of each receiver: what he
// was told is not told again, its end is. Somebody new is told what is wrong then.
// What is no problem any more by other limits, or is muted, goes without a word.
//
// Nothing is kept on disk. For a minute after its start the agent tells nothing;
// then it tells what is wrong, once, even if that was told before the restart,
// since nobody may have been told what the new start brought. The end of a problem
// that was told before a restart is not told.
//
// # What is not in it
//
// No patient data and no words of others: a notice holds the names of the agent
// and its analyzers, numbers, times, and sentences of this package. Why a server
// refused stands on the status page and in the log.
//
// # The webhook's request
//
// POST with Content-Type application/json and the body of [Notice]:
//
//	{"id": "9f86…", "version": 1, "time": "2026-11-22T09:00:00Z",
//	 "agent": "core-lab-1", "agent_version": "0.1.0", "test": false,
//	 "level": "warn", "text": "xn-550 is not connected", "open": 1,
//	 "events": [{"event": "new", "kind": "link", "analyzer": "xn-550", "level": "warn",
//	   "text": "xn-550 is not connected", "todo": "Check …", "since": "2026-11-22T08:48:00Z", "count": 0}]}
//
// event is "new", "over" or "past"; kind is one of [Kinds]; count is of messages,
// for the kinds that count; open is how many problems last. With a token there is
// "Authorization: Bearer TOKEN". With a signing key there is
//
//	Labcourier-Signature: t=UNIX-SECONDS,v1=HEX
//
// where HEX is HMAC-SHA-256, under that key, of the seconds, a dot and the body. Any
// 2xx is success, redirects are not followed, and everything else is tried again,
// after 30 seconds at first and 15 minutes at most.
//
// net/smtp speaks SMTP. It is frozen and knows no SCRAM; a library that does would
// make the whole program larger than it may be.
package alert
