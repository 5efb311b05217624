// Package outbound makes the HTTP client for everything that leaves this
// computer: TLS 1.2 or newer, always verified, HTTP/2 where the server has it,
// connections kept and tested, the site's proxy, and a deadline on every stage.
//
//	stage                     bounded by
//	connect                   10 s
//	TLS handshake             10 s
//	proxy's answer            Timeout
//	first byte of the answer  Timeout
//	the whole request         whoever makes it, with a context
//	silence on HTTP/2         15 s, then a ping; 15 s more, and it is closed
//	idle connection           90 s
//
// # What changes on disk
//
// The file of authorities and the client's certificate with its key are looked
// at before a request, every few seconds at most. When one has changed, new
// connections are made with it and the old ones end once they are idle, so that
// a renewed certificate needs no restart. What cannot be read, or does not fit
// together while only one of two files is replaced, is said in the log, and what
// was read before stays in use.
//
// # Proxy
//
// "environment" is HTTPS_PROXY and NO_PROXY as curl and Go read them, when the
// client is made. Proxies are spoken to by CONNECT, with Basic if there is a
// user; NTLM and Negotiate are not spoken. This computer itself is never reached
// through a proxy.
//
// golang.org/x/net/http/httpproxy decides what goes through a proxy; it is the
// code that net/http has inside, which does not let a list be given.
package outbound
