// Package dpapi seals secrets with the Data Protection API of Windows, so that
// they can be opened on this computer only.
//
// They are sealed for the computer, not for a user: the service runs under an
// account of its own, and an administrator who sets a secret is another one. So
// any program on the computer that can read a sealed file can open it. The file
// has to be kept from others all the same; what sealing adds is that a copy of
// it, in a backup or on a stolen disk that does not boot, is worth nothing.
//
// On other systems both functions return [ErrUnsupported]; there a file that
// only the service can read, or a systemd credential, does the same.
package dpapi
