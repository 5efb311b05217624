package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crashSuite runs only when asked for, since it needs root, loop devices and
// strace and takes minutes. Asked for, a missing tool is a failure.
func crashSuite(t *testing.T, rounds int, tools ...string) int {
	t.Helper()
	if os.Getenv("LABCOURIER_CRASH") == "" {
		t.Skip("the crash suite runs with LABCOURIER_CRASH=1, as root, with loop devices and strace")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := strconv.Atoi(os.Getenv("LABCOURIER_CRASH_ROUNDS")); err == nil {
		return n
	}
	return rounds
}

// command starts this test binary as a child that follows p.
func (p plan) command(t *testing.T, wrap ...string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat(wrap, []string{os.Args[0]})
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "LABCOURIER_SPOOL_CHILD="+string(text))
	cmd.Stderr = os.Stderr
	return cmd
}

func cutPower(mount string) {
	f, err := os.Open(mount)
	if err != nil {
		return
	}
	defer f.Close()
	// EXT4_IOC_SHUTDOWN, without flushing the journal: what is not on the disk
	// is gone.
	flag := uint32(2)
	_ = unix.IoctlSetPointerInt(int(f.Fd()), 0x8004587d, int(flag))
}

// kill runs a child for a while and kills it.
func (p plan) kill(t *testing.T, after time.Duration) {
	t.Helper()
	cmd := p.command(t)
	var said bytes.Buffer
	if cmd.Stderr = &said; p.Mount != "" {
		cmd.Stderr = nil // on a disk without power everything fails, at length
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Signal(syscall.SIGKILL) })
	err := cmd.Wait()
	timer.Stop()
	// After a power cut its own last writes may end it before the signal does.
	if st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !st.Signaled() && p.After == 0 {
		t.Fatalf("the child ended by itself: %v: %s", err, said.String())
	}
}

// must fails the test when something acknowledged is missing or doubled.
func (p plan) must(t *testing.T, o Options) tally {
	t.Helper()
	o.Reserve = -1
	got, err := p.check(o)
	if err != nil {
		t.Fatalf("round %d: %v", p.Round, err)
	}
	if got.missing > 0 || len(got.trouble) > 0 {
		t.Fatalf("round %d: %d acknowledged, %d missing, trouble: %v", p.Round, got.acknowledged, got.missing, got.trouble)
	}
	return got
}

func TestCrashKill(t *testing.T) {
	rounds := crashSuite(t, 1000)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var p plan
	total := 0
	for i := range rounds {
		if i%20 == 0 {
			dir := t.TempDir()
			p = plan{Path: filepath.Join(dir, "spool.db"), Ledger: filepath.Join(dir, "ledger"), Writers: 4, Deliver: true, Resend: true}
		}
		p.Round, p.Compact = i, i%3 == 0
		p.kill(t, time.Duration(10+rng.IntN(60))*time.Millisecond)
		if i%4 == 3 || i%20 == 19 {
			got := p.must(t, Options{hooks: hooks{noSync: true, noAutoCompact: true}})
			if i%20 == 19 {
				total += got.acknowledged
			}
		}
	}
	t.Logf("%d kills, %d messages acknowledged, none lost or doubled", rounds, total)
	if total == 0 && rounds >= 20 {
		t.Error("nothing was ever acknowledged: the test shows nothing")
	}
}

// disk is an ext4 file system in a file.
type disk struct {
	t            *testing.T
	image, mount string
}

func newDisk(t *testing.T, mib int) *disk {
	t.Helper()
	dir := t.TempDir()
	d := &disk{t: t, image: filepath.Join(dir, "disk.img"), mount: filepath.Join(dir, "mnt")}
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(d.image)
	if err == nil {
		err = f.Truncate(int64(mib) << 20)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	d.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", d.image)
	d.run("mount", "-o", "loop", d.image, d.mount)
	t.Cleanup(func() { exec.Command("umount", d.mount).Run() })
	return d
}

func (d *disk) run(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// powerUp mounts the disk again as after a cut.
func (d *disk) powerUp() {
	d.t.Helper()
	for try := 0; ; try++ {
		d.run("umount", d.mount)
		d.run("mount", "-o", "loop", d.image, d.mount)
		probe := filepath.Join(d.mount, "probe")
		err := os.WriteFile(probe, nil, 0o600)
		if err == nil {
			os.Remove(probe)
			return
		}
		// Whoever entered a mount namespace of its own meanwhile keeps the file
		// system as it was, without power, until it has gone.
		if !errors.Is(err, syscall.EIO) || try == 1200 { // two minutes
			d.t.Fatal(err)
		}
		<-time.After(100 * time.Millisecond)
	}
}

func (d *disk) plan(t *testing.T) plan {
	return plan{Path: filepath.Join(d.mount, "data", "spool.db"), Ledger: filepath.Join(t.TempDir(), "ledger"), Mount: d.mount, Writers: 4}
}

func TestCrashPowerCut(t *testing.T) {
	rounds := crashSuite(t, 100, "mkfs.ext4", "mount", "umount")
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	d := newDisk(t, 256)
	var p plan
	total := 0
	for i := range rounds {
		if i%10 == 0 {
			os.RemoveAll(filepath.Join(d.mount, "data"))
			p = d.plan(t)
			p.Deliver, p.Resend = true, true
		}
		p.Round, p.Compact = i, i%3 == 0
		p.After = time.Duration(1+rng.IntN(120)) * time.Millisecond
		p.kill(t, 2*time.Minute)
		d.powerUp()
		total = max(total, p.must(t, Options{hooks: hooks{noAutoCompact: true}}).acknowledged)
	}
	t.Logf("%d power cuts, up to %d messages acknowledged on one disk, none lost or doubled", rounds, total)
	if total == 0 {
		t.Error("nothing was ever acknowledged: the test shows nothing")
	}
}

// TestCrashControls breaks the promise on purpose: a suite that does not see
// it is worth nothing.
func TestCrashControls(t *testing.T) {
	crashSuite(t, 0, "mkfs.ext4", "mount", "umount")
	d := newDisk(t, 256)
	for _, c := range []struct {
		name string
		set  func(*plan, *Options)
	}{
		{"no sync", func(p *plan, _ *Options) { p.NoSync = true }},
		{"acknowledged before the commit", func(p *plan, _ *Options) { p.Early = true }},
		{"a torn commit stays", func(_ *plan, o *Options) { o.hooks.noUndo = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range 100 {
				os.RemoveAll(filepath.Join(d.mount, "data"))
				p, o := d.plan(t), Options{Reserve: -1}
				c.set(&p, &o)
				p.Round, p.After = i, 150*time.Millisecond
				p.kill(t, 2*time.Minute)
				d.powerUp()
				got, err := p.check(o)
				if got.missing > 0 || o.hooks.noUndo && len(got.trouble) > 0 {
					t.Logf("seen in round %d: %d of %d acknowledged are missing, %v, %v", i, got.missing, got.acknowledged, got.trouble, err)
					return
				}
			}
			t.Error("the suite does not see it")
		})
	}
}

func TestCrashAtSteps(t *testing.T) {
	crashSuite(t, 0, "mkfs.ext4", "mount", "umount")
	d := newDisk(t, 128)
	for _, c := range []struct {
		step   string
		set    func(*plan)
		before bool // messages are there already
	}{
		{"create: begin", nil, false},
		{"create: initialised", nil, false},
		{"create: installed", nil, false},
		{"open: first commit", nil, true},
		{"open: committed", nil, true},
		{"compact: begin", func(p *plan) { p.Compact = true }, true},
		{"compact: copied", func(p *plan) { p.Compact = true }, true},
		{"compact: caught up", func(p *plan) { p.Compact = true }, true},
		{"compact: installed", func(p *plan) { p.Compact = true }, true},
		{"migrate: applied", func(p *plan) { p.Migrate = true }, true},
	} {
		t.Run(c.step, func(t *testing.T) {
			os.RemoveAll(filepath.Join(d.mount, "data"))
			p := d.plan(t)
			if c.before {
				p.Limit = 50
				if err := p.command(t).Run(); err != nil {
					t.Fatal(err)
				}
				p.Limit, p.Round = 0, 1
			}
			p.Step = c.step
			if c.set != nil {
				c.set(&p)
			}
			p.kill(t, 2*time.Minute)
			d.powerUp()
			o := Options{}
			if p.Migrate {
				o.hooks.migrations = []migration{rewriteLanes}
			}
			if got := p.must(t, o); c.before && got.acknowledged < 200 {
				t.Errorf("%d acknowledged", got.acknowledged)
			}
		})
	}
	t.Run("migration from format 1", func(t *testing.T) {
		for _, step := range []string{"keep: begin", "keep: copied", "keep: installed", "open: first commit", "migrate: applied", "open: committed"} {
			os.RemoveAll(filepath.Join(d.mount, "data"))
			p := d.plan(t)
			plantFormat(t, p.Path, 1)
			before, err := os.ReadFile(p.Path)
			if err != nil {
				t.Fatal(err)
			}
			d.run("sync")
			p.Step = step
			p.kill(t, 2*time.Minute)
			d.powerUp()
			s := openAt(t, p.Path, Options{ResendWindow: century, Retain: -1})
			asPlanted(t, s)
			s.Close()
			if copied, err := os.ReadFile(keptOf(t, p.Path).Path); err != nil || !bytes.Equal(copied, before) {
				t.Errorf("%s: the copy is not the file as it was: %v", step, err)
			}
			if left, _ := filepath.Glob(p.Path + "*" + newSuffix); len(left) != 0 {
				t.Errorf("%s: left are %v", step, left)
			}
		}
	})
	t.Run("salvage", func(t *testing.T) {
		for _, step := range []string{"salvage: collected", "salvage: written", "salvage: set aside"} {
			os.RemoveAll(filepath.Join(d.mount, "data"))
			p := d.plan(t)
			p.Limit = 50
			if err := p.command(t).Run(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(p.Path)
			if err != nil {
				t.Fatal(err)
			}
			clear(b[:2*pageSize])
			if err := os.WriteFile(p.Path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			d.run("sync")
			p.Limit, p.Round, p.Step = 0, 1, step
			p.kill(t, 2*time.Minute)
			d.powerUp()
			got, err := p.check(Options{Reserve: -1})
			if err != nil || got.missing > 0 || got.acknowledged < 200 {
				t.Errorf("%s: %+v %v", step, got, err)
			}
		}
	})
}
