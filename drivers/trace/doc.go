// Package trace is the one format in which labcourier keeps what went over a
// link: the bytes of both directions with their times, and when connections
// were opened and ended. `labcourier tap` and `labcourier capture` write it,
// `simulate` replays it, `decode`, `detect` and `anonymise` read it, and the
// agent's admin interface streams it.
//
//	 tap: pumps --+                    +--> Recorder --> file
//	              |    Event, bounded  |
//	agent: Watch -+--> queue, no wait -+--> Subscription --> HTTP, status page
//
// # The format
//
// Text, one JSON object on each line (https://jsonlines.org), ASCII only. The
// first line names the format and says when the times count from:
//
//		{"labcourier_trace":1,"began":"2026-11-22T08:00:00.000000Z","name":"xn-550","link":"listen :4001 - connect 10.0.0.9:4001"}
//		{"t":0.000000,"conn":1,"kind":"open","note":"10.0.5.12:40311"}
//		{"t":0.001203,"conn":1,"kind":"data","from":"analyzer","data":"\u0005"}
//		{"t":0.001911,"conn":1,"kind":"data","from":"host","data":"\u0006"}
//		{"t":0.002377,"conn":1,"kind":"data","from":"analyzer","data":"\u00021H|\\^&|||XN-550\r..."}
//		{"t":9.314000,"conn":1,"kind":"end","from":"analyzer"}
//		{"t":9.314120,"conn":1,"kind":"close"}
//
//	  - t: seconds since began; conn: which of several connections
//	  - data: the bytes; each character of the string is one byte, U+0000 to U+00FF.
//	    How bytes are cut into lines has no meaning: it is how they were read.
//	  - kind: open; data; end (from sends no more: FIN, or the line was unplugged);
//	    reset (from broke the connection off); close (the connection is over on both
//	    sides); gap (lost bytes were not recorded, note says why); note
//
// A blank line means nothing; a stream has them so that both sides see that the
// other is there. A reader passes over keys and kinds that it does not know. A
// change that would mislead such a reader gets another version number.
//
// A file can be appended to: another header begins another recording. A line that
// a crash cut off costs that line and no other: [Reader] hands out a gap for it.
//
// # Promises
//
// Whoever passes bytes on never waits for a recording: [Recorder.Add] and a
// watched connection only copy into bounded memory, and what finds no room there
// is counted and shown as a gap. A connection that nobody watches costs one atomic
// load for each read and write (BenchmarkWatch).
//
// # Caveats
//
// A recording is what the analyzer said of patients: files are made readable by
// their owner only, and `labcourier anonymise` takes the names out.
package trace
