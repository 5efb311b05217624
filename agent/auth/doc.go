// Package auth puts credentials on requests to the FHIR server: an OAuth2
// access token got with client credentials, or HTTP Basic, or the first with a
// fallback to the second.
//
// The client shows the token endpoint who it is by its secret, in a header or in
// the form, by an assertion signed with its private key (private_key_jwt), or by
// the certificate of the connection (tls).
//
// # The promise
//
// A token is renewed at 80 % of its life, by one flight for everybody, so that
// no sender waits for it. It is used until it really expires, however long the
// token endpoint is away, and dropped as soon as the server rejected it.
// Credentials leave over https only, or to loopback, and only to the server
// they are for. Secrets and keys are read anew for each token request, so that a
// rotated one is picked up without a restart, and show up in no error, log or [State].
//
// # Fallback
//
// Method "auto" is OAuth2 that may fall back to Basic, when the OAuth2 route is
// unavailable and only then:
//
//	           404, 405, 410, 501, unsupported_grant_type,
//	           unauthorized_client; or unreachable for FallbackAfter
//	           while Probe succeeds (and no valid token is left)
//	+--------+ ------------------------------------------------> +-------+
//	| OAuth2 |                                                   | Basic |
//	+--------+ <------------------------------------------------ +-------+
//	           every Reprobe: a token came, or the credentials
//	           were refused
//
// Refused credentials never lead to Basic: somebody withdrew them, or the file
// is wrong, and sending the same secret by another way would hide that. For the
// same reason a refusal ends a fallback that is under way.
//
// What counts as what:
//
//	unavailable  the route is not there for this client (the list above)
//	refused      any other 4xx or OAuth error: wrong secret, unknown client,
//	             address not allowed. Medplum says 400 invalid_request; others
//	             401 invalid_client, or unauthorized_client with a status of 401
//	             or a text that speaks of the secret. Also a TLS alert about
//	             our certificate.
//	limited      408, 425, 429, slow_down: there, and to be asked later
//	unreachable  no answer, 5xx, a redirect, a page of HTML, a token that
//	             cannot be used
//
// # Caveats
//
// All token requests are made by [Authorizer.Run]; while it does not run,
// [Authorizer.Authorize] waits for a token until its context ends.
//
// A token that says nothing of its life is taken to live an hour. If it lives
// shorter, the server's 401 gets it renewed.
//
// Lifetimes are counted on the monotonic clock, so that setting the wall clock
// neither kills a token nor keeps a dead one. The monotonic clock stands still
// while a machine sleeps; a token that died meanwhile costs one 401.
//
// An assertion is dated by the token endpoint's clock, as its Date header last
// showed it, since a lab PC's clock may be an hour off. An assertion that was
// refused before that was known is made again at once.
//
// golang.org/x/oauth2 makes the token request and reads the answer. It is used
// for one request at a time, since its own token source has no deadline, does
// not renew early and never learns of a 401.
package auth
