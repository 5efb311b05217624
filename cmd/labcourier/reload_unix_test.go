//go:build !windows

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/drivers/porttest"
)

// TestReloadSwapsServer: messages wait for a server that is away, one of them in
// flight to it and without an answer; a reload names another server, and all of
// them arrive there once.
func TestReloadSwapsServer(t *testing.T) {
	w := newWorld(t, 3)
	unanswered := w.serveConns(t)
	asked := make(chan struct{}, 100)
	w.server.SetFault(sandbox.OnBundle(func(r *http.Request) sandbox.Fault {
		unanswered.add(r)
		asked <- struct{}{}
		return sandbox.SlowAnswer(time.Hour)
	}))
	w.rewrite(t, "data_dir", "stop_timeout = \"2s\"\ndata_dir")
	stop := w.start(t)
	w.send(t, 10)
	<-asked

	second := sandbox.New(sandbox.Options{})
	second.SetFault(sandbox.OnBundle(func(*http.Request) sandbox.Fault {
		if n := unanswered.held(t); n > 0 {
			t.Errorf("it delivers here and waits for %d answers of the first server", n)
		}
		return sandbox.Fault{}
	}))
	base, end, err := second.Start(porttest.Reserve(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer end(context.Background())
	w.rewrite(t, w.base, strings.TrimSuffix(base, sandbox.BasePath))
	if did := w.reload(t); did.String() != "unchanged 3, upstream restarted" {
		t.Fatalf("it did: %s", did)
	}
	w.send(t, 5)
	if err := second.Wait(t.Context(), "DiagnosticReport", 45); err != nil {
		t.Fatal(err)
	}
	s, err := status.NewClient(w.status).Status(t.Context())
	if err != nil || s.Server.URL != strings.TrimSuffix(base, sandbox.BasePath)+sandbox.BasePath || s.Spool.Delivered > 45 || s.Spool.Parked != 0 {
		t.Errorf("%+v %+v %v", s.Server, s.Spool, err)
	}
	stop()
	w.server = second
	if faults := w.faults(); len(faults) > 0 {
		t.Error(faults)
	}
}

// asking are the connections whose requests have no answer.
type asking struct {
	mu    sync.Mutex
	conns []*net.TCPConn
}

type connKey struct{}

// serveConns is startServer, and lets a fault tell a request's connection.
func (w *world) serveConns(t *testing.T) *asking {
	l, err := net.Listen("tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: w.server, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() { srv.Close(); <-served })
	return &asking{}
}

func (a *asking) add(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns = append(a.conns, r.Context().Value(connKey{}).(*net.TCPConn))
}

// held is how many of the connections the other end has not closed. It asks the
// system: the server itself hears of it when its goroutine comes to it.
func (a *asking) held(t *testing.T) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.conns {
		raw, err := c.SyscallConn()
		if err != nil {
			t.Error(err)
			continue
		}
		_ = raw.Control(func(fd uintptr) { // fails if the server has closed it since
			if _, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT); errors.Is(err, syscall.EAGAIN) {
				n++
			}
		})
	}
	return n
}

// TestHangup sends SIGHUP to the real program: it reloads, and a file with faults
// changes nothing and does not end it.
func TestHangup(t *testing.T) {
	w := newWorld(t, 2)
	w.startServer()
	w.logKeys = "level = \"info\"\nformat = \"json\"\n"
	w.writeConfig("")
	child := startAgent(t, build(t, ""), w.config)
	look := func(ok func(status.Snapshot) bool) status.Snapshot {
		t.Helper()
		for deadline := time.Now().Add(patience); ; {
			s, err := status.NewClient(w.status).Status(t.Context())
			if err == nil && ok(s) {
				return s
			}
			if time.Now().After(deadline) {
				t.Fatalf("%+v, %v\n%s", s.Config, err, child.errors)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
	hangup := func() {
		if err := child.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	first := look(func(s status.Snapshot) bool {
		return len(s.Analyzers) == 2 && s.Analyzers[1].Link == status.LinkListening
	})
	last := fmt.Sprintf("name = %q", w.benchs[1].name)
	w.rewrite(t, last, "enabled = false\n"+last)
	hangup()
	second := look(func(s status.Snapshot) bool { return len(s.Analyzers) == 1 })
	if second.Config.Digest == first.Config.Digest || second.Agent.Started != first.Agent.Started {
		t.Errorf("%+v, then %+v", first, second)
	}
	w.rewrite(t, "enabled = false\n"+last, last+"\nenabld = true")
	hangup()
	if s := look(func(s status.Snapshot) bool { return s.Config.Refused }); len(s.Analyzers) != 1 || s.Config.Digest != second.Config.Digest {
		t.Errorf("%+v", s)
	}
	w.rewrite(t, "\nenabld = true", "")
	hangup()
	look(func(s status.Snapshot) bool { return len(s.Analyzers) == 2 && !s.Config.Refused })
	w.send(t, 2)
	w.drain(t, child)
	if faults := w.faults(); len(faults) > 0 {
		t.Error(faults)
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, child.errors)
	}
}
