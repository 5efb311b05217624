// Package spool keeps analyzer messages on disk from the moment they are
// acknowledged until a person or retention lets them go.
//
// # The promise
//
// [Spool.Put] returns nil only when the message is on stable storage. From
// then on it is in one of four states, and no crash, power cut, full disk or
// failed write takes it out of all of them or puts it into two:
//
//	               Put                Done
//	analyzer ------------> waiting ---------> delivered --+
//	    |                  |  ^  |                 |      | retention
//	    | Put (broken)     |  |  | Discard         |      v
//	    +-------> parked <-+  |  +--> discarded ---|---> gone
//	                 |        |           |        |
//	                 +--------+-----------+--------+
//	                        Retry
//
// A lane is one analyzer's queue. [Spool.Next] shows its oldest waiting
// message and takes nothing away. Messages of a lane are ordered by their
// number, and [Spool.Retry] puts one back to its old place.
//
// # Identity
//
// A message's [Key] is made of its lane, its bytes, and its occurrence: 0 the
// first time, and one more each time the same bytes come after the resend
// window. Inside the window they are a re-send: counted, acknowledged, and not
// stored again. The index that knows the bytes holds one small entry for every
// message that is stored, and retention removes entry and message together, but
// never inside the window. Removing an entry raises the lane's floor, the
// occurrence that unknown bytes get, past the entry's own. So no occurrence is
// given out twice, the index is bounded by what is stored, and the price is
// that in a spool which has forgotten something even a message that never came
// before may begin at an occurrence above 0.
//
// # Stored how
//
// One bbolt file. Payloads are written once, in the bucket of records; where a
// message is on its way is said by small entries in buckets of their own, so
// that moving one rewrites little. Counters are kept in one entry per lane and
// written with what they count. Every value carries a CRC32C over its key and
// itself, which bbolt does not do. A payload is packed where that is shorter, and
// unpacked again before the packed form counts.
//
// One goroutine writes. It commits what waits, and what comes while it applies that,
// as one transaction, so that many writers share a flush; a lone writer waits for
// nobody. Memory follows the file: nothing in it changes before a commit returned
// nil.
//
// A commit is flushed once, where bbolt by itself flushes its pages and then the meta
// page that leads to them. Beside what bbolt has in that page stands which pages
// the commit wrote, and their sum. Open looks whether they are as it says. If not, a
// crash tore the commit before anybody was told of it, and it is undone: the one
// before it is there in full, for bbolt never writes over a page in use. The audit log
// says so, and the numbers that it gave out are left out, since they may have been
// read. After a second in which nothing comes an empty commit follows, so that what
// the disk loses later is not taken for torn but told as damage.
//
// After a commit that failed nobody knows what is on the disk. Intake stops,
// the file is closed, the system's cache of it is dropped, and what is read
// back decides whether each waiting Put is answered with nil or an error.
//
// Before bbolt may open the file, a walker of our own reads it: on a bad page
// bbolt can end the process. A file that does not pass is set aside, what can
// be read of it is written into a new one, and [Stats] tells what was lost. A
// message whose entry was lost waits again; one found on a page out of use is
// parked.
//
// Of a file above 32 MiB only the meta pages, the settings, the list of free
// pages and the branch pages are read before it is used: bbolt never writes over
// a page in use, so that a crash leaves what the last commit had. The scrub reads
// the rest while it is in use, and all of it again every week. Until it has, the
// marker says so, and should the process die over a page that nobody had looked
// at, the next one reads the whole file first: there is no crash loop. A bad
// page met on the way is an error and leads to salvage.
//
// On a disk that is full or fails, Open succeeds all the same: the spool takes
// nothing, says why, and tries again by itself.
//
// The digest index is written late, thousands of entries at a time: its keys are
// as good as random, and each would cost a page of its own. What it lacks after a
// crash is in the records, from which Open makes it anew.
//
// What comes to wait does so in one place at first, whichever lane it is of, and
// is moved to its lane when a thousand have gathered there: the entries of each
// lane lie in a page of their own, and a commit with messages of many lanes would
// write as many pages. Most are delivered before.
//
// A file of an older format is copied before it is brought to this one's: an older
// labcourier can go on from the copy. The latest of each format stays for [KeepFor];
// [KeptCopies] lists them.
//
// Beside the file lie a marker, which says that there must be one, and a lock
// file, which names the process that has it.
//
// # Figures
//
// Measured by the benchmarks of this package on two cores that others used too,
// ext4 on a virtual disk; in brackets what is aimed at.
//
//	Open of 2 GiB, 500,000 messages, closed         3 to 20 ms (1 s)
//	the same after a crash                          0.05 to 0.31 s (1 s)
//	the same when the last process died before
//	it had gone through the file                    some 7 s of reading a GiB
//	a million waiting against a thousand: Open      0.5 to 1.3 times (1.3)
//	    Put, Put by 64                              1.21 to 1.35, 1.10 to 1.22 times (1.3)
//	    Next, Stats, Done                           1.0 to 1.2, 0.1 to 1.2, 1.0 to 1.1 times (1.3)
//	heap with a million waiting                     under 1 MiB (32 MiB)
//	file per payload, messages of 200 B, 1, 2 KiB   2.8, 1.1, 0.8 times
//	2 KiB messages per raw append, by
//	    1, 8, 64, 256 writers                       (0.45, 3.5, 25, 85)
//	    flush of 21 ms                              0.98, 7.7, 58, 185
//	    of 11 ms                                    0.95, 7.4, 51, 137 to 150
//	    of 7.7 ms                                   0.95, 7.3, 49, 112 to 133
//	    of 5.7 ms                                   0.95, 7.1, 43, 94 to 114
//	    of 2.5 ms                                   0.87, 6.1, 31, 48 to 67
//	    of 1.5 ms                                   0.84, 5.6, 23 to 27, 34 to 48
//	    of 0.3 ms                                   0.53, 2.4, 7.4, 9.1
//
// A commit is a flush and the work of two processors for its messages: some 6 ms for
// 256, where the aim at a flush of 1.5 ms would leave 3. So 256 writers reach theirs from a
// flush of 4 or 5 ms on. The lower figures are those of ten seconds, in which the
// digest index grows; the others of two. Messages that cannot be packed have a page
// each: 64 writers reach 39, and 256 89, at 5.7 ms.
//
// # Caveats
//
// A disk that lies about flushes can lose what it acknowledged; the walker then
// salvages the rest. A page of the very last commit that such a disk loses, with a
// crash within the second, looks like a torn commit, and costs all of that one.
// After a crash the file is for this package to open first: bbolt's own tools know
// nothing of torn commits. When the newer of the two meta pages is unreadable the
// older one counts, and the damage report says so.
//
// Salvage needs room for a copy of what is good, and a change of format for one of
// the file; both wait for it. Discarded bytes that come again are a new message. Drafts are rewritten in full with every piece.
//
// Encryption hides payloads, kinds and faults. Lane names, times, packed sizes, states,
// reasons and receipts stay readable, and what was written before it was switched
// on stays in free pages until [Spool.Rekey] and [Spool.Compact] have run, and in
// copies from before a change of format until they are deleted.
//
// The clock decides about re-sends and retention, and about nothing else.
package spool
