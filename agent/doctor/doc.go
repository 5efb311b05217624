// Package doctor looks at everything between the analyzers and the server, and
// says of each part that it is fine, or what to do. It is `labcourier doctor`.
//
//	Local    data directory, free disk, spool and who has it, secrets, admin token
//	Server   proxy, name, connection, TLS, clock, FHIR, sign-in, rights;
//	         of the second server the same, where all that is wrong is a warning
//
// The ports of analyzers are the command's to look at: they are opened by the
// packages that only it knows.
//
// # What it leaves alone
//
// It writes nothing on the server and sends no patient data: it reads the
// CapabilityStatement, asks for a token as the agent does, and searches with
// _count=0, which lists nothing. So it can tell that a client may search a type,
// and not that it may create: that shows with the first message. On this
// computer it changes nothing either. While it looks at who has the spool it has
// the lock for an instant; an agent that starts in that instant says that the
// spool is in use.
//
// # What it cannot see
//
// It runs as the user who starts it, who may be allowed more, or less, than the
// service: the rights on files and ports are this user's. An environment that
// only the service has (HTTPS_PROXY, credentials of systemd) is not there.
package doctor
