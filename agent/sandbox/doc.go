// Package sandbox is a FHIR R4 and OAuth2 server in memory. It is the far end
// of `labcourier demo` and of the project's own tests: nothing to install, and
// every fault that a server can have can be switched on.
//
// # What it proves, and what not
//
// It imitates what was observed of a real Medplum (5.0.10), also where that is
// not how the specification reads. It is written by the same hands as the
// agent, so it proves nothing by itself about any real server: a misreading of
// the observations would be in both. Only a run against a real server is proof.
//
//	              Hook: which Fault has this request?
//	                 |
//	  request   +---------+   +-------+   +--------+   +-------+
//	----------->| limits, |-->| token |   | create |-->| store |--> Created, Wait
//	<-----------| body,   |-->| FHIR  |-->| search |   +-------+
//	  answer,   | faults  |   +-------+   | bundle |       |
//	  or a part +---------+               +--------+       v
//	                 |                              Resources, Duplicates,
//	                 v                              Dangling
//	             Requests, Counts
//
// # Not as the specification reads, on purpose
//
//   - Wrong client credentials are a 400 at the token endpoint; a 401 of FHIR
//     carries no WWW-Authenticate.
//   - A transaction without the feature (Options.TransactionBundles) runs as a
//     batch, says 200 transaction-response, and holds failed entries.
//   - With the feature, conditional creates are limited to 8 entries a bundle.
//   - urn:uuid references are rewritten in batches too, also to an entry that
//     then fails: such a reference dangles.
//   - Two entries of one identity in one bundle are both created.
//   - A body over 1 MB, after gunzip, is a 400 and not a 413.
//   - Throttling inside a batch hides inside a 200; there is no Retry-After.
//   - Prefer: return=minimal leaves nothing of an answer, outcomes included.
//
// # Not there
//
// No history, vread, patch, delete, paging by cursor, chained or included
// search, subscriptions, terminology, profiles, compartments or conditional
// references. Search knows _id, identifier, status and a few references;
// another parameter is refused. A resource is checked for its type, for empty
// values and for the few members that R4 requires of results, no more. Of
// grants there is client_credentials with a secret; private_key_jwt, mTLS and
// login by a person are missing. A transaction's searches and reads do not see
// what the same transaction writes. Limits count all callers as one address
// and one client.
//
// # Guesses
//
// Not observed; some of it is in line with Medplum's published source, and some
// only plausible: that a 429 ends a batch for all entries after it; the answers
// to an unknown resource type, to a wrong content type at FHIR and to text that
// is not JSON; that metadata needs no credentials; that a conditional create
// needs the right to search; everything about updates, what they cost included;
// that a transaction which reaches one existing resource by two entries is
// refused; that a search answers 20 to a page; which content types a bot takes.
//
// # Kinder than life
//
// The text of a number is kept, 5.40 stays 5.40, so that a test can see what
// the agent sent. A server written in JavaScript may give 5.4 back. Conditional
// creates are atomic: the duplicates that racing clients can make of them on
// real servers do not happen here.
package sandbox
