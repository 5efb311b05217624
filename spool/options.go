package spool

import (
	"math"
	"os"
	"time"
)

// Defaults of Options.
const (
	DefaultResendWindow = 24 * time.Hour
	DefaultMaxPayload   = 64 << 20
	DefaultRetain       = 30 * 24 * time.Hour
	DefaultRetainAudit  = 2 * 365 * 24 * time.Hour
	DefaultReserve      = 256 << 20
	DefaultWarn         = 1 << 30
)

// Options says how a spool behaves. The zero value is a good one: a field
// that is 0 has its default, and a negative one switches its feature off.
type Options struct {
	// ResendWindow is for how long after their last arrival the same bytes from
	// the same lane are the analyzer's re-send and not a new message.
	ResendWindow time.Duration

	// ResendWindows overrides ResendWindow for single lanes.
	ResendWindows map[string]time.Duration

	// MaxPayload is the length of the longest payload taken.
	MaxPayload int

	// Retain is for how long delivered and discarded records are kept.
	Retain time.Duration

	// RetainBytes bounds what they take, oldest first out; 0 is no bound.
	// Records inside their resend window stay all the same.
	RetainBytes int64

	// RetainAudit is for how long entries of the audit log are kept.
	RetainAudit time.Duration

	// Reserve is the free disk space below which nothing is acknowledged; below
	// Warn, Stats says so. The default is lowered on a disk that is smaller
	// than ten times it.
	Reserve, Warn int64

	// Keys encrypts the records: the first key seals, all of them open. With no
	// keys the records are stored in the clear.
	Keys [][]byte

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	hooks hooks
}

// hooks are the places where tests reach in.
type hooks struct {
	openFile      func(name string, flag int, perm os.FileMode) (*os.File, error)
	diskFree      func(dir string) (free, total uint64, err error)
	noSync        bool // a negative control: crash tests must see the loss
	ackEarly      bool // a negative control: answers before the commit
	noUndo        bool // a negative control: a torn commit stays
	crash         bool // Close leaves the file as a crash would
	lockThread    bool // the writer stays on one thread, whose calls can be counted
	initialMap    int
	noAutoCompact bool
	noScrub       bool
	compactAbove  int64
	proveAbove    int64
	settleAt      int
	sumRoom       int
	scrubbed      func()            // called when a scrub has ended
	beforeStep    func(step string) // named points in creation, compaction, salvage, migration
	commitFault   func() error      // called before a commit, which its error makes fail
	beforeFlush   func()            // called when a commit is written and not flushed
	afterCommit   func() error      // called after one: an error whose group is in the file
	migrations    []migration       // after the real ones
}

func (o Options) withDefaults() Options {
	o.ResendWindow = orDefault(o.ResendWindow, DefaultResendWindow)
	o.MaxPayload = orDefault(o.MaxPayload, DefaultMaxPayload)
	o.Retain = orDefault(o.Retain, DefaultRetain)
	o.RetainAudit = orDefault(o.RetainAudit, DefaultRetainAudit)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.hooks.diskFree == nil {
		o.hooks.diskFree = diskFree
	}
	if o.hooks.compactAbove == 0 {
		o.hooks.compactAbove = compactAbove
	}
	if o.hooks.proveAbove == 0 {
		o.hooks.proveAbove = proveAbove
	}
	if o.hooks.sumRoom == 0 {
		o.hooks.sumRoom = math.MaxInt
	}
	if o.hooks.settleAt == 0 {
		o.hooks.settleAt = settleAt
	}
	return o
}

func orDefault[T ~int | ~int64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// window is the resend window of a lane; not positive: there is none.
func (o *Options) window(lane string) time.Duration {
	if w, ok := o.ResendWindows[lane]; ok && w != 0 {
		return w
	}
	return o.ResendWindow
}

func (o *Options) step(name string) {
	if o.hooks.beforeStep != nil {
		o.hooks.beforeStep(name)
	}
}
