package status

import (
	"bufio"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestEvents hears of a change, and of nothing while nothing changes.
func TestEvents(t *testing.T) {
	var parked atomic.Bool
	addr := start(t, Options{Source: fakeSource{func() Snapshot {
		if parked.Load() {
			return with(parkedTwo)
		}
		return healthy()
	}, func() error { return nil }}})
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + addr + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("content type %s", kind)
	}
	lines := bufio.NewScanner(resp.Body)
	hear := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		t.Fatal(lines.Err())
		return ""
	}
	if first := hear(); !strings.HasPrefix(first, "retry: ") {
		t.Fatalf("began with %q", first)
	}
	parked.Store(true)
	if said := hear(); !strings.HasPrefix(said, "data: ") {
		t.Fatalf("said %q", said)
	}
}

// TestEventStreamsAreFew refuses more streams than it serves.
func TestEventStreamsAreFew(t *testing.T) {
	addr := start(t, Options{Source: healthySource()})
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i := range maxStreams + 1 {
		resp, err := c.Get("http://" + addr + "/events")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if want := i < maxStreams; (resp.StatusCode == http.StatusOK) != want {
			t.Errorf("stream %d: %s", i, resp.Status)
		}
	}
}
