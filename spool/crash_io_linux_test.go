package spool

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestCrashNoSpace(t *testing.T) {
	rounds := crashSuite(t, 40, "mkfs.ext4", "mount", "umount")
	d := newDisk(t, 48)
	full := 0
	for i := range rounds {
		os.RemoveAll(filepath.Join(d.mount, "data"))
		ballast := filepath.Join(d.mount, "ballast")
		free, _, err := diskFree(d.mount)
		if err != nil {
			t.Fatal(err)
		}
		// From almost no space at all to some hundred messages' worth.
		leave := uint64(i) << 14
		if out, err := exec.Command("fallocate", "-l", fmt.Sprint(free-min(free-1, leave)), ballast).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		p := d.plan(t)
		p.Round, p.Limit = i, 100
		err = p.command(t).Run() // ends at the first refusal
		if err != nil {
			full++
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		p.must(t, Options{})
		p.Round, p.Limit = i+100000, 10 // and with space again it goes on
		if err := p.command(t).Run(); err != nil {
			t.Fatal(err)
		}
		if got := p.must(t, Options{}); got.acknowledged < 40 {
			t.Fatalf("round %d: %d acknowledged after space returned", i, got.acknowledged)
		}
	}
	t.Logf("%d rounds; in %d there was not even space to open", rounds, full)
}

func TestCrashIOErrors(t *testing.T) {
	rounds := crashSuite(t, 100, "strace")
	var saw atomic.Int64
	var runs errgroup.Group
	runs.SetLimit(4)
	for _, c := range []struct {
		call     string
		n        int
		messages func(i int) int // enough that call i comes
	}{
		{"fdatasync", rounds, func(i int) int { return i/2 + 8 }},
		{"pwrite64", rounds, func(i int) int { return i/6 + 10 }},
		{"fsync", min(rounds, 6), func(int) int { return 10 }},
		{"ftruncate", 2, func(int) int { return 10 }},
	} {
		for i := 1; i <= c.n; i++ {
			dir := t.TempDir()
			p := plan{
				Path: filepath.Join(dir, "spool.db"), Ledger: filepath.Join(dir, "ledger"),
				Round: i, Writers: 1, Limit: c.messages(i), Retry: true, Resend: true,
			}
			runs.Go(func() error { return p.inject(t, c.call, dir, &saw) })
		}
	}
	if err := runs.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("an error was injected in %d runs", saw.Load())
	if saw.Load() < int64(rounds) {
		t.Error("too few errors were injected: the test shows nothing")
	}
}

// inject runs a child whose Round-th system call fails with EIO.
func (p plan) inject(t *testing.T, call, dir string, saw *atomic.Int64) error {
	trace := filepath.Join(dir, "trace")
	cmd := p.command(t, "strace", "-f", "--seccomp-bpf", "-o", trace, "-e", "trace="+call,
		"-e", fmt.Sprintf("inject=%s:error=EIO:when=%d", call, p.Round))
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %d: %w", call, p.Round, err)
	}
	if text, _ := os.ReadFile(trace); strings.Contains(string(text), "INJECTED") {
		saw.Add(1)
	}
	got, err := p.check(Options{Reserve: -1, hooks: hooks{noSync: true}})
	if err != nil || got.missing > 0 || len(got.trouble) > 0 || got.acknowledged != p.Limit {
		return fmt.Errorf("%s %d: %d of %d acknowledged, %d missing, trouble: %v, %w", call, p.Round, got.acknowledged, p.Limit, got.missing, got.trouble, err)
	}
	return os.RemoveAll(dir)
}
