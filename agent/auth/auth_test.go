package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTokenEndpointAnswers walks every answer through both methods. "basic"
// must come out where the OAuth2 route is unavailable, and nowhere else.
func TestTokenEndpointAnswers(t *testing.T) {
	page := answer(200, "text/html", "<html>Sign in s3cr3t</html>")
	tests := []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		fault  Fault // "" means a token
		auto   string
	}{
		{"token", jsonAnswer(200, `{"access_token":"t","expires_in":3600,"token_type":"bearer"}`), "", "Bearer t"},
		{"no expires_in", jsonAnswer(200, `{"access_token":"t"}`), "", "Bearer t"},
		{"expires_in in quotes with a point", jsonAnswer(200, `{"access_token":"t","expires_in":"3600.0"}`), "", "Bearer t"},
		{"expires_in empty", jsonAnswer(200, `{"access_token":"t","expires_in":""}`), "", "Bearer t"},
		{"expires_in negative", jsonAnswer(200, `{"access_token":"t","expires_in":-5}`), "", "Bearer t"},
		{"expires_in absurd", jsonAnswer(200, `{"access_token":"t","expires_in":1e300}`), "", "Bearer t"},
		{"JSON labelled text", answer(200, "text/plain", `{"access_token":"t","expires_in":9}`), "", "Bearer t"},
		{"form", answer(200, "application/x-www-form-urlencoded", "access_token=t&expires_in=60"), "", "Bearer t"},

		{"Medplum, wrong secret", jsonAnswer(400, `{"error":"invalid_request","error_description":"Invalid secret"}`), Refused, ""},
		{"Medplum, unknown client", jsonAnswer(400, `{"error":"invalid_request","error_description":"Invalid client"}`), Refused, ""},
		{"Medplum, address not allowed", jsonAnswer(400, `{"error":"invalid_request","error_description":"IP address not allowed"}`), Refused, ""},
		{"echoes the secret", jsonAnswer(400, `{"error":"invalid_client","error_description":"bad secret s3cr3t-value"}`), Refused, ""},
		{"401 invalid_client", jsonAnswer(401, `{"error":"invalid_client"}`), Refused, ""},
		{"404 invalid_client", jsonAnswer(404, `{"error":"invalid_client"}`), Refused, ""},
		{"200 with an error", jsonAnswer(200, `{"error":"invalid_grant"}`), Refused, ""},
		{"401 with a page", answer(401, "text/html", "<html>"), Refused, ""},
		{"403", jsonAnswer(403, ``), Refused, ""},
		{"400 plain text", answer(400, "text/plain", "Unsupported content type"), Refused, ""},
		{"Keycloak, wrong secret", jsonAnswer(401, `{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}`), Refused, ""},
		{"401 unauthorized_client", jsonAnswer(401, `{"error":"unauthorized_client"}`), Refused, ""},
		{"old Keycloak, wrong secret", jsonAnswer(400, `{"error":"unauthorized_client","error_description":"Invalid client secret"}`), Refused, ""},

		{"404", answer(404, "text/html", "<html>"), Unavailable, "Basic "},
		{"404 of some API", jsonAnswer(404, `{"error":"not_found"}`), Unavailable, "Basic "},
		{"404 in OAuth2's words", jsonAnswer(404, `{"error":"server_error","error_description":"Not Found"}`), Unavailable, "Basic "},
		{"405", answer(405, "text/plain", "no"), Unavailable, "Basic "},
		{"410", answer(410, "text/plain", "gone"), Unavailable, "Basic "},
		{"501", jsonAnswer(501, ``), Unavailable, "Basic "},
		{"unsupported_grant_type", jsonAnswer(400, `{"error":"unsupported_grant_type"}`), Unavailable, "Basic "},
		{"unauthorized_client", jsonAnswer(400, `{"error":"unauthorized_client"}`), Unavailable, "Basic "},

		{"429", jsonAnswer(429, `{}`), Limited, ""},
		{"slow_down", jsonAnswer(400, `{"error":"slow_down"}`), Limited, ""},

		{"502", answer(502, "text/html", "<html>bad gateway"), Unreachable, ""},
		{"503 in OAuth2's words", jsonAnswer(400, `{"error":"temporarily_unavailable"}`), Unreachable, ""},
		{"a page", page, Unreachable, ""},
		{"empty object", jsonAnswer(200, `{}`), Unreachable, ""},
		{"empty", jsonAnswer(200, ``), Unreachable, ""},
		{"cut off", jsonAnswer(200, `{"access_token":"t","exp`), Unreachable, ""},
		{"MAC token", jsonAnswer(200, `{"access_token":"t","token_type":"mac"}`), Unreachable, ""},
		{"token with a line break", jsonAnswer(200, `{"access_token":"t\nX-Evil: 1"}`), Unreachable, ""},
		{"redirect", func(r *http.Request) (*http.Response, error) {
			res, _ := answer(307, "text/html", "")(r)
			res.Header.Set("Location", "https://evil.example/")
			return res, nil
		}, Unreachable, ""},
		{"connection refused", down, Unreachable, ""},
		{"silence", hang, Unreachable, ""},
	}
	for _, test := range tests {
		for _, method := range []string{MethodOAuth2, MethodAuto} {
			t.Run(test.name+"/"+method, func(t *testing.T) {
				inWorld(t, func(o *Options, w *world) { o.Method = method; w.token = test.answer }, func(w *world) {
					h, ticket, err := w.header()
					switch {
					case method == MethodAuto && test.auto != "":
						if err != nil || !strings.HasPrefix(h, test.auto) {
							t.Errorf("header %q, %v; want %q", h, err, test.auto)
						}
						if s := w.a.State(); s.Fallback != strings.HasPrefix(test.auto, "Basic") || s.Method != ticket.Method() || s.Fallback && s.Reason == "" {
							t.Errorf("state %+v", s)
						}
					case test.fault == "":
						if err != nil || h != "Bearer t" {
							t.Errorf("header %q, %v", h, err)
						}
					default:
						fault, ok := errors.AsType[*Error](err)
						if !ok || fault.Fault != test.fault || fault.Wait <= 0 {
							t.Errorf("got %#v, want %s and a wait", err, test.fault)
						}
						if h != "" || strings.Contains(err.Error(), "s3cr3t") {
							t.Errorf("header %q, error %v", h, err)
						}
					}
				})
			})
		}
	}
}

// TestRefusedNeverBasic: whatever comes before and after, and for however
// long, refused credentials are never sent by Basic.
func TestRefusedNeverBasic(t *testing.T) {
	wrong := jsonAnswer(400, `{"error":"invalid_request","error_description":"Invalid secret"}`)
	inWorld(t, func(o *Options, w *world) { w.token = wrong }, func(w *world) {
		for range 24 * 60 {
			if _, _, err := w.header(); err == nil {
				t.Fatal("a header without credentials")
			}
			time.Sleep(time.Minute)
		}
		if s := w.a.State(); w.basics != 0 || s.Fallback || s.Method != MethodOAuth2 || !strings.Contains(s.Reason, "refused") {
			t.Errorf("%d times Basic, state %+v", w.basics, s)
		}
		if n := w.requests(); n > 24*90 {
			t.Errorf("%d token requests in a day", n)
		}
	})
}

// TestRefusedEndsFallback: OAuth2 that is back and says no is a no.
func TestRefusedEndsFallback(t *testing.T) {
	inWorld(t, func(o *Options, w *world) { w.token = answer(404, "text/plain", "") }, func(w *world) {
		w.mustHeader("Basic ")
		w.set(jsonAnswer(401, `{"error":"invalid_client"}`))
		time.Sleep(DefaultReprobe + time.Second)
		before := w.basics
		time.Sleep(time.Hour)
		if h, _, err := w.header(); err == nil {
			t.Errorf("header %q after a refusal", h)
		}
		if s := w.a.State(); s.Fallback || w.basics != before {
			t.Errorf("still in fallback: %+v", s)
		}
	})
}

func TestSecretRotation(t *testing.T) {
	inWorld(t, func(o *Options, w *world) {
		w.token = func(r *http.Request) (*http.Response, error) {
			if _, secret, _ := r.BasicAuth(); secret == "new-secret" {
				return jsonAnswer(200, `{"access_token":"t","expires_in":3600}`)(r)
			}
			return jsonAnswer(400, `{"error":"invalid_request","error_description":"Invalid secret"}`)(r)
		}
	}, func(w *world) {
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.setSecret("new-secret", nil)
		before := time.Now()
		for {
			if _, _, err := w.header(); err == nil {
				break
			}
			if time.Sleep(time.Second); time.Since(before) > time.Hour {
				break
			}
		}
		if took := time.Since(before); took > 2*secretPoll {
			t.Errorf("the new secret was taken up after %s", took)
		}
	})
}

func TestUnreadableSecret(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.mustHeader("Bearer ")
		w.setSecret("", errors.New("open /etc/x: permission denied"))
		time.Sleep(2 * time.Hour)
		_, _, err := w.header()
		if err == nil || !strings.Contains(err.Error(), "permission denied") || w.a.State().Fallback {
			t.Errorf("got %v, %+v", err, w.a.State())
		}
	})
}

func TestAuthorizeKeepsToItsContext(t *testing.T) {
	inWorld(t, func(o *Options, w *world) { w.token = hang }, func(w *world) {
		ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := w.a.Authorize(ctx, mustRequest())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}

func TestAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := New(Options{
			Method: MethodOAuth2, TokenURL: "https://auth.example/token", BaseURL: "https://fhir.example/",
			ClientID: "c", ClientSecret: func() (string, error) { return "s", nil },
			HTTP: &http.Client{Transport: roundTripper(hang)},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a.Run(ctx)
		if _, err := a.Authorize(t.Context(), mustRequest()); !errors.Is(err, errStopped) {
			t.Errorf("got %v", err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestCredentialsStayHome: no header for another origin, nor over plain http.
func TestCredentialsStayHome(t *testing.T) {
	inWorld(t, func(o *Options, w *world) { o.Method = MethodBasic }, func(w *world) {
		for _, address := range []string{
			"http://fhir.example/fhir/R4", "https://evil.example/fhir/R4", "https://fhir.example:8443/", "http://127.0.0.1/",
		} {
			r, err := http.NewRequest("GET", address, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.a.Authorize(w.ctx, r); err == nil || r.Header.Get("Authorization") != "" {
				t.Errorf("%s got credentials", address)
			}
		}
		w.mustHeader("Basic ")
	})
}

func TestStyles(t *testing.T) {
	for _, style := range []ClientAuth{ByForm, ByHeader} {
		inWorld(t, func(o *Options, w *world) {
			o.ClientAuth, o.Scopes, o.Audience = style, []string{"system/Observation.c", "openid"}, "https://fhir.example"
			next := tokens(60)
			w.token = func(r *http.Request) (*http.Response, error) {
				_, _, header := r.BasicAuth()
				if header != (style == ByHeader) || r.FormValue("scope") != "system/Observation.c openid" || r.FormValue("audience") != "https://fhir.example" {
					t.Errorf("%s: header %v, form %v", style, header, r.Form)
				}
				return next(r)
			}
		}, func(w *world) {
			w.mustHeader("Bearer token-1")
			if w.secrets[0] != "s3cr3t-value" || len(w.secrets) != 1 {
				t.Errorf("%s: the secret did not arrive", style)
			}
		})
	}
}

// TestMonotonic: a lifetime that is counted on the wall clock alone would go
// wrong when somebody sets it.
func TestMonotonic(t *testing.T) {
	tok, fault := readToken(bearer(3600), time.Now())
	if fault != nil || !strings.Contains(tok.expires.String(), "m=") || !strings.Contains(tok.renewAt().String(), "m=") {
		t.Errorf("%v has no monotonic reading (%v)", tok.expires, fault)
	}
}

func TestNew(t *testing.T) {
	secret := func() (string, error) { return "s", nil }
	good := Options{Method: MethodAuto, BaseURL: "https://h/", TokenURL: "https://h/token", ClientID: "c", ClientSecret: secret}
	tests := map[string]struct {
		change func(*Options)
		want   []string // empty: no error
	}{
		"good":                {func(o *Options) {}, nil},
		"loopback":            {func(o *Options) { o.BaseURL, o.TokenURL = "http://localhost:1/", "http://[::1]:1/token" }, nil},
		"several at once":     {func(o *Options) { *o = Options{Method: "digest"} }, []string{"digest", "url"}},
		"plain http":          {func(o *Options) { o.BaseURL, o.TokenURL = "http://h/", "http://h/t" }, []string{"the server's url is plain http", "token_url is plain http"}},
		"not quite loopback":  {func(o *Options) { o.BaseURL = "http://127.0.0.1.evil.example/" }, []string{"plain http"}},
		"user in the address": {func(o *Options) { o.BaseURL = "https://u:hush@h/" }, []string{"holds a user name"}},
		"no secret":           {func(o *Options) { o.ClientSecret = nil }, []string{"client secret", "password"}},
		"half a basic pair":   {func(o *Options) { o.Username = "u" }, []string{"password"}},
		"colon":               {func(o *Options) { o.Username, o.Password = "a:b", secret }, []string{"colon"}},
		"client auth":         {func(o *Options) { o.ClientAuth = "both" }, []string{"client authentication"}},
		"no key":              {func(o *Options) { o.ClientAuth = ByKey }, []string{"client key"}},
		"tls alone":           {func(o *Options) { o.ClientAuth, o.Method, o.ClientSecret = ByTLS, MethodOAuth2, nil }, nil},
		"tls and no basic":    {func(o *Options) { o.ClientAuth, o.ClientSecret = ByTLS, nil }, []string{"basic needs"}},
		"basic needs no token": {func(o *Options) {
			*o = Options{Method: MethodBasic, BaseURL: "https://h/", Username: "u", Password: secret}
		}, nil},
	}
	for name, test := range tests {
		o := good
		test.change(&o)
		_, err := New(o)
		if (err == nil) != (len(test.want) == 0) {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range test.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is missing in: %v", name, want, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error shows a password", name)
		}
	}
}
