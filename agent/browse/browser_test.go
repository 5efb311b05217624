package browse_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/labcourier/labcourier/agent/pagetest"
	"github.com/labcourier/labcourier/drivers/trace"
)

// TestLinkInBrowser watches a link in a real browser: what both sides say, in
// words as well as by colour; pause, save, clear; a bounded page; the end of the
// session.
func TestLinkInBrowser(t *testing.T) {
	b := pagetest.Open(t)
	d, conn, says := linked(t)
	say := func(text string) {
		t.Helper()
		go func() { says <- text }()
		if _, err := conn.Read(make([]byte, 1<<16)); err != nil {
			t.Fatal(err)
		}
	}
	answer := func(text string) {
		t.Helper()
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	b.Do(chromedp.Navigate(d.site.URL+"/links/xn"), chromedp.SendKeys("#token", string(token)+"\r", chromedp.ByQuery))
	b.Until("h1", "Link of xn")
	b.Until("#state", "Watching")
	b.Until(".event", "Connection opened")
	say("\x05")
	answer("\x06")
	say("\x021H|\\^&|||XN\r\x03")
	say("4F\r\n")
	answer("\x15")
	b.Until(".from", "analyzer → STX1H|\\^&|||XNCRETX4FCRLF frame 1, 18 bytes")
	b.Until(".to", "← labcourier NAK 1 byte")
	for _, scheme := range []string{"light", "dark"} {
		b.Do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
		b.Axe("link, " + scheme)
		b.Picture("link-" + scheme)
	}
	b.Press("#pause")
	say("\x04")
	b.Until("#state", "Paused; 1 line waits.")
	b.Press("#pause")
	b.Until(".from .control", "EOT")

	name, recording := b.Save(chromedp.Focus("#save", chromedp.ByQuery), chromedp.KeyEvent("\r"))
	h, events, err := trace.ReadAll(bytes.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range events {
		all.Write(e.Data)
	}
	if !strings.HasPrefix(name, "xn-") || !strings.HasSuffix(name, ".trace") || h.Name != "xn" || all.String() != "\x05\x06\x021H|\\^&|||XN\r\x034F\r\n\x15\x04" {
		t.Errorf("saved: %s, %+v %q", name, h, all.String())
	}
	b.Press("#clear")
	for i := range 30 {
		say(strings.Repeat(fmt.Sprintf("line %d\n", i), 100))
	}
	b.Until(".said", "line 29")
	var rows int
	b.Do(chromedp.Evaluate("document.getElementById('link').childNodes.length", &rows))
	if rows != 2000 {
		t.Errorf("%d rows of 3,000 stay, want 2,000", rows)
	}
	d.now = d.now.Add(time.Hour)
	say("R|SECRET\r\n")
	b.Until("#state", "The sign-in has ended")
	var text string
	b.Do(chromedp.Text("body", &text, chromedp.ByQuery))
	if strings.Contains(text, "SECRET") {
		t.Error("what came after the session's end is shown")
	}
}
