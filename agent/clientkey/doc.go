// Package clientkey is the private key by which a client shows a token endpoint
// who it is: private_key_jwt of OpenID Connect Core 9 and RFC 7523, as SMART
// Backend Services want it (RS384 or ES384).
//
// [Parse] reads a key in any of the forms in which tools write them: PEM
// (PKCS#8, PKCS#1, SEC1), one JWK, or a JWK set. [New] makes one. A [Key] signs
// assertions and knows its public half, which is what the server has to be
// given. The private half shows up in no error and in no way of printing.
//
// # Rotation
//
// A JWK set may hold several keys. The first signs, or the one that is asked for
// by its id; [Set.Public] publishes all of them, so that the server can be given
// the next key before it is used.
//
// # Key ids
//
// A key without an id of its own gets its RFC 7638 thumbprint, which any other
// tool finds for the same key, too.
//
// github.com/go-jose/go-jose/v4 does the cryptography and knows the formats.
package clientkey
