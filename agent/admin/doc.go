// Package admin is how a person on this computer looks into the spool and
// steers it: list, look at, retry and discard messages, export and import them,
// say of which specimen a held one is, back the spool up, compact it. It also shows what
// goes over a link.
//
// [Handler] is the agent's side, served under [Prefix] at the status endpoint;
// [Client] is the command line's. While no agent runs, the command line opens
// the spool itself and gives its Client the Handler directly ([InProcess]), so
// that there is one way for both.
//
//	messages list ---> Client ---- HTTP on loopback ----> Handler ---> spool   the agent runs
//	              \--> Client ---- InProcess -----------> Handler ---> spool   it does not
//
// # Who may
//
// Every call needs the admin token, a file in the data directory that only the
// service's user (and root or an administrator) can read. Whoever can read it
// could read the spool as well. Each change, and each look at a message's
// content, is in the spool's audit log.
//
// Lists hold no patient data. [Client.Get], Export and Traffic do.
//
// # Reload
//
//	POST /api/admin/reload      Authorization: Bearer TOKEN
//
// has the agent read its configuration anew, and answers with what that did, or
// with 422 and the faults of the file; then nothing was changed.
//
// # Watching a link
//
//	GET /api/admin/analyzers/{name}/traffic      Authorization: Bearer TOKEN
//
// answers with a recording in the format of the package drivers/trace, for as long
// as the caller reads: one JSON object on each line (application/x-ndjson), first
// a header, then an object for each event as it happens, and every 10 seconds an
// empty line, which means nothing. The first events say which connections are open
// already. For a page:
//
//	const r = (await fetch(url, {headers})).body.pipeThrough(new TextDecoderStream()).getReader()
//	// split what r.read() gives at "\n", skip empty lines, JSON.parse the others
//	// bytes of {"kind":"data"}: Uint8Array.from(e.data, c => c.charCodeAt(0))
//
// A caller that reads too slowly finds an event of the kind "gap" where events were
// left out; one that does not read at all for 15 seconds is hung up on. At most 16
// calls are served at a time (503). An analyzer that the agent does not run is 404.
// The answer ends when the agent stops. The link never waits for any of this.
package admin
