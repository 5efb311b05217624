package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labcourier/labcourier/agent/sandbox"
)

func TestOracle(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	var told []string
	cancel := s.Created(func(typ string, raw json.RawMessage) {
		told = append(told, fmt.Sprint(typ, " ", s.Len(typ))) // it can be found by then
	})
	ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "a"), conditional(2, "b"), entry(3, "DiagnosticReport", report("a", urn(1)), "")))
	ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "a")))
	cancel()
	ask(t, s, "POST", sandbox.BasePath, bundleOf("batch", conditional(1, "c")))
	if want := []string{"Observation 1", "Observation 2", "DiagnosticReport 1"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	var order []string
	for _, r := range s.Resources("Observation") {
		order = append(order, r.Identifiers[0].Value)
	}
	if !slices.Equal(order, []string{"a", "b", "c"}) {
		t.Errorf("order %v", order)
	}
	if got := s.ByIdentifier(resultSystem, "b"); len(got) != 1 || got[0].Type != "Observation" {
		t.Errorf("by identifier %v", got)
	}
	if got := s.ByIdentifier("urn:other", "b"); got != nil {
		t.Errorf("by an identifier that is not there %v", got)
	}
	if got := s.Resources("Device"); len(got) != 0 {
		t.Errorf("devices %v", got)
	}
	if d := s.Duplicates(); d != nil {
		t.Errorf("duplicates %v", d)
	}
	log := s.Requests()
	if len(log) != 3 || log[0].Entries != 3 || log[0].Method != "POST" || log[0].Auth != sandbox.AuthBasic || log[0].Bytes == 0 {
		t.Errorf("log %+v", log)
	}
}

func TestDangling(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	there, err := s.Add(json.RawMessage(observation("a")))
	if err != nil {
		t.Fatal(err)
	}
	refs := []string{"Observation/" + there, "Observation/" + there + "/_history/1", "#contained", "https://example.org/Observation/1"}
	if _, err := s.Add(json.RawMessage(report("fine", refs...))); err != nil {
		t.Fatal(err)
	}
	if d := s.Dangling(); d != nil {
		t.Errorf("dangling %v", d)
	}
	id, err := s.Add(json.RawMessage(strings.Replace(report("bad", "Observation/none", urn(1)), "Panel", `\"reference\":\"x\"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"DiagnosticReport/" + id + " -> Observation/none", "DiagnosticReport/" + id + " -> " + urn(1)}
	if d := s.Dangling(); !slices.Equal(d, want) {
		t.Errorf("dangling %q, want %q", d, want)
	}
}

func TestAddRefuses(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	for _, raw := range []string{"", "{}", `{"resourceType":"Foo"}`, `{"resourceType":"Observation"}`} {
		if _, err := s.Add(json.RawMessage(raw)); err == nil {
			t.Errorf("%q was added", raw)
		}
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{})
		done := make(chan error)
		go func() { done <- s.Wait(t.Context(), "Observation", 2) }()
		for i := range 2 {
			synctest.Wait()
			select {
			case err := <-done:
				t.Fatalf("returned with %d: %v", i, err)
			default:
			}
			ask(t, s, "POST", fhir("Observation"), observation(fmt.Sprint(i)))
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Wait(ctx, "Device", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestLogKeepsTheNewest(t *testing.T) {
	s := sandbox.New(sandbox.Options{LogSize: 10})
	for i := range 95 {
		ask(t, s, "GET", fhir(fmt.Sprint("Observation/", i)), "")
	}
	log := s.Requests()
	if n := len(log); n < 10 || n > 20 || log[n-1].Path != fhir("Observation/94") || log[n-10].Path != fhir("Observation/85") {
		t.Errorf("%d in the log, to %s", n, log[n-1].Path)
	}
	if n := s.Counts().Kind[sandbox.Read]; n != 95 {
		t.Errorf("%d counted", n)
	}
}

func TestBots(t *testing.T) {
	var got sandbox.BotCall
	s := sandbox.New(sandbox.Options{Bot: func(c sandbox.BotCall) (string, error) {
		got = c
		if string(c.Body) == "bad" {
			return "", errors.New("bot crashed")
		}
		return "MSA|AA", nil
	}})
	hl7 := []string{"Content-Type", "x-application/hl7-v2+er7"}
	w := ask(t, s, "POST", fhir("Bot/7/$execute"), "MSH|", hl7...)
	if w.Code != 200 || w.Body.String() != "MSA|AA" || got.ID != "7" || got.ContentType != hl7[1] || string(got.Body) != "MSH|" {
		t.Errorf("%d %s for %+v", w.Code, w.Body, got)
	}
	wantStatus(t, ask(t, s, "POST", fhir("Bot/$execute?identifier=urn:b%7Chl7"), "x", "Content-Type", "text/plain"), 200)
	if got.Identifier != "urn:b|hl7" || got.ID != "" {
		t.Errorf("call %+v", got)
	}
	wantStatus(t, ask(t, s, "POST", fhir("Bot/7/$execute"), `{}`), 200)
	wantStatus(t, ask(t, s, "POST", fhir("Bot/7/$execute"), "bad", hl7...), 400)
	wantStatus(t, ask(t, s, "POST", fhir("Bot/7/$execute"), strings.Repeat("x", 100_001), hl7...), 400)
	wantStatus(t, ask(t, s, "POST", fhir("Bot/7/$execute"), "x", "Content-Type", "image/png"), 400)
	wantStatus(t, ask(t, s, "GET", fhir("Bot/7/$execute"), ""), 404)
	wantStatus(t, ask(t, s, "POST", fhir("Bot/7/$execute"), "x", "Authorization", ""), 401)
}
