// Package folder receives from analyzers that drop files into a directory, on
// this computer or on a mounted share. It looks at the folder again and again: a
// share tells nobody what happens on it.
//
//	           settled: same size and time for Options.Settle, and not open for writing
//	folder --> scan.go --> take.go ----> Kind.Split ----> Handler.Receive ... --> done/
//	                          |                                |                   |
//	                          +-- journal: the file's digest --+-- all parts ------+
//	                              and its receive time             are fsynced
//
// [Place] is the drivers.Port of such an analyzer. It has no connections; it is
// drivers.Collecting instead and brings the driver for any kind whose Split can
// cut a file into messages.
//
// # What is stored, and when the file moves
//
// A file is read whole, cut by the kind's Split, and each message goes to the
// Handler. Only when every one of them is on stable storage is the file renamed
// into the done folder. What Split cannot cut is stored as one broken message, in
// sight of a person, with Split's words as its reason. Nothing is ever deleted,
// unless Options.Keep says so, and then only in day folders below done.
//
// # A crash at any point
//
// Before the first message of a file is handed over, the journal holds, fsynced,
// the file's name, size, time, digest, and the receive time that all of its
// messages carry; files that are due together are noted with one write. After a
// crash, however long ago, the file is handed over again
// with that same receive time, and the store knows the bytes as a re-send: nothing
// is delivered twice, and what was not stored yet is stored now. With a re-send
// window of 0 the store recognises nothing, and a crash in that moment doubles.
// A file that is stored but cannot be moved is marked in the journal, and only the
// move is tried again.
//
// # What is left where it is
//
// Empty files, files larger than Options.MaxFile, files that cannot be opened,
// and everything that is no regular file (a symbolic link could name any file of
// this computer). They are counted in the status, and tried again with growing
// pauses. A store that refuses stops the whole folder, so that the order stays.
//
// # Caveats
//
// File names may hold specimen ids or patients' names: neither the log nor the
// status shows one. A file is named by its length and the digest of its bytes, as
// a message is.
//
// On Windows a file that another program has open for writing cannot be opened
// here, and so is never read too early. Unix has no such lock: there Settle is all
// that tells, and a writer that pauses for longer loses nothing, but what it wrote
// first is read on its own. What it appends while the file is being moved is
// noticed, and the file moved back.
package folder
