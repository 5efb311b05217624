package capturetest

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/drivertest"
	"github.com/labcourier/labcourier/drivers/port"
	"github.com/labcourier/labcourier/drivers/simulator"
)

// Root is the folder of the captures. A test without it is skipped, but not in CI.
func Root(t *testing.T) string {
	t.Helper()
	root := os.Getenv("LABCOURIER_CAPTURES")
	if root == "" {
		root = "../../../shared/captures"
	}
	if _, err := os.Stat(filepath.Join(root, "MANIFEST.tsv")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no captures: %v", err)
		}
		t.Skipf("no captures at %s: set LABCOURIER_CAPTURES to their folder", root)
	}
	return root
}

// Split says how many of the bytes that are left go out at once.
type Split struct {
	Name string
	Next func(rest int) int
}

// Splits are the three ways to play raw: at once, byte by byte, and at random, but
// always alike for the same length.
func Splits(raw []byte) []Split {
	rng := rand.New(rand.NewPCG(uint64(len(raw)), 7))
	return []Split{
		{"whole", func(n int) int { return n }},
		{"one byte", func(int) int { return 1 }},
		{"random", func(rest int) int { return 1 + rng.IntN(min(rest, 200)) }},
	}
}

// Play writes raw in the pieces that the split says.
func (s Split) Play(t *testing.T, c drivers.Conn, raw []byte) {
	t.Helper()
	for rest := raw; len(rest) > 0; {
		n := s.Next(len(rest))
		if _, err := c.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
}

// Link is a way to the driver. Open makes the driver's port; connect connects the
// analyzer's side once the driver runs.
type Link struct {
	Name string
	Open func(t *testing.T) (p drivers.Port, connect func(drivers.Driver) drivers.Conn)
}

// Links are TCP on loopback and, on Linux, a pseudo-terminal as serial line.
func Links() []Link {
	all := []Link{{"tcp", openTCP}}
	if runtime.GOOS == "linux" {
		all = append(all, Link{"pty", openPTY})
	}
	return all
}

func openTCP(t *testing.T) (drivers.Port, func(drivers.Driver) drivers.Conn) {
	p, err := port.Listen(port.ListenConfig{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := port.Bind(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return p, func(drivers.Driver) drivers.Conn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return drivertest.Conn{Conn: c}
	}
}

func openPTY(t *testing.T) (drivers.Port, func(drivers.Driver) drivers.Conn) {
	pty, device, err := simulator.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pty.Close() })
	p, err := port.Serial(port.SerialConfig{Device: device, Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	return p, func(d drivers.Driver) drivers.Conn {
		for d.Status().Link != drivers.LinkConnected {
			runtime.Gosched() // what is written before the line is open is lost, as in life
		}
		c, err := pty.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}
