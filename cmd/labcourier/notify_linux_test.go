package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSystemdIsTold runs the agent as systemd does and listens to what it says.
func TestSystemdIsTold(t *testing.T) {
	w := newWorld(t, 2)
	w.startServer()
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt((300*time.Millisecond).Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		p := &program{in: strings.NewReader(""), out: w.log, err: w.log}
		ended <- p.main(ctx, []string{"run", "--config", w.config})
	}()
	words := make(chan string, 10_000)
	go func() { // always, as systemd does: who speaks waits while the socket is full
		b := make([]byte, 4096)
		for {
			n, err := l.Read(b)
			if err != nil {
				close(words)
				return
			}
			words <- string(b[:n])
		}
	}()
	hear := func(word string) string {
		t.Helper()
		late := time.After(patience)
		for {
			select {
			case said := <-words:
				if strings.HasPrefix(said, word) {
					return said
				}
			case <-late:
				t.Fatalf("systemd never hears %s", word)
			}
		}
	}
	if said := hear("READY=1"); !strings.Contains(said, "STATUS=2 analyzers, 0 messages waiting, 0 parked") {
		t.Errorf("at ready it says %q", said)
	}
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	w.reload(t)
	if said := hear("RELOADING=1"); !regexp.MustCompile(`\nMONOTONIC_USEC=[0-9]+\n`).MatchString(said) {
		t.Errorf("at a reload it says %q", said)
	}
	hear("READY=1")
	hear("WATCHDOG=1")
	stop()
	hear("STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000")
	if code := <-ended; code != exitDone {
		t.Errorf("it ends with %d", code)
	}
}
