package spool

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// plan is what a child process of the crash suite does. It comes as JSON in
// the environment.
type plan struct {
	Path    string        // database
	Ledger  string        // what the child saw acknowledged, on another file system
	Round   int           // makes message ids unique
	Writers int           // and lanes
	Limit   int           // messages per writer; 0: until killed
	Deliver bool          // Next and Done too
	Compact bool          // over and over
	Resend  bool          // now and then the same bytes again
	Retry   bool          // wait for the spool to come back after an error
	NoSync  bool          // negative control
	Early   bool          // negative control
	Step    string        // cut the power at this point
	Mount   string        // of the file system whose power is cut
	After   time.Duration // cut the power after that long
	Migrate bool          // the file gets a newer format
}

// runChild never returns to the tests.
func runChild(text string) {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(4)
	}
	os.Exit(0)
}

func (p *plan) options() Options {
	o := Options{Reserve: -1, hooks: hooks{noSync: p.NoSync, ackEarly: p.Early, lockThread: true, noAutoCompact: true, settleAt: 20}}
	o.hooks.beforeStep = func(step string) {
		if p.Step != "" && step == p.Step {
			p.cut()
		}
	}
	if p.Migrate {
		o.hooks.migrations = []migration{rewriteLanes}
	}
	return o
}

// rewriteLanes is a migration that touches something.
func rewriteLanes(t *txn) error {
	for _, h := range t.s.heads() {
		if _, err := t.lane(h.name, false); err != nil {
			return err
		}
		if err := t.put(settings, []byte("migrated"), []byte("yes")); err != nil {
			return err
		}
	}
	return nil
}

// cutting is set before the power goes. A flush that the cut falls into can return
// without an error although ext4 gave up on it, where in earnest nobody would be left
// to hear of it: what is acknowledged from now on does not count. (Plain appends to
// a file that grows show it, in one cut of a hundred.)
var cutting atomic.Bool

// cut is a power cut: nothing that is not on the disk now gets there.
func (p *plan) cut() {
	cutting.Store(true)
	cutPower(p.Mount)
	killSelf()
	select {}
}

func (p *plan) open() (*Spool, error) {
	for {
		s, err := Open(p.Path, p.options())
		if err == nil || !p.Retry {
			return s, err
		}
	}
}

func (p *plan) run() error {
	s, err := p.open()
	if err != nil {
		return err
	}
	ledger, err := os.OpenFile(p.Ledger, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if p.After > 0 {
		time.AfterFunc(p.After, p.cut)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var writers, others sync.WaitGroup
	for w := range p.Writers {
		writers.Go(func() { p.write(s, ledger, w) })
		if p.Deliver {
			others.Go(func() { p.deliver(ctx, s, ledger, fmt.Sprint("lane", w)) })
		}
	}
	if p.Compact {
		others.Go(func() {
			for ctx.Err() == nil {
				if err := s.Compact(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrBusy) {
					fmt.Fprintln(os.Stderr, "compact:", err)
				}
			}
		})
	}
	writers.Wait()
	cancel()
	others.Wait()
	return s.Close()
}

func payloadOf(id string) string {
	n := len(id) * 37 % 1500
	if len(id)%2 == 0 {
		return id + "|" + strings.Repeat("x", n)
	}
	return id + "|" + dense(sha256.Sum256([]byte(id)), n)
}

func (p *plan) write(s *Spool, ledger *os.File, w int) {
	lane := fmt.Sprint("lane", w)
	rng := rand.New(rand.NewPCG(uint64(p.Round), uint64(w)))
	last := ""
	for i := 0; p.Limit == 0 || i < p.Limit; i++ {
		id := fmt.Sprintf("%s/%d/%d", lane, p.Round, i)
		if p.Resend && last != "" && rng.IntN(10) == 0 {
			id = last
		}
		last = id
		for {
			q, err := s.Put(context.Background(), Record{Lane: lane, Kind: "t", Payload: []byte(payloadOf(id))})
			if err == nil && cutting.Load() {
				return
			}
			if err == nil {
				note(ledger, "ack", id, q)
				break
			}
			if !p.Retry {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func (p *plan) deliver(ctx context.Context, s *Spool, ledger *os.File, lane string) {
	for {
		r, err := s.Next(ctx, lane)
		if err != nil {
			return
		}
		id, _, _ := strings.Cut(string(r.Payload), "|")
		note(ledger, "dlv", id, r.Key)
		if s.Done(lane, r.Seq, Receipt{}) != nil && !p.Retry {
			return
		}
	}
}

// note writes a line of the ledger. A kill can tear it wherever a page of the file
// ends, and the next process goes on behind the tear: so each line begins afresh
// and says where it ends.
func note(ledger io.Writer, verb, id string, what any) {
	fmt.Fprintf(ledger, "\n%s %s %v .", verb, id, what)
}

// readNote reads a line that note wrote; a torn one is none.
func readNote(line string) (verb, id, what string, whole bool) {
	f := strings.Split(line, " ")
	if len(f) != 4 || f[3] != "." {
		return "", "", "", false
	}
	return f[0], f[1], f[2], true
}

// tally compares a ledger with what a spool holds.
type tally struct {
	acknowledged, stored, missing int
	trouble                       []string
}

// check opens the spool as the next process would and looks for every
// acknowledged message: there once, whole, under one key, in order.
func (p *plan) check(o Options) (t tally, err error) {
	s, err := Open(p.Path, o)
	if err != nil {
		return t, err
	}
	defer s.Close()
	byID := map[string][]Info{}
	keys := map[Key]string{}
	for after, more := Seq(0), true; more; {
		page, err := s.List(Query{After: after, Limit: 5000})
		if err != nil {
			return t, err
		}
		more = len(page) > 0
		for _, in := range page {
			after = in.Seq
			r, err := s.Get(in.Seq)
			if err != nil {
				t.trouble = append(t.trouble, err.Error())
				continue
			}
			id, _, _ := strings.Cut(string(r.Payload), "|")
			if string(r.Payload) != payloadOf(id) {
				t.trouble = append(t.trouble, "other bytes in "+id)
			}
			if other, ok := keys[r.Key]; ok {
				t.trouble = append(t.trouble, "one key for "+id+" and "+other)
			}
			keys[r.Key] = id
			byID[id] = append(byID[id], in)
			t.stored++
		}
	}
	for id, all := range byID {
		if len(all) > 1 {
			t.trouble = append(t.trouble, id+" is there twice")
		}
	}
	p.checkLedger(&t, byID)
	if st := s.Stats(); len(st.Damage) > 0 {
		t.trouble = append(t.trouble, "damage: "+st.Damage[0].What)
	}
	return t, nil
}

func (p *plan) checkLedger(t *tally, byID map[string][]Info) {
	text, err := os.ReadFile(p.Ledger)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.trouble = append(t.trouble, err.Error())
	}
	lastOf := map[string]Seq{}
	delivered := map[string]string{}
	for line := range strings.SplitSeq(string(text), "\n") {
		verb, id, what, whole := readNote(line)
		if !whole {
			continue
		}
		if verb == "dlv" {
			if before, ok := delivered[id]; ok && before != what {
				t.trouble = append(t.trouble, id+" was delivered under two keys")
			}
			delivered[id] = what
			continue
		}
		t.acknowledged++
		found := byID[id]
		if len(found) == 0 {
			t.missing++
			continue
		}
		if fmt.Sprint(found[0].Seq) != what {
			t.trouble = append(t.trouble, id+" is not where it was acknowledged")
		}
		if lane := found[0].Lane; found[0].Seq < lastOf[lane] {
			t.trouble = append(t.trouble, id+" is out of order")
		} else {
			lastOf[lane] = found[0].Seq
		}
	}
}
