package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/status"
)

func secret(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func TestWebhook(t *testing.T) {
	n := notice()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer tok" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		when, mac, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Labcourier-Signature"), "t="), ",v1=")
		want := hmac.New(sha256.New, []byte("key"))
		want.Write([]byte(when + "." + string(body)))
		if mac != hex.EncodeToString(want.Sum(nil)) {
			t.Errorf("signature %q", r.Header.Get("Labcourier-Signature"))
		}
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		if got["id"] != n.ID || got["version"] != 1.0 || got["agent"] != "core-lab-1" || got["level"] != "warn" || len(got["events"].([]any)) != 2 || got["open"] != 1.0 {
			t.Errorf("%s", body)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer s.Close()
	if err := (Webhook{URL: s.URL + "/x?y=z", HTTP: s.Client(), Token: secret("tok"), Key: secret("key")}).Send(t.Context(), n, nil); err != nil {
		t.Error(err)
	}
}

// What goes wrong names the host, and neither the path, which may be a secret, nor
// the token.
func TestWebhookRefused(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/hunter2" {
			http.Redirect(w, r, "/else", http.StatusTemporaryRedirect)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	for path, want := range map[string]string{"/hunter2": "307", "/hunter2/x": "403"} {
		err := (Webhook{URL: s.URL + path, HTTP: s.Client(), Token: secret("hunter2")}).Send(t.Context(), notice(), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
	if asked != 2 {
		t.Errorf("a redirect was followed: %d requests", asked)
	}
	s.Close()
	err := (Webhook{URL: s.URL + "/hunter2", HTTP: s.Client()}).Send(t.Context(), notice(), nil)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

// TestNoForeignWords fills every text of a snapshot that is not a name with a
// patient's, and looks for it in all that would be sent.
func TestNoForeignWords(t *testing.T) {
	s := well()
	s.Server.WaitingCause = status.CauseForbidden
	foul(reflect.ValueOf(&s).Elem())
	s.Spool.Accepting = true
	s.Server.WaitingCause, s.Server.Auth.Fallback = status.CauseForbidden, true
	for i := range s.Analyzers {
		a := &s.Analyzers[i]
		a.Name, a.Link, a.Silent, a.Parked, a.OldestWaiting, a.Queued = "xn", status.LinkDown, 9, 9, 9999, 9
	}
	l := limits()
	var sent strings.Builder
	for _, accepting := range []bool{true, false} {
		s.Spool.Accepting = accepting
		all := problems(s, nil, l)
		b := newBook(Limits{}, time.Time{})
		for i := range all {
			all[i].lasts = 0
		}
		b.look(time.Now(), all)
		n, due := b.due(time.Now())
		if !due || len(n.Events) < 6 {
			t.Fatalf("%d events", len(n.Events))
		}
		n.signedBy("lab", "1", time.Time{}, 0)
		body, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		sent.Write(body)
		sent.WriteString(n.subject() + n.body())
	}
	if strings.Contains(strings.ToUpper(sent.String()), "PRIVATE") {
		t.Errorf("words of others are sent:\n%s", sent.String())
	}
}

// foul fills every string below v.
func foul(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("PRIVATE^NAME")
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[status.Time]() {
				foul(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			foul(v.Index(i))
		}
	}
}
