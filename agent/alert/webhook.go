package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Webhook posts notices to a web address; see the package's comment.
type Webhook struct {
	URL   string
	HTTP  *http.Client
	Token func() (string, error) // a bearer token; nil: none
	Key   func() (string, error) // signs the body; nil: nothing is signed
}

var _ Way = Webhook{}

// Name is the address without path and query, which may hold a secret.
func (w Webhook) Name() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return "webhook"
	}
	return "webhook " + u.Scheme + "://" + u.Host
}

// Receivers is the address.
func (w Webhook) Receivers() []string { return []string{w.URL} }

// Send posts n.
func (w Webhook) Send(ctx context.Context, n Notice, _ []string) error {
	r, err := w.request(ctx, n)
	if err != nil {
		return fmt.Errorf("%s: %w", w.Name(), err)
	}
	client := *w.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err // it has the whole address otherwise
		}
		return fmt.Errorf("%s: %w", w.Name(), err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: it answers %d %s; check its address and its token", w.Name(), answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return nil
}

func (w Webhook) request(ctx context.Context, n Notice) (*http.Request, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its address is none")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "labcourier/"+n.AgentVersion)
	if w.Token != nil {
		token, err := w.Token()
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if w.Key != nil {
		key, err := w.Key()
		if err != nil {
			return nil, err
		}
		r.Header.Set("Labcourier-Signature", signature(key, time.Now(), body))
	}
	return r, nil
}

func signature(key string, now time.Time, body []byte) string {
	t := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(t + "."))
	_, _ = mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
