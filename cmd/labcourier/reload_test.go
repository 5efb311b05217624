package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent"
	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/agent/sandbox"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/porttest"
)

// start runs the agent as `run` does, until the test ends or the function is
// called.
func (w *world) start(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	var said lockedBuffer
	go func() {
		ended <- (&program{in: strings.NewReader(""), out: io.Discard, err: &said}).main(ctx, []string{"run", "--config", w.config})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("it ended with %d: %s", code, said.String())
		}
	})
	t.Cleanup(stop)
	for deadline := time.Now().Add(patience); ; {
		resp, err := http.Get("http://" + w.status + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return stop
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not get ready: %v %s", err, said.String())
		}
		<-time.After(5 * time.Millisecond)
	}
}

// reload is what `labcourier reload` asks for.
func (w *world) reload(t testing.TB) agent.Reloaded {
	t.Helper()
	token, err := admin.ReadToken(filepath.Join(w.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	var done agent.Reloaded
	if err := admin.NewClient(w.status, token).Change(context.Background(), agent.ReloadPath, url.Values{"by": {"cli"}}, &done); err != nil {
		t.Fatal(err)
	}
	return done
}

// rewrite changes the configuration's text.
func (w *world) rewrite(t testing.TB, pairs ...string) {
	t.Helper()
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(pairs...).Replace(string(text))
	if changed == string(text) {
		t.Fatalf("%q are not in\n%s", pairs, text)
	}
	if err := os.WriteFile(w.config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestReloadKeepsLinks: in the middle of a message of one analyzer another one is
// changed, one is removed, one is added, and the server's settings are others. The
// message goes on over the same connection and arrives once.
func TestReloadKeepsLinks(t *testing.T) {
	w := newWorld(t, 4)
	w.startServer()
	added := w.benchs[3]
	all, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.rewrite(t, fmt.Sprintf("name = %q", added.name), fmt.Sprintf("enabled = false\nname = %q", added.name))
	stop := w.start(t)

	b := w.benchs[0]
	c, err := net.Dial("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say := func(p []byte) {
		t.Helper()
		var answer [1]byte
		c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer[:]); err != nil || answer[0] != 0x06 {
			t.Fatalf("answered with %x, %v", answer, err)
		}
	}
	message := b.message(1)
	frames := astm.Frames(message, 64, true)
	say([]byte{0x05})
	for i, f := range frames {
		say(f)
		if i != len(frames)/2 {
			continue
		}
		if err := os.WriteFile(w.config, all, 0o600); err != nil {
			t.Fatal(err)
		}
		w.rewrite(t, fmt.Sprintf("name = %q", w.benchs[1].name), fmt.Sprintf("astm = { checksum = \"any-case\" }\nname = %q", w.benchs[1].name),
			fmt.Sprintf("name = %q", w.benchs[2].name), fmt.Sprintf("enabled = false\nname = %q", w.benchs[2].name),
			"max_parallel = 8", "max_parallel = 3")
		want := fmt.Sprintf("unchanged 1, restarted %s, added %s, removed %s, upstream restarted", w.benchs[1].name, added.name, w.benchs[2].name)
		if did := w.reload(t); did.String() != want {
			t.Fatalf("it did: %s\nnot:    %s", did, want)
		}
	}
	if _, err := c.Write([]byte{0x04}); err != nil {
		t.Fatal(err)
	}
	b.acked = append(b.acked, specimenOf(message))
	b.sent = 1
	for _, on := range []*testBench{w.benchs[1], added} {
		if err := on.run(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := net.Dial("tcp", w.benchs[2].address); err == nil {
		gone.Close()
		t.Error("the analyzer that was removed is still listened for")
	}
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 7); err != nil {
		t.Fatal(err)
	}
	stop()
	if faults := w.faults(); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestReloadWithoutAnalyzer: what waits of an analyzer that is removed stays in
// sight, and goes out once when the analyzer is back.
func TestReloadWithoutAnalyzer(t *testing.T) {
	w := newWorld(t, 2)
	stop := w.start(t)
	w.send(t, 3)
	name := fmt.Sprintf("name = %q", w.benchs[1].name)
	w.rewrite(t, name, "enabled = false\n"+name)
	w.reload(t)
	s, err := status.NewClient(w.status).Status(t.Context())
	if err != nil || len(s.Analyzers) != 2 || s.Analyzers[1].Queued != 3 || !strings.Contains(s.Analyzers[1].Reason, "not in the configuration") {
		t.Errorf("%+v %v", s.Analyzers, err)
	}
	w.rewrite(t, "enabled = false\n", "")
	w.reload(t)
	w.startServer()
	w.reload(t)
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 6); err != nil {
		t.Fatal(err)
	}
	stop()
	if faults := w.faults(); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestReloadShadow: a second server that a reload adds gets what comes from then
// on, and goes on where it was after the next reload.
func TestReloadShadow(t *testing.T) {
	w := newWorld(t, 1)
	w.startServer()
	second := sandbox.New(sandbox.Options{})
	address := porttest.Reserve(t, 1)[0]
	_, end, err := second.Start(address)
	if err != nil {
		t.Fatal(err)
	}
	defer end(context.Background())
	stop := w.start(t)
	w.send(t, 2)
	w.writeConfig(fmt.Sprintf("shadow = true\n[shadow]\nurl = \"http://%s%s\"\n[shadow.auth]\nmethod = \"basic\"\nusername = %q\npassword_file = '%s'\n",
		address, sandbox.BasePath, sandbox.DefaultClientID, filepath.Join(w.dir, "secret")))
	for n, change := range []func(){func() {}, func() { w.rewrite(t, "max_parallel = 8", "max_parallel = 3") }} {
		change()
		if did := w.reload(t); did.String() != "unchanged 1, upstream restarted" {
			t.Errorf("it did: %s", did)
		}
		w.send(t, 3)
		if err := second.Wait(t.Context(), "DiagnosticReport", 3*(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	w.writeConfig("")
	w.reload(t)
	w.send(t, 1)
	if err := w.server.Wait(t.Context(), "DiagnosticReport", 9); err != nil {
		t.Fatal(err)
	}
	stop()
	if n := second.Len("DiagnosticReport"); n != 6 {
		t.Errorf("the second server has %d reports", n)
	}
	if faults := append(w.faults(), append(second.Duplicates(), second.Dangling()...)...); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestReloadPortInUse: a port that somebody else has is no fault of the reload; the
// status says so, as after a start.
func TestReloadPortInUse(t *testing.T) {
	w := newWorld(t, 2)
	w.startServer()
	name := fmt.Sprintf("name = %q", w.benchs[1].name)
	w.rewrite(t, name, "enabled = false\n"+name)
	w.start(t)
	other, err := net.Listen("tcp", w.benchs[1].address)
	if err != nil {
		t.Fatal(err)
	}
	w.rewrite(t, "enabled = false\n", "")
	if did := w.reload(t); !slices.Equal(did.Added, []string{w.benchs[1].name}) {
		t.Errorf("it did: %s", did)
	}
	defer other.Close()
	for deadline := time.Now().Add(patience); ; {
		s, err := status.NewClient(w.status).Status(t.Context())
		if err == nil && s.Analyzers[1].Link == status.LinkDown && strings.Contains(s.Analyzers[1].Reason, "port is in use") {
			return // and it is tried again, as after a start
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v %v", s.Analyzers, err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestStopDuringReload: a stop does not wait for a reload, and a reload that was
// broken off leaves nothing running.
func TestStopDuringReload(t *testing.T) {
	t.Parallel() // its time goes by waiting
	w := newWorld(t, 1)
	w.startServer()
	asked := make(chan struct{}, 100)
	w.server.SetFault(sandbox.OnBundle(func(*http.Request) sandbox.Fault {
		asked <- struct{}{}
		return sandbox.SlowAnswer(time.Hour)
	}))
	stop := w.start(t) // stop_timeout is 10s: a delivery in flight gets 5
	w.send(t, 1)
	<-asked
	w.rewrite(t, "max_parallel = 8", "max_parallel = 3")
	answered := make(chan error, 1)
	token, err := admin.ReadToken(filepath.Join(w.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		answered <- admin.NewClient(w.status, token).Change(context.Background(), agent.ReloadPath, url.Values{}, nil)
	}()
	<-time.After(300 * time.Millisecond)
	stop()
	if err := <-answered; err == nil {
		t.Error("a reload that was broken off is told as done")
	}
}

// TestReloadUnderTraffic reloads again and again while analyzers send. Nothing
// that they saw acknowledged is lost, doubled or out of its order.
func TestReloadUnderTraffic(t *testing.T) {
	t.Parallel() // its time goes by waiting
	rounds := 25
	if heavy() {
		rounds = 300
	}
	w := newWorld(t, 4)
	w.startServer()
	w.server.SetFault(sandbox.OnFHIR(sandbox.Random(7, 0.05, sandbox.LostAnswer(), sandbox.Reply(http.StatusServiceUnavailable))))
	w.rewrite(t, "data_dir", "stop_timeout = \"2s\"\ndata_dir")
	plain, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	stop := w.start(t)
	ctx, enough := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, b := range w.benchs {
		running.Go(func() {
			if err := b.run(ctx, 0); err != nil {
				t.Error(err)
			}
		})
	}
	changes := [][]string{
		{"max_parallel = 8", "max_parallel = 2"},
		{fmt.Sprintf("name = %q", w.benchs[1].name), fmt.Sprintf("astm = { checksum = \"any-case\" }\nname = %q", w.benchs[1].name)},
		{fmt.Sprintf("name = %q", w.benchs[2].name), fmt.Sprintf("enabled = false\nname = %q", w.benchs[2].name)},
		{fmt.Sprintf("name = %q", w.benchs[3].name), fmt.Sprintf("resend_window = \"1h\"\nqc = \"send\"\nname = %q", w.benchs[3].name)},
		{"level = \"error\"", "level = \"warn\""},
	}
	var did []string
	for n := range rounds {
		w.rewrite(t, changes[n%len(changes)]...)
		did = append(did, w.reload(t).String())
		if err := os.WriteFile(w.config, plain, 0o600); err != nil {
			t.Fatal(err)
		}
		if n%3 == 2 {
			did = append(did, w.reload(t).String())
		}
	}
	last := w.reload(t)
	if !slices.ContainsFunc(did, func(s string) bool { return strings.Contains(s, "removed") }) || len(last.Unchanged)+len(last.Added)+len(last.Restarted) != 4 {
		t.Errorf("they did %q", did)
	}
	enough()
	running.Wait()
	w.server.SetFault(nil)
	sent := 0
	for _, b := range w.benchs {
		sent += len(b.acknowledged())
	}
	for deadline := time.Now().Add(90 * time.Second); ; {
		s, err := status.NewClient(w.status).Status(t.Context())
		if err == nil && s.Spool.Queued == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not drained: %+v %v", s, err)
		}
		<-time.After(20 * time.Millisecond)
	}
	stop()
	if faults := w.faults(); len(faults) > 0 {
		t.Errorf("%d faults, the first: %v", len(faults), faults[:min(5, len(faults))])
	}
	t.Logf("%d reloads, %d messages acknowledged", len(did)+1, sent)
}
