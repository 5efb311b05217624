package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/clientkey"
)

// claims is what an assertion says.
type claims struct {
	Kid, Iss, Aud, Jti string
	Nbf, Exp           int64
}

// readAssertion reads the assertion of a token request. That signatures are
// right is shown in package clientkey.
func readAssertion(t *testing.T, r *http.Request) (c claims) {
	t.Helper()
	if r.FormValue("client_assertion_type") != clientkey.AssertionType || r.FormValue("client_secret") != "" || r.Header.Get("Authorization") != "" {
		t.Errorf("form %v, header %v", r.Form, r.Header)
	}
	parts := strings.Split(r.FormValue("client_assertion"), ".")
	for _, p := range parts[:min(2, len(parts))] {
		raw, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil || json.Unmarshal(raw, &c) != nil {
			t.Errorf("assertion %q", p)
		}
	}
	return c
}

// newKey returns a private key as a file holds it, and its id.
func newKey(t *testing.T) (text, id string) {
	t.Helper()
	k, err := clientkey.New(clientkey.ES384)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem), k.ID()
}

// byKey makes an endpoint that takes assertions of the key with the id that
// known names, by a clock that is ahead of the bubble's, and tells its time.
func byKey(t *testing.T, known *string, ahead time.Duration, seen *[]claims) func(*http.Request) (*http.Response, error) {
	next := tokens(100)
	return func(r *http.Request) (*http.Response, error) {
		c, now := readAssertion(t, r), time.Now().Add(ahead)
		*seen = append(*seen, c)
		give := next
		if c.Kid != *known || now.Unix() < c.Nbf || now.Unix() > c.Exp || c.Exp-c.Nbf > 300 {
			give = jsonAnswer(401, `{"error":"invalid_client","error_description":"client authentication failed"}`)
		}
		res, err := give(r)
		res.Header.Set("Date", now.UTC().Format(http.TimeFormat))
		return res, err
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	text, id := newKey(t)
	for _, aud := range []string{"", "https://auth.example/realm"} {
		var seen []claims
		inWorld(t, func(o *Options, w *world) {
			o.Method, o.ClientSecret, o.ClientAuth, o.AssertionAudience = MethodOAuth2, nil, ByKey, aud
			o.Key = func() (string, error) { return text, nil }
			w.token = byKey(t, &id, 0, &seen)
		}, func(w *world) {
			for range 500 {
				w.mustHeader("Bearer ")
				time.Sleep(time.Second)
			}
			if strings.Contains(w.log.String(), "ey") {
				t.Errorf("an assertion in the log: %s", w.log)
			}
		})
		if len(seen) < 6 || len(seen) > 8 {
			t.Errorf("%d token requests in 500 s of tokens that live 100 s", len(seen))
		}
		jtis := map[string]bool{}
		for _, c := range seen {
			jtis[c.Jti] = true
			if c.Iss != "client-1" || aud == "" && c.Aud != "https://auth.example/token" || aud != "" && c.Aud != aud {
				t.Errorf("claims %+v", c)
			}
		}
		if len(jtis) != len(seen) {
			t.Errorf("%d ids in %d assertions", len(jtis), len(seen))
		}
	}
}

// TestClockAnHourOff: an assertion is dated by the server's clock; one refusal
// is enough to learn it, and nobody hears of that.
func TestClockAnHourOff(t *testing.T) {
	text, id := newKey(t)
	for _, ahead := range []time.Duration{time.Hour, -time.Hour, 20 * time.Second} {
		var seen []claims
		inWorld(t, func(o *Options, w *world) {
			o.Method, o.ClientSecret, o.ClientAuth = MethodOAuth2, nil, ByKey
			o.Key = func() (string, error) { return text, nil }
			w.token = byKey(t, &id, ahead, &seen)
		}, func(w *world) {
			start := time.Now()
			w.mustHeader("Bearer ")
			if s := w.a.State(); s.LastError != "" || time.Since(start) > 0 {
				t.Errorf("%s ahead: %+v after %s", ahead, s, time.Since(start))
			}
			wasted := map[bool]int{true: 1}[ahead.Abs() > time.Minute]
			if len(seen) != 1+wasted {
				t.Errorf("%s ahead: %d token requests", ahead, len(seen))
			}
			for range 300 {
				w.mustHeader("Bearer ")
				time.Sleep(time.Second)
			}
			if len(seen) > 5+wasted {
				t.Errorf("%s ahead: %d token requests in 300 s", ahead, len(seen))
			}
		})
	}
}

// TestKeyRotation: a new key is picked up from its place within seconds, once
// the old one is refused, and a broken one on the way does no harm.
func TestKeyRotation(t *testing.T) {
	old, oldID := newKey(t)
	next, nextID := newKey(t)
	var seen []claims
	inWorld(t, func(o *Options, w *world) {
		o.Method, o.ClientSecret, o.ClientAuth, o.Key = MethodOAuth2, nil, ByKey, w.readSecret
		w.secret = old
		w.token = byKey(t, &oldID, 0, &seen)
	}, func(w *world) {
		w.mustHeader("Bearer ")
		w.set(byKey(t, &nextID, 0, &seen)) // at the server first
		time.Sleep(10 * time.Minute)
		if _, _, err := w.header(); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("with a withdrawn key: %v", err)
		}
		w.setSecret("-----BEGIN PRIVATE KEY-----", nil) // half written
		time.Sleep(time.Minute)
		if _, _, err := w.header(); err == nil || !strings.Contains(err.Error(), "client key") {
			t.Errorf("with half a key: %v", err)
		}
		w.setSecret(next, nil)
		time.Sleep(2 * secretPoll)
		w.mustHeader("Bearer ")
	})
}

// TestSecretRotationUnnoticed: a secret that is replaced in time costs nothing,
// not even one refused request.
func TestSecretRotationUnnoticed(t *testing.T) {
	inWorld(t, func(o *Options, w *world) {
		next := tokens(100)
		w.token = func(r *http.Request) (*http.Response, error) {
			now, _ := w.readSecret()
			if _, s, _ := r.BasicAuth(); s != now {
				return jsonAnswer(401, `{"error":"invalid_client"}`)(r)
			}
			return next(r)
		}
	}, func(w *world) {
		w.mustHeader("Bearer ")
		time.Sleep(50 * time.Second)
		w.setSecret("second", nil)
		for range 100 {
			w.mustHeader("Bearer ")
			time.Sleep(time.Second)
		}
		if s := w.a.State(); s.LastError != "" {
			t.Errorf("state %+v", s)
		}
		if last := w.secrets[len(w.secrets)-1]; last != "second" {
			t.Errorf("the last request carried %q", last)
		}
	})
}

// TestByTLS: the certificate is in the connection, the form names the client.
func TestByTLS(t *testing.T) {
	inWorld(t, func(o *Options, w *world) {
		o.Method, o.ClientSecret, o.ClientAuth = MethodOAuth2, nil, ByTLS
		next := tokens(100)
		w.token = func(r *http.Request) (*http.Response, error) {
			if r.FormValue("client_id") != "client-1" || r.FormValue("client_secret") != "" || r.Header.Get("Authorization") != "" {
				t.Errorf("form %v, header %v", r.Form, r.Header)
			}
			return next(r)
		}
	}, func(w *world) { w.mustHeader("Bearer token-1") })
}

// TestRefusedCertificate: an alert about the certificate is a no, however long
// it lasts, and not a network that fails.
func TestRefusedCertificate(t *testing.T) {
	for words, fault := range map[string]Fault{
		"tls: bad certificate": Refused, "tls: certificate required": Refused, "tls: access denied": Refused,
		"tls: expired certificate": Refused, "tls: internal error": Unreachable,
	} {
		inWorld(t, func(o *Options, w *world) {
			o.Method, o.ClientAuth = MethodAuto, ByTLS
			o.Username, o.Password = "u", w.readSecret
			w.token = func(r *http.Request) (*http.Response, error) {
				return nil, &url.Error{Op: "Post", URL: "x", Err: &net.OpError{Op: "remote error", Err: errors.New(words)}}
			}
		}, func(w *world) {
			time.Sleep(time.Hour)
			_, _, err := w.header()
			if e, ok := errors.AsType[*Error](err); fault == Refused && (!ok || e.Fault != Refused) || w.a.State().Fallback != (fault != Refused) {
				t.Errorf("%s: %v, %+v", words, err, w.a.State())
			}
		})
	}
}
