package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/labcourier/labcourier/spool"
)

func openSpool(t *testing.T) *spool.Spool {
	s, err := spool.Open(filepath.Join(t.TempDir(), "spool.db"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *spool.Spool, stage spool.Stage, payload string) spool.Seq {
	q, err := s.Put(t.Context(), spool.Record{Lane: "a", Kind: "astm", Payload: []byte(payload), Stage: stage, Fault: "cut"})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// The clients of both ways do the same.
func TestCalls(t *testing.T) {
	for name, client := range map[string]func(*testing.T, *spool.Spool) *Client{
		"in process": func(_ *testing.T, s *spool.Spool) *Client { return InProcess(s) },
		"over HTTP": func(t *testing.T, s *spool.Spool) *Client {
			srv := httptest.NewServer(NewHandler(s, nil, "the token"))
			t.Cleanup(srv.Close)
			return NewClient(strings.TrimPrefix(srv.URL, "http://"), "the token")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSpool(t)
			c := client(t, s)
			ctx := context.Background()
			whole, broken := put(t, s, spool.Complete, "H|secret\r"), put(t, s, spool.Broken, "H|half")

			list, err := c.List(ctx, Query{})
			if err != nil || len(list) != 2 || list[0].State != "waiting" || list[1].Reason == nil {
				t.Fatalf("list: %+v, %v", list, err)
			}
			if text := fmt.Sprintf("%+v", list); strings.Contains(text, "secret") {
				t.Errorf("content in the list: %s", text)
			}
			m, err := c.Get(ctx, whole)
			if err != nil || string(m.Payload) != "H|secret\r" {
				t.Errorf("get: %+v, %v", m, err)
			}
			wantStatus(t, c.Retry(ctx, broken), http.StatusConflict)
			wantStatus(t, c.Retry(ctx, whole), http.StatusConflict) // it waits already
			wantStatus(t, c.Retry(ctx, 99), http.StatusNotFound)
			wantStatus(t, c.Discard(ctx, broken, "  "), http.StatusBadRequest)
			wantStatus(t, c.Discard(ctx, broken, strings.Repeat("x", maxReason+1)), http.StatusBadRequest)
			if err := c.Discard(ctx, broken, "sent again at the analyzer"); err != nil {
				t.Error(err)
			}
			_, err = c.List(ctx, Query{State: "lost"})
			wantStatus(t, err, http.StatusBadRequest)

			var export, backup bytes.Buffer
			if err := c.Export(ctx, Query{}, &export); err != nil {
				t.Error(err)
			}
			if im, err := c.Import(ctx, bytes.NewReader(export.Bytes())); err != nil || im.Known != 2 {
				t.Errorf("import: %+v, %v", im, err)
			}
			_, err = c.Import(ctx, strings.NewReader("rubbish"))
			wantStatus(t, err, http.StatusUnprocessableEntity)
			if err := c.Backup(ctx, &backup); err != nil || backup.Len() == 0 {
				t.Errorf("backup of %d bytes: %v", backup.Len(), err)
			}
			if _, err := c.Compact(ctx); err != nil {
				t.Error(err)
			}
			log, err := c.Audit(ctx, 0, 0)
			if err != nil || len(log) == 0 {
				t.Errorf("audit: %+v, %v", log, err)
			}
			var words []string
			for _, e := range log {
				words = append(words, e.What+" "+e.Note)
			}
			for _, want := range []string{"viewed", "discard discarded: sent again at the analyzer", "export"} {
				if !strings.Contains(strings.Join(words, "\n"), want) {
					t.Errorf("the audit log has no %q: %q", want, words)
				}
			}
		})
	}
}

func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != status || e.Text == "" {
		t.Errorf("got %v, want an error with status %d", err, status)
	}
}

// Without the token nothing is done and nothing told.
func TestToken(t *testing.T) {
	s := openSpool(t)
	q := put(t, s, spool.Complete, "H|secret\r")
	srv := httptest.NewServer(NewHandler(s, nil, "the token"))
	defer srv.Close()
	for _, token := range []Token{"", "the toke", "the token2", "THE TOKEN"} {
		c := NewClient(strings.TrimPrefix(srv.URL, "http://"), token)
		_, err := c.List(t.Context(), Query{})
		wantStatus(t, err, http.StatusUnauthorized)
		_, err = c.Get(t.Context(), q)
		wantStatus(t, err, http.StatusUnauthorized)
		wantStatus(t, c.Discard(t.Context(), q, "why not"), http.StatusUnauthorized)
	}
	if r, err := s.Get(q); err != nil || r.State != spool.Waiting {
		t.Errorf("%v, %v", r.State, err)
	}
	// An agent without a token lets nobody in.
	w := httptest.NewRecorder()
	NewHandler(s, nil, "").ServeHTTP(w, httptest.NewRequest(http.MethodGet, Prefix+"messages", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", w.Code)
	}
}

func TestTokenFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadToken(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	made, err := EnsureToken(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := EnsureToken(dir)
	if err != nil || again != made {
		t.Errorf("the token changed: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	if text := fmt.Sprintf("%v %s %#v", made, made, made); strings.Contains(text, string(made)) {
		t.Errorf("the token shows: %s", text)
	}
	if err := os.WriteFile(filepath.Join(dir, tokenFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureToken(dir); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged file: %v", err)
	}
}

// A download that breaks off is not taken for a whole one.
func TestBrokenDownload(t *testing.T) {
	half := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		d := stream(w)
		d.Write(make([]byte, 1<<20))
		d.end("", errors.New("disk"))
	})
	srv := httptest.NewServer(half)
	defer srv.Close()
	srv.Config.ErrorLog = nil
	for name, c := range map[string]*Client{
		"over HTTP":  NewClient(strings.TrimPrefix(srv.URL, "http://"), "t"),
		"in process": {base: "http://x" + Prefix, http: &http.Client{Transport: direct{half}}},
	} {
		if err := c.Backup(t.Context(), &bytes.Buffer{}); err == nil {
			t.Errorf("%s: half a backup went through", name)
		}
	}
}
