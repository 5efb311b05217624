package auth

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func bearer(seconds int) *oauth2.Token {
	return &oauth2.Token{AccessToken: "t", TokenType: "Bearer", Expiry: time.Now().Add(time.Duration(seconds) * time.Second)}
}

func TestClean(t *testing.T) {
	tests := []struct{ in, want string }{
		{"Invalid secret", "Invalid secret"},
		{"it is\n\x1b[31mred\x00 ü", "it is [31mred"},
		{"the secret hush was wrong", ""},
		{"token eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0", ""},
		{strings.Repeat("word ", 100), strings.Repeat("word ", 32)[:160] + "..."},
	}
	for _, test := range tests {
		if got := clean(test.in, []string{"hush", ""}); got != test.want {
			t.Errorf("clean(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

// FuzzTidy: whatever a token endpoint answers, what x/oauth2 gets to see is an
// object whose expires_in is a sane whole number or missing, with everything
// else unchanged.
func FuzzTidy(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"t","expires_in":"3600.0"}`, `{"expires_in":""}`, `{"expires_in":1e999}`, `{"expires_in":{}}`,
		`{"expires_in":null}`, `null`, `[]`, `<html>`, `{"expires_in":"NaN"}`, `{"expires_in":0.2}`, `{"EXPIRES_IN":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tidied, ok := tidy(body)
		if !ok {
			return
		}
		var before, after struct {
			AccessToken json.RawMessage `json:"access_token"`
			ExpiresIn   *int32          `json:"expires_in"`
		}
		if err := json.Unmarshal(tidied, &after); err != nil {
			t.Fatalf("%q became %q: %v", body, tidied, err)
		}
		json.Unmarshal(body, &before) // expires_in may be anything
		if before.AccessToken != nil && after.AccessToken == nil {
			t.Fatalf("%q became %q", body, tidied)
		}
		if s := after.ExpiresIn; s != nil && (*s < 1 || float64(*s) > longestLife.Seconds()) {
			t.Fatalf("%q has expires_in %v", body, *s)
		}
	})
}
