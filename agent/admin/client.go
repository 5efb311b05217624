package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labcourier/labcourier/spool"
)

// Client calls a Handler.
type Client struct {
	base  string
	token Token
	http  *http.Client
}

// NewClient returns a client of the agent whose status endpoint is at address.
// It uses no proxy: the endpoint is on this computer.
func NewClient(address string, token Token) *Client {
	return &Client{base: "http://" + address + Prefix, token: token, http: &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// InProcess returns a client that calls a handler over s directly. The handler
// is given to each of more first, which may add to it.
func InProcess(s *spool.Spool, more ...func(*Handler)) *Client {
	const token = "in process"
	h := NewHandler(s, nil, token)
	for _, add := range more {
		add(h)
	}
	return Direct(h, token)
}

// Direct returns a client that calls h, which knows token, directly.
func Direct(h http.Handler, token Token) *Client {
	return &Client{base: "http://in-process" + Prefix, token: token, http: &http.Client{Transport: direct{h}}}
}

// Query selects messages. The zero Query selects all.
type Query struct {
	Analyzer string
	State    string
	After    spool.Seq
	Limit    int // 0: 100 in a list, all in an export

	// For a list: the greatest number first, numbers below Before, received
	// between Since and Until.
	Newest       bool
	Before       spool.Seq
	Since, Until time.Time
}

func (q Query) encode() string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" && value != "0" {
			v.Set(name, value)
		}
	}
	set("analyzer", q.Analyzer)
	set("state", q.State)
	set("after", strconv.FormatUint(uint64(q.After), 10))
	set("limit", strconv.Itoa(q.Limit))
	set("before", strconv.FormatUint(uint64(q.Before), 10))
	if q.Newest {
		set("order", "newest")
	}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return "?" + v.Encode()
}

// Ask asks what was added with Handler.Handle.
func (c *Client) Ask(ctx context.Context, path string, v url.Values, out any) error {
	return c.call(ctx, http.MethodGet, path+"?"+v.Encode(), nil, out)
}

// Change asks for what was added with Handler.HandleChange.
func (c *Client) Change(ctx context.Context, path string, v url.Values, out any) error {
	return c.call(ctx, http.MethodPost, path+"?"+v.Encode(), nil, out)
}

// List returns messages in the order of their numbers, or the newest first.
func (c *Client) List(ctx context.Context, q Query) (out []Message, err error) {
	return out, c.call(ctx, http.MethodGet, "messages"+q.encode(), nil, &out)
}

// Get returns a message with its content. The look is audited.
func (c *Client) Get(ctx context.Context, q spool.Seq) (out Content, err error) {
	return out, c.call(ctx, http.MethodGet, path(q, ""), nil, &out)
}

// Retry puts a message back to its lane.
func (c *Client) Retry(ctx context.Context, q spool.Seq) error {
	return c.call(ctx, http.MethodPost, path(q, "/retry"), nil, nil)
}

// Discard gives a message up, for a reason that stays in the audit log.
func (c *Client) Discard(ctx context.Context, q spool.Seq, reason string) error {
	body, err := json.Marshal(map[string]string{"reason": reason})
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path(q, "/discard"), bytes.NewReader(body), nil)
}

// Export writes messages with their content to w.
func (c *Client) Export(ctx context.Context, q Query, w io.Writer) error {
	return c.download(ctx, "export"+q.encode(), w)
}

// Import takes in what Export wrote.
func (c *Client) Import(ctx context.Context, r io.Reader) (out spool.Imported, err error) {
	return out, c.call(ctx, http.MethodPost, "import", r, &out)
}

// Backup writes the whole spool to w.
func (c *Client) Backup(ctx context.Context, w io.Writer) error { return c.download(ctx, "backup", w) }

// Compact gives unused space in the spool's file back to the disk.
func (c *Client) Compact(ctx context.Context) (out Compacted, err error) {
	return out, c.call(ctx, http.MethodPost, "compact", nil, &out)
}

// Rekey seals all messages with the newest key.
func (c *Client) Rekey(ctx context.Context) (out Rekeyed, err error) {
	return out, c.call(ctx, http.MethodPost, "rekey", nil, &out)
}

// Audit returns entries of the audit log after number n.
func (c *Client) Audit(ctx context.Context, n uint64, limit int) (out []spool.AuditEntry, err error) {
	return out, c.call(ctx, http.MethodGet, "audit"+Query{After: spool.Seq(n), Limit: limit}.encode(), nil, &out)
}

// Traffic is what passes over an analyzer's link from now on, as a recording in the
// format of drivers/trace, until ctx ends or the reader is closed. The look is
// audited.
func (c *Client) Traffic(ctx context.Context, analyzer string) (io.ReadCloser, error) {
	resp, err := c.do(ctx, http.MethodGet, "analyzers/"+url.PathEscape(analyzer)+"/traffic", nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Login is the answer to [Client.Login].
type Login struct {
	Path string `json:"path"` // at the status endpoint
}

// Login returns the path of a page that signs a browser in, once and within a
// minute.
func (c *Client) Login(ctx context.Context) (out Login, err error) {
	return out, c.call(ctx, http.MethodPost, "login", nil, &out)
}

func path(q spool.Seq, verb string) string {
	return "messages/" + strconv.FormatUint(uint64(q), 10) + verb
}

func (c *Client) call(ctx context.Context, method, path string, body io.Reader, out any) error {
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the agent's answer: %w", err)
	}
	return nil
}

func (c *Client) download(ctx context.Context, path string, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read the agent's answer: %w", err)
	}
	if resp.Trailer.Get(wholeTrailer) == "" {
		return errors.New("the agent's answer broke off: what was written is not whole")
	}
	return nil
}

// do makes a call; an answer that is none of 2xx is an *Error.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+string(c.token))
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("read the agent's answer: %w", err)
	}
	e := &Error{Status: resp.StatusCode}
	if json.Unmarshal(text, e) != nil || e.Text == "" {
		e.Text = "the agent answered " + resp.Status + ": " + strings.TrimSpace(string(text))
	}
	return nil, e
}
