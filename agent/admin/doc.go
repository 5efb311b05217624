// Package admin is how a person on this computer looks into the spool and
// steers it: list, look at, retry and discard messages, export and import them,
// back the spool up, compact it.
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
// Lists hold no patient data. [Client.Get] and Export do.
package admin
