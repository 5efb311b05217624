package sandbox_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
)

func TestRateLimitHeaders(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s := sandbox.New(sandbox.Options{TokensPerMinute: 160, RequestsPerMinute: 60000, UnitsPerMinute: 50000, Now: func() time.Time { return now }})
	check := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("RateLimit %q, want %q", got, want)
		}
	}
	w := ask(t, s, "POST", sandbox.TokenPath, credentials("client_credentials", sandbox.DefaultClientID, "wrong"), "Content-Type", formType, "Authorization", "")
	check(w.Header().Values("RateLimit"), `"requests";r=159;t=60`)

	cond := []string{"If-None-Exist", "identifier=" + resultSystem + "|a"}
	w = ask(t, s, "POST", fhir("Observation"), observation("a"), cond...)
	check(w.Header().Values("RateLimit"), `"requests";r=59999;t=60`, `"fhirInteractions";r=49880;t=60`)
	now = now.Add(1500 * time.Millisecond)
	w = ask(t, s, "POST", fhir("Observation"), observation("a"), cond...)
	check(w.Header().Values("RateLimit"), `"requests";r=59998;t=59`, `"fhirInteractions";r=49860;t=59`)
	ask(t, s, "GET", fhir("Observation/"+s.Resources("Observation")[0].ID), "")
	w = ask(t, s, "GET", "/healthcheck", "")
	check(w.Header().Values("RateLimit"), `"requests";r=59996;t=59`)
	w = ask(t, s, "GET", fhir("metadata"), "", "Authorization", "")
	check(w.Header().Values("RateLimit"), `"requests";r=59995;t=59`, `"fhirInteractions";r=49859;t=59`)
	now = now.Add(time.Minute)
	w = ask(t, s, "GET", fhir("metadata"), "")
	check(w.Header().Values("RateLimit"), `"requests";r=59999;t=60`, `"fhirInteractions";r=50000;t=60`)
}

var waitPattern = regexp.MustCompile(`\\"_msBeforeNext\\":60000`)

func TestThrottling(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	t.Run("requests", func(t *testing.T) {
		s := sandbox.New(sandbox.Options{RequestsPerMinute: 1, ResetExtension: true, Now: clock})
		ask(t, s, "GET", fhir("Observation"), "")
		w := ask(t, s, "POST", fhir("Observation"), observation("a"))
		wantStatus(t, w, 429)
		for _, want := range []string{`"id":"too-many-requests"`, `"code":"throttled"`, `"url":"https://medplum.com/fhir/StructureDefinition/rate-limit-reset","valueInteger":60`} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s lacks %s", w.Body, want)
			}
		}
		if !waitPattern.MatchString(w.Body.String()) || w.Header().Get("Retry-After") != "" {
			t.Errorf("the wait is told wrongly: %v %s", w.Header(), w.Body)
		}
	})
	t.Run("tokens", func(t *testing.T) {
		s := sandbox.New(sandbox.Options{TokensPerMinute: 1, Now: clock})
		newToken(t, s)
		wantStatus(t, ask(t, s, "POST", sandbox.TokenPath, "", "Content-Type", formType), 429)
		wantStatus(t, ask(t, s, "GET", fhir("Observation"), ""), 200)
	})
	t.Run("units inside a batch", func(t *testing.T) {
		// Four searches come first, then two creates fit.
		s := sandbox.New(sandbox.Options{UnitsPerMinute: 4*20 + 2*100, Now: clock})
		w := ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditionals(0, 4)...))
		wantStatus(t, w, 200)
		if got := statuses(t, w); got != "201 201 429 429" {
			t.Errorf("entries %s", got)
		}
		if s.Len("Observation") != 2 || strings.Contains(w.Body.String(), "rate-limit-reset") {
			t.Errorf("%d stored: %s", s.Len("Observation"), w.Body)
		}
		wantStatus(t, ask(t, s, "GET", fhir("Observation"), ""), 429)
	})
	t.Run("units inside a transaction", func(t *testing.T) {
		s := sandbox.New(sandbox.Options{UnitsPerMinute: 300, TransactionBundles: true, Now: clock})
		w := ask(t, s, "POST", sandbox.BasePath, bundleOf("transaction", conditionals(0, 4)...))
		wantStatus(t, w, 429)
		if s.Len("Observation") != 0 {
			t.Error("stored a part of a transaction")
		}
	})
}

func TestRoughly400ResultsAMinute(t *testing.T) {
	s := sandbox.New(sandbox.Options{UnitsPerMinute: 50000, Now: func() time.Time { return time.Unix(0, 0) }})
	n := 0
	for {
		w := ask(t, s, "POST", fhir("Observation"), observation(fmt.Sprint(n)), "If-None-Exist", fmt.Sprint("identifier=", resultSystem, "|", n))
		if w.Code != 201 {
			break
		}
		n++
	}
	if n != 416 {
		t.Errorf("%d conditional creates fit into a minute, want 416", n)
	}
}
