package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
)

func TestTokenEndpoint(t *testing.T) {
	const id, secret = sandbox.DefaultClientID, sandbox.DefaultClientSecret
	tests := []struct {
		name    string
		body    string
		headers []string
		status  int
		want    string // the body is, or for JSON holds, this
	}{
		{"form", credentials("client_credentials", id, secret), nil, 200, `"token_type":"Bearer"`},
		{"lifetime", credentials("client_credentials", id, secret), nil, 200, `"expires_in":3600`},
		{"scope", credentials("client_credentials", id, secret), nil, 200, `"scope":"openid"`},
		{"charset", credentials("client_credentials", id, secret), []string{"Content-Type", formType + "; charset=UTF-8"}, 200, `"id_token"`},
		{"wrong secret is 400", credentials("client_credentials", id, "x"), nil, 400, `{"error":"invalid_request","error_description":"Invalid secret"}`},
		{"unknown client is 400", credentials("client_credentials", "x", secret), nil, 400, `{"error":"invalid_request","error_description":"Invalid client"}`},
		{"no client", "grant_type=client_credentials", nil, 400, `"Invalid client"`},
		{"other grant", credentials("password", id, secret), nil, 400, `"error":"unsupported_grant_type"`},
		{"no grant", credentials("", id, secret), nil, 400, `"error":"invalid_request"`},
		{"JSON body", `{"grant_type":"client_credentials"}`, []string{"Content-Type", "application/json"}, 400, "Unsupported content type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{})
			h := append([]string{"Content-Type", formType, "Authorization", ""}, tt.headers...)
			w := ask(t, s, "POST", sandbox.TokenPath, tt.body, h...)
			wantStatus(t, w, tt.status)
			if !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("body %s, want %s", w.Body, tt.want)
			}
			if strings.Contains(w.Body.String(), "refresh_token") {
				t.Error("a refresh token, which client credentials do not get")
			}
			if n := s.Counts().Kind[sandbox.KindToken]; n != 1 {
				t.Errorf("counted %d token requests, want 1", n)
			}
		})
	}
}

func TestTokenByBasicHeader(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	w := ask(t, s, "POST", sandbox.TokenPath, "grant_type=client_credentials", "Content-Type", formType)
	wantStatus(t, w, 200)
	if got := s.Counts().Auth; got[sandbox.AuthBasic] != 1 {
		t.Errorf("auth counts %v, want one basic", got)
	}
	newToken(t, s)
	if got := s.Counts().Auth; got[sandbox.AuthForm] != 1 {
		t.Errorf("auth counts %v, want one form", got)
	}
}

func TestTokenLife(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s := sandbox.New(sandbox.Options{TokenLifetime: 30 * time.Second, Now: func() time.Time { return now }})
	token := newToken(t, s)
	if n := strings.Count(token, "."); n != 2 {
		t.Errorf("token has %d dots, want the look of a JWT", n)
	}
	try := func(want int) {
		t.Helper()
		wantStatus(t, ask(t, s, "GET", fhir("Observation"), "", "Authorization", "Bearer "+token), want)
	}
	try(200)
	now = now.Add(29 * time.Second)
	try(200)
	now = now.Add(time.Second)
	try(401)
	token = newToken(t, s)
	try(200)
	s.ExpireTokens()
	try(401)
}

func TestRotatedSecret(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	token := newToken(t, s)
	s.RotateSecret("new")
	newToken(t, s) // with the retiring secret
	wantStatus(t, ask(t, s, "GET", fhir("Device"), ""), 401)
	wantStatus(t, ask(t, s, "GET", fhir("Device"), "", "Authorization", "Bearer "+token), 200)
	w := ask(t, s, "POST", sandbox.TokenPath, credentials("client_credentials", sandbox.DefaultClientID, "new"),
		"Content-Type", formType, "Authorization", "")
	wantStatus(t, w, 200)
}

func TestUnauthorized(t *testing.T) {
	tests := []struct{ name, authorization string }{
		{"missing", ""},
		{"tampered token", "Bearer x.y.z"},
		{"wrong basic", "Basic eDp5"},
		{"broken basic", "Basic %%%"},
		{"other scheme", "Digest x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{})
			w := ask(t, s, "POST", fhir("Observation"), observation("a"), "Authorization", tt.authorization)
			wantStatus(t, w, 401)
			if _, has := w.Header()["Www-Authenticate"]; has {
				t.Error("WWW-Authenticate is there")
			}
			for _, want := range []string{`"resourceType":"OperationOutcome"`, `"id":"unauthorized"`, `"code":"login"`} {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("body %s lacks %s", w.Body, want)
				}
			}
			if s.Len("Observation") != 0 {
				t.Error("stored all the same")
			}
		})
	}
}
