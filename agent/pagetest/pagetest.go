package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a browser with one page.
type Browser struct {
	t   testing.TB
	ctx context.Context
	axe string

	mu     sync.Mutex
	beyond []string // requests that left this computer
	faults []string // what the page's scripts or the policy complained of
}

// patience is for one change of a page, and for the browser's start.
const patience = 2 * time.Minute

// limit is for everything that one test does in the browser.
const limit = 10 * time.Minute

// Open starts a browser until the test ends.
func Open(t testing.TB) *Browser {
	t.Helper()
	var chromium string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		t.Skip("no chromium on this computer (Debian: chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1366, 768), // of many a lab PC
		chromedp.WSURLReadTimeout(patience),
	)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithBrowserOption(chromedp.WithDialTimeout(patience)))
	t.Cleanup(cancel)
	b := &Browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.hear)
	b.Do(network.Enable(), runtime.Enable())
	t.Cleanup(b.judge)
	return b
}

// hear notes what a page must not do.
func (b *Browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Hostname() != "127.0.0.1" && u.Scheme != "data" && u.Scheme != "about" && u.Scheme != "blob" {
			b.beyond = append(b.beyond, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Error())
	}
}

// judge fails the test if a request left this computer or a script failed.
func (b *Browser) judge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.beyond {
		b.t.Errorf("a request left this computer: %s", u)
	}
	for _, f := range b.faults {
		b.t.Errorf("a script failed: %s", f)
	}
}

// Do runs actions and ends the test if one fails.
func (b *Browser) Do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatalf("in the browser: %v\n%s", err, b.text())
	}
}

// text is what the page says, for an error.
func (b *Browser) text() (s string) {
	if err := chromedp.Run(b.ctx, chromedp.Text("body", &s, chromedp.ByQuery)); err != nil {
		return err.Error()
	}
	return s
}

// Until waits until an element says something, over the loading of pages.
func (b *Browser) Until(selector, says string) {
	b.t.Helper()
	look := fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.replace(/\s+/g, " ").includes(%q))`, selector, says)
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var there bool
		err := chromedp.Run(b.ctx, chromedp.Evaluate(look, &there)) // fails while one page gives way to another
		if err == nil && there {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s never said %q (%v):\n%s", selector, says, err, b.text())
		}
	}
}

// Press focuses an element and presses Enter, as people do who use no mouse. A
// click would aim at where the element was a moment ago.
func (b *Browser) Press(selector string) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Focus(selector, chromedp.ByQuery), chromedp.KeyEvent("\r"))
}

// Save runs actions that make the page save a file, and returns the name that it
// gives the file, and what is in it.
func (b *Browser) Save(actions ...chromedp.Action) (name string, content []byte) {
	b.t.Helper()
	folder := b.t.TempDir()
	ended := make(chan browser.DownloadProgressState, 1)
	var file string
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *browser.EventDownloadWillBegin:
			name, file = e.SuggestedFilename, filepath.Join(folder, e.GUID)
		case *browser.EventDownloadProgress:
			if e.State != browser.DownloadProgressStateInProgress {
				ended <- e.State
			}
		}
	})
	b.Do(browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllowAndName).WithDownloadPath(folder).WithEventsEnabled(true))
	b.Do(actions...)
	select {
	case state := <-ended:
		if state != browser.DownloadProgressStateCompleted {
			b.t.Fatalf("the download of %s ended as %s", name, state)
		}
	case <-time.After(patience):
		b.t.Fatalf("nothing was saved:\n%s", b.text())
	}
	content, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	return name, content
}

// Picture keeps a picture of the whole page.
func (b *Browser) Picture(name string) {
	b.t.Helper()
	folder := os.Getenv("LABCOURIER_PICTURES")
	if folder == "" {
		return
	}
	var png []byte
	b.Do(chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600); err != nil {
		b.t.Error(err)
	}
}

// Axe lets axe-core judge what the page is to people who cannot see or point.
func (b *Browser) Axe(what string) {
	b.t.Helper()
	if b.axe == "" {
		script, err := os.ReadFile(filepath.Join(os.Getenv("LABCOURIER_PEERS"), "node_modules", "axe-core", "axe.min.js"))
		if err != nil {
			b.t.Skip("no axe-core in LABCOURIER_PEERS (npm: axe-core)")
		}
		b.axe = string(script)
	}
	var found string
	b.Do(chromedp.Evaluate(b.axe+";0", nil), chromedp.Evaluate(`axe.run().then(r => JSON.stringify(r.violations.map(v =>
		v.id + ": " + v.help + ": " + v.nodes.map(n => n.html.slice(0, 200)).join(" | "))))`, &found, await))
	var violations []string
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatal(err)
	}
	if len(violations) > 0 {
		b.t.Errorf("%s:\n  %s", what, strings.Join(violations, "\n  "))
	}
}

func await(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
