package status

import (
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/labcourier/labcourier/agent/pagetest"
)

// TestPageInBrowser shows every state in a real browser, wide and narrow, light
// and dark: no violation of accessibility rules, nothing wider than the screen,
// no request that leaves the computer.
func TestPageInBrowser(t *testing.T) {
	var shown atomic.Pointer[Snapshot]
	first := healthy()
	shown.Store(&first)
	addr := start(t, Options{
		Source:  fakeSource{func() Snapshot { return *shown.Load() }, func() error { return nil }},
		History: fakeHistory{levels: []uint8{0, 1, 1, 3, 2, 1, 1, 1}, day: func(string) []uint32 { return []uint32{0, 4, 0, 9, 2, 1, 0, 3} }},
	})
	b := pagetest.Open(t)
	for _, s := range states() {
		shown.Store(&s.snapshot)
		for _, scheme := range []string{"light", "dark"} {
			b.Do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.EmulateViewport(1366, 768), chromedp.Navigate("http://"+addr+"/"), chromedp.WaitVisible("h1", chromedp.ByQuery))
			b.Axe(s.name + ", " + scheme)
			b.Picture(s.name + "-" + scheme)
		}
		var wide bool
		b.Do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile),
			chromedp.Evaluate("document.documentElement.scrollWidth > innerWidth", &wide))
		if wide {
			t.Errorf("%s: wider than a phone's screen", s.name)
		}
		b.Picture(s.name + "-phone")
	}
}

// TestPageIsTold changes the state and sees the open page follow.
func TestPageIsTold(t *testing.T) {
	var shown atomic.Pointer[Snapshot]
	first := healthy()
	shown.Store(&first)
	addr := start(t, Options{Source: fakeSource{func() Snapshot { return *shown.Load() }, func() error { return nil }}})
	b := pagetest.Open(t)
	b.Do(chromedp.Navigate("http://" + addr + "/"))
	b.Press("summary")
	b.Do(chromedp.Evaluate("window.same = true", nil))
	for _, s := range states() {
		if s.name != "parked" && s.name != "server-down" && s.name != "well" {
			continue
		}
		shown.Store(&s.snapshot)
		b.Until("h1", judge(s.snapshot).text)
	}
	var same, open bool
	b.Do(chromedp.Evaluate("window.same === true", &same), chromedp.Evaluate("document.querySelector('details').open", &open))
	if !same || !open {
		t.Errorf("the page was loaded anew (%v), or what was open is closed (%v)", !same, !open)
	}
}

// TestPageShowsSecondServer: a second server that is set up appears on the open page,
// tells when it is away, and goes with its configuration. The headline stays calm.
func TestPageShowsSecondServer(t *testing.T) {
	var shown atomic.Pointer[Snapshot]
	show := func(change func(*Snapshot)) {
		s := with(change)
		shown.Store(&s)
	}
	show(func(*Snapshot) {})
	addr := start(t, Options{Source: fakeSource{func() Snapshot { return *shown.Load() }, func() error { return nil }}})
	b := pagetest.Open(t)
	b.Do(chromedp.Navigate("http://"+addr+"/"), chromedp.WaitVisible("h1", chromedp.ByQuery))
	show(shadowed)
	b.Until("#shadow", "Gets what comes from xn-550 and cobas-c311 as well")
	b.Until("#shadow .facts", "next.example.org/fhir/R4")
	b.Until("#shadow .facts", "1,234 messages")
	show(shadowAway)
	b.Until("#shadow dd.wrong", "The server does not answer")
	b.Until("#shadow .todo", "whether the second server is up")
	b.Until("#shadow .todo", "the server answered 422")
	b.Until("h1", judge(healthy()).text)
	show(func(*Snapshot) {})
	b.Do(chromedp.WaitNotPresent("#shadow", chromedp.ByQuery))
}
