package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

// TestIdle measures the agent at rest with four analyzers connected.
func TestIdle(t *testing.T) {
	if !heavy() {
		t.Skip("set LABCOURIER_CRASH=1: it looks at the agent for ten seconds")
	}
	const maxRSS = 25 << 20
	w := newWorld(t, 4)
	w.startServer()
	child := startAgent(t, build(t, ""), w.config)
	for _, b := range w.benchs {
		c, err := net.Dial("tcp", b.address)
		for err != nil {
			c, err = net.Dial("tcp", b.address)
		}
		defer c.Close()
	}
	for {
		s, err := status.NewClient(w.status).Status(t.Context())
		if err == nil && s.Server.Auth.Method != "" && s.Analyzers[3].Link == status.LinkConnected {
			break
		}
	}
	before := cpuTicks(t, child.Process.Pid)
	<-time.After(10 * time.Second)
	ticks := cpuTicks(t, child.Process.Pid) - before
	rss := residentBytes(t, child.Process.Pid)
	t.Logf("at rest: %.1f MiB resident (limit 25), %d ms of CPU in 10 s", float64(rss)/(1<<20), ticks*10)
	if rss > maxRSS {
		t.Errorf("%d bytes resident, the limit is %d", rss, maxRSS)
	}
	if ticks > 5 { // 50 ms in 10 s are half a percent of a core
		t.Errorf("%d ms of CPU in 10 s at rest", ticks*10)
	}
}

// cpuTicks is the processor time of a process in hundredths of a second.
func cpuTicks(t *testing.T, pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

func residentBytes(t *testing.T, pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kb, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kb << 10
}
