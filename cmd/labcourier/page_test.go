package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/labcourier/labcourier/agent/pagetest"
	"github.com/labcourier/labcourier/agent/sandbox"
)

// TestPageResends goes the way of a technician: a message is parked, the page
// says so without a reload, the one-time link signs in, Resend delivers it.
func TestPageResends(t *testing.T) {
	t.Parallel() // its time goes by waiting
	b := pagetest.Open(t)
	w := newWorld(t, 1)
	w.startServer()
	defer w.startInProcess(t)()

	b.Do(chromedp.Navigate("http://"+w.status+"/"), chromedp.WaitVisible("h1", chromedp.ByQuery))
	b.Until("h1", "nothing waiting")
	w.server.SetFault(func(r *http.Request) (f sandbox.Fault) {
		if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, sandbox.BasePath) {
			f.Status = http.StatusUnprocessableEntity
		}
		return f
	})
	w.send(t, 1)
	b.Until("h1", "1 message is parked and needs a person")
	w.server.SetFault(nil)
	b.Picture("page-parked")

	b.Press(".go a")
	b.Until("h1", "Sign in")
	b.Axe("sign in")
	b.Picture("page-sign-in")

	b.Do(chromedp.Navigate(w.oneTimeLink(t)))
	b.Until("h1", "Messages")
	b.Until(".groups", "1 of bench-00")
	b.Axe("messages")
	b.Picture("page-messages")
	b.Press("td a")
	b.Until("h1", "Message 1 of bench-00")
	b.Until(".control", "CR")
	b.Axe("one message")
	b.Picture("page-message")

	b.Press("form[action$='/retry'] button")
	b.Until(".done", "waits for delivery again")
	for deadline := time.Now().Add(patience); ; { // a list does not reload itself
		b.Do(chromedp.Navigate("http://"+w.status+"/messages/1"), chromedp.WaitVisible("h1", chromedp.ByQuery))
		var life string
		b.Do(chromedp.Text(".life", &life, chromedp.ByQuery))
		if strings.Contains(life, "Delivered") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not delivered: %s", life)
		}
	}
	b.Picture("page-delivered")
	b.Do(chromedp.Navigate("http://"+w.status+"/messages/audit"), chromedp.WaitVisible("td", chromedp.ByQuery))
	b.Axe("audit log")
	b.Picture("page-audit")
	b.Press(".far button")
	b.Until("h1", "nothing waiting")
	b.Do(chromedp.Navigate("http://" + w.status + "/messages/1"))
	b.Until("h1", "Sign in")
}

// oneTimeLink asks for a link that signs in, as a person at the terminal does.
func (w *world) oneTimeLink(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if code := (&program{in: strings.NewReader(""), out: &out, err: &out}).main(t.Context(), []string{"status", "--open", "--config", w.config}); code != exitDone {
		t.Fatalf("status --open: %d: %s", code, out.String())
	}
	_, link, _ := strings.Cut(out.String(), "\n")
	return strings.TrimSpace(link)
}

// TestPageWatchesLink goes from the analyzer's card to its link, and sees what a
// simulated analyzer and the agent say to each other.
func TestPageWatchesLink(t *testing.T) {
	t.Parallel() // its time goes by waiting
	b := pagetest.Open(t)
	w := newWorld(t, 1)
	w.startServer()
	defer w.startInProcess(t)()

	b.Do(chromedp.Navigate(w.oneTimeLink(t)))
	b.Until("h1", "Messages")
	b.Do(chromedp.Navigate("http://" + w.status + "/"))
	b.Press("summary")
	b.Press("details a[href='/links/bench-00']")
	b.Until("h1", "Link of bench-00")
	b.Until("#state", "Watching")
	w.send(t, 1)
	b.Until(".from", "analyzer → ENQ 1 byte")
	b.Until(".to", "← labcourier ACK 1 byte")
	b.Until(".from .size", "frame 1, ")
	b.Until(".from", "EOT 1 byte")
	b.Axe("link")
	b.Picture("page-link")
	b.Press("nav a[href='/links']")
	b.Until(".watch", "Watch bench-00")
	b.Axe("links")
	b.Do(chromedp.Navigate("http://" + w.status + "/messages/audit"))
	b.Until("table", "watched")
}
