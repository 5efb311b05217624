// Package browse is the message browser of the local page: which messages there
// are, what became of each, what the analyzer sent and what labcourier makes of
// it, and what a person may do about one that is stuck.
//
//	browser --- cookie ---> Handler --- token ---> admin.Client ---> spool
//	                           |
//	                           +--- Read: payload -> reports, FHIR
//
// It shows patient data. So it shows nothing without a session, and each look at
// a message's content and each action is in the spool's audit log, because both
// go through package admin, as the command line's do.
//
// # Signing in
//
// There are no users and passwords on a lab PC that labcourier could know. Who
// can read the admin token, a file in the data directory, could read the spool
// as well; so the token is the proof. `labcourier status --open` reads it and
// opens the browser with a link that works once and for a minute; on another
// terminal the token can be typed in. Tries are limited.
//
// A session is a random number in a cookie that scripts cannot read and that no
// other site's request carries (HttpOnly, SameSite=Strict). It ends after half an
// hour without use, after twelve hours, at sign-out, and when the agent stops.
// Every form carries the session's own second number, so that a page of another
// site that could make the browser send a form still does nothing.
//
// # Watching a link
//
// /links/{analyzer} shows what goes over a link as it happens: its script hears
// /links/{analyzer}/events, in which each line of admin's recording is one
// server-sent event, cuts the bytes into lines as [trace.Printer] does, and keeps
// the last of them. It ends with the session, and is no use of it.
//
// # Without scripts
//
// All other pages are plain HTML and forms; there is no script in them.
//
// [trace.Printer]: https://pkg.go.dev/github.com/labcourier/labcourier/drivers/trace#Printer
package browse
