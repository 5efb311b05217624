package status

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client asks a running agent's endpoint.
type Client struct {
	base string
	http *http.Client
}

// maxStatus bounds what a client reads: thousands of analyzers.
const maxStatus = 8 << 20

// NewClient returns a client of the endpoint at base: "http://127.0.0.1:8686"
// or "127.0.0.1:8686". It uses no proxy, since the endpoint is on this computer.
func NewClient(base string) *Client {
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	return &Client{base: strings.TrimRight(base, "/"), http: &http.Client{
		Timeout:       5 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Status asks for a snapshot. Its errors say what to do.
func (c *Client) Status(ctx context.Context) (Snapshot, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/status", nil)
	if err != nil {
		return Snapshot{}, fmt.Errorf("ask for status: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Snapshot{}, fmt.Errorf("ask for status: %w: is labcourier running, and is %s its [status] listen?", err, c.base)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Snapshot{}, fmt.Errorf("ask for status at %s: answered %s: something else may listen there; compare [status] listen", c.base, resp.Status)
	}
	var s Snapshot
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxStatus)).Decode(&s); err != nil {
		return Snapshot{}, fmt.Errorf("read status from %s: %w: something else may listen there; compare [status] listen", c.base, err)
	}
	return s, nil
}
