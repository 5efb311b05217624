// Package secretfile reads and writes files that hold one secret and nothing
// else, and refuses those that others can read.
//
// On Unix such a file is plain text with mode 0600: no rights for group and
// others. On Windows it is sealed for the computer (package dpapi) when [Write]
// makes it, and its access list names the system, the administrators and the
// service; plain text is read, too. There a file is refused that everybody,
// every user, or every authenticated user can read.
//
// No error holds anything of a file but its path.
package secretfile
