package poct

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/session"
)

var errStore = errors.New("disk on fire")

func msg(name, id, body string) string {
	return "<" + name + `><HDR><HDR.control_id V="` + id + `"/></HDR>` + body + "</" + name + ">"
}

// wideText has a NUL behind each character.
func wideText(s string) string { return strings.Join(strings.Split(s, ""), "\x00") + "\x00" }

func hel(directives ...string) string {
	dsc := ""
	for _, d := range directives {
		dsc += v("DSC.directives_supported_cd", d)
	}
	return msg("HEL.R01", "1", "<DEV><DEV.device_id V=\"X\"/><DSC>"+dsc+"</DSC></DEV>")
}

func dst(n string) string {
	return msg("DST.R01", "2", "<DST>"+v("DST.new_observations_qty", n)+"</DST>")
}

func obs(id string) string {
	return msg("OBS.R01", id, `<SVC><SVC.role_cd V="OBS"/></SVC>`)
}

func ackOf(kind, id string) string {
	return msg("ACK.R01", "9", "<ACK>"+v("ACK.type_cd", kind)+v("ACK.ack_control_id", id)+"</ACK>")
}

// bench runs a link and writes down what it does: "AA 7" (an ACK of message 7),
// "REQ.R01", "complete:OBS.R01 7", …
type bench struct {
	t    testing.TB
	link *Link
	now  time.Time
	fail int
	busy error
	log  []string
}

func newBench(t testing.TB, o Options) *bench {
	b := &bench{t: t, now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.FixedZone("", 3600))}
	b.link = NewLink(o, func() error { return b.busy })
	return b
}

func (b *bench) feed(s string) {
	for p := []byte(s); len(p) > 0; {
		n, step := b.link.Feed(b.now, p)
		p = p[n:]
		b.do(step)
	}
}

func (b *bench) do(s session.Step) {
	for len(s.Store) > 0 {
		var err error
		for _, p := range s.Store {
			if b.fail > 0 {
				b.fail--
				err = errStore
				b.log = append(b.log, "failed")
				break
			}
			device, document := cutIdentity(p.Payload)
			entry := fmt.Sprintf("%s:%s %s", p.Stage, rootName(document), controlID(document))
			if len(device) > 0 {
				entry += " of X"
			}
			b.log = append(b.log, entry)
		}
		s = b.link.Stored(b.now, err)
	}
	var split Splitter
	for p := s.Reply; len(p) > 0; {
		n, d, done := split.Feed(p)
		p = p[n:]
		if !done {
			b.t.Fatalf("half a document: %q", s.Reply)
		}
		e, err := readDocument(d.Raw, nil)
		if err != nil || e.child("HDR").value("HDR.version_id") != "POCT1" || e.child("HDR").value("HDR.creation_dttm") == "" {
			b.t.Fatalf("%q: %v", d.Raw, err)
		}
		entry := e.name
		if ack := e.child("ACK"); ack != nil {
			entry = ack.value("ACK.type_cd") + " " + ack.value("ACK.ack_control_id")
		}
		if c := e.child("DTV").value("DTV.command_cd"); c != "" {
			entry += " " + c
		}
		b.log = append(b.log, entry)
	}
	for range s.Whole {
		b.log = append(b.log, "whole")
	}
	if s.Close != "" {
		b.log = append(b.log, "close: "+s.Close)
	}
}

func (b *bench) silence() {
	b.now = b.now.Add(b.link.Wait())
	b.do(b.link.Silence(b.now))
}

func TestLink(t *testing.T) {
	eot, end := msg("EOT.R01", "8", `<EOT><EOT.topic_cd V="OBS"/></EOT>`), msg("END.R01", "9", "")
	for _, c := range []struct {
		name string
		o    Options
		do   func(b *bench)
		want []string
	}{
		{"a conversation", Options{}, func(b *bench) { b.feed(hel() + dst("1") + obs("7") + eot + end) },
			[]string{"AA 1", "AA 2", "REQ.R01", "complete:OBS.R01 7 of X", "AA 7", "whole", "AA 8", "AA 9"}},
		{"blanks and a byte order mark between documents", Options{}, func(b *bench) { b.feed("\xEF\xBB\xBF" + hel() + "\r\n\r\n\x00" + dst("0")) }, []string{"AA 1", "AA 2"}},
		{"nothing new", Options{}, func(b *bench) { b.feed(hel() + dst("0") + dst("") + dst("x")) }, []string{"AA 1", "AA 2", "AA 2", "AA 2"}},
		{"new again while it still sends", Options{}, func(b *bench) { b.feed(hel() + dst("1") + dst("2") + eot + dst("1")) },
			[]string{"AA 1", "AA 2", "REQ.R01", "AA 2", "AA 8", "AA 2", "REQ.R01"}},
		{"results without a hello", Options{}, func(b *bench) { b.feed(obs("7")) }, []string{"complete:OBS.R01 7", "AA 7", "whole"}},
		{"a store that fails", Options{}, func(b *bench) { b.fail = 1; b.feed(hel() + obs("7") + obs("7")) },
			[]string{"AA 1", "failed", "AE 7", "complete:OBS.R01 7 of X", "AA 7", "whole"}},
		{"a device is not let begin", Options{}, func(b *bench) { b.busy = errStore; b.feed(hel()) }, []string{"AE 1"}},
		{"controls and events are stored", Options{}, func(b *bench) { b.feed(msg("OBS.R02", "3", "") + msg("EVS.R01", "4", "")) },
			[]string{"complete:OBS.R02 3", "AA 3", "whole", "complete:EVS.R01 4", "AA 4", "whole"}},
		{"an unknown message is kept by the device", Options{}, func(b *bench) { b.feed(msg("NOVA.REAG", "3", "") + msg("REQ.R01", "4", "")) }, []string{"AE 3", "AE 4"}},
		{"keep-alive", Options{}, func(b *bench) { b.feed(hel() + msg("KPA.R01", "5", "")) }, []string{"AA 1", "AA 5"}},
		{"an ACK is not acknowledged", Options{}, func(b *bench) { b.feed(ackOf("AA", "77")) }, nil},
		{"the clock, then continuous", Options{SetClock: true}, func(b *bench) {
			b.feed(hel("SET_TIME", "START_CONTINUOUS") + dst("1") + eot + ackOf("AA", "5") + ackOf("AA", "6") + dst("0"))
		}, []string{"AA 1", "AA 2", "REQ.R01", "AA 8", "DTV.R02 SET_TIME", "DTV.R01 START_CONTINUOUS", "AA 2"}},
		{"continuous only if the device can", Options{}, func(b *bench) { b.feed(hel("SET_TIME") + dst("0")) }, []string{"AA 1", "AA 2"}},
		{"continuous always", Options{Continuous: "always"}, func(b *bench) { b.feed(hel() + dst("0")) }, []string{"AA 1", "AA 2", "DTV.R01 START_CONTINUOUS"}},
		{"continuous never", Options{Continuous: "never"}, func(b *bench) { b.feed(hel("START_CONTINUOUS") + dst("0")) }, []string{"AA 1", "AA 2"}},
		{"a refused directive", Options{SetClock: true}, func(b *bench) { b.feed(hel("START_CONTINUOUS") + dst("0") + ackOf("AE", "3")) },
			[]string{"AA 1", "AA 2", "DTV.R02 SET_TIME", "DTV.R01 START_CONTINUOUS"}},
		{"AA with error 300 (DCA Vantage)", Options{SetClock: true}, func(b *bench) {
			b.feed(hel() + dst("0") + msg("ACK.R01", "9", "<ACK>"+v("ACK.type_cd", "AA")+v("ACK.ack_control_id", "3")+v("ACK.error_detail_cd", "300")+"</ACK>"))
			b.silence()
		}, []string{"AA 1", "AA 2", "DTV.R02 SET_TIME", "KPA.R01"}},
		{"an escape", Options{}, func(b *bench) {
			b.feed(hel() + dst("1") + msg("ESC.R01", "4", "<ESC>"+v("ESC.esc_control_id", "3")+"</ESC>") + dst("1"))
		},
			[]string{"AA 1", "AA 2", "REQ.R01", "AA 4", "AA 2", "REQ.R01"}},
		{"the request is accepted and answered later", Options{}, func(b *bench) { b.feed(hel() + dst("1") + ackOf("AA", "3") + obs("7") + dst("1")) },
			[]string{"AA 1", "AA 2", "REQ.R01", "complete:OBS.R01 7 of X", "AA 7", "whole", "AA 2"}},
		{"no hello", Options{}, func(b *bench) { b.silence() }, []string{"close: no HEL within 60 s"}},
		{"no answer to the request", Options{}, func(b *bench) { b.feed(hel() + dst("1")); b.silence() },
			[]string{"AA 1", "AA 2", "REQ.R01", "close: the device did not answer within 30 s"}},
		{"idle, and alive", Options{}, func(b *bench) { b.feed(hel()); b.silence(); b.feed(ackOf("AA", "2")); b.silence() }, []string{"AA 1", "KPA.R01", "KPA.R01"}},
		{"idle, and dead", Options{}, func(b *bench) { b.feed(hel()); b.silence(); b.silence() },
			[]string{"AA 1", "KPA.R01", "close: the device did not answer within 30 s"}},
		{"silence in a document", Options{}, func(b *bench) { b.feed(hel() + obs("7")[:70]); b.silence() },
			[]string{"AA 1", "broken:OBS.R01 7", "close: nothing came for 30 s in the middle of a document"}},
		{"hang-up in a document", Options{}, func(b *bench) { b.feed(hel() + obs("7")[:70]); b.do(b.link.HangUp(b.now)) }, []string{"AA 1", "broken:OBS.R01 7"}},
		{"hang-up in another document", Options{}, func(b *bench) { b.feed(hel()[:40]); b.do(b.link.HangUp(b.now)) }, nil},
		{"a document that another cuts off", Options{}, func(b *bench) { b.feed(obs("7")[:70] + obs("8")) },
			[]string{"broken:OBS.R01 7", "complete:OBS.R01 8", "AA 8", "whole"}},
		{"a document that a declaration cuts off", Options{}, func(b *bench) { b.feed(obs("7")[:70] + "<?xml version=\"1.0\"?>\n" + obs("8")) },
			[]string{"broken:OBS.R01 7", "complete:OBS.R01 8", "AA 8", "whole"}},
		{"results that are not well-formed", Options{}, func(b *bench) { b.feed(msg("OBS.R01", "7", "<a><b></a></b>") + msg("OBS.R01", "8", `<a b=c/>`)) },
			[]string{"broken:OBS.R01 7", "AE 7", "broken:OBS.R01 8", "AE 8"}},
		{"a DTD", Options{}, func(b *bench) { b.feed(hel() + `<!DOCTYPE OBS.R01 [<!ENTITY a "b">]>` + obs("7")) },
			[]string{"AA 1", "close: " + string(FaultDTD)}},
		{"an entity of nobody's", Options{}, func(b *bench) { b.feed(msg("OBS.R01", "7", "<a>&lol;</a>")) }, []string{"broken:OBS.R01 7", "AE 7"}},
		{"too long", Options{MaxMessage: 1024}, func(b *bench) { b.feed(hel() + msg("OBS.R01", "7", strings.Repeat("x", 1024))) },
			[]string{"AA 1", "close: " + string(FaultTooLong)}},
		{"too deep", Options{}, func(b *bench) { b.feed(hel() + "<OBS.R01>" + strings.Repeat("<a>", 100)) }, []string{"AA 1", "close: " + string(FaultTooDeep)}},
		{"UTF-16", Options{}, func(b *bench) { b.feed(hel() + "\xFF\xFE" + wideText("<OBS.R01>")) }, []string{"AA 1", "close: " + string(FaultWide)}},
		{"UTF-16 of the other order", Options{}, func(b *bench) { b.feed("\xFE\xFF\x00" + wideText("<?xml")) }, []string{"close: " + string(FaultWide)}},
		{"no UTF-16", Options{}, func(b *bench) { b.feed("<\x00<\x00A<\x00AB" + obs("7")) }, []string{"complete:OBS.R01 7", "AA 7", "whole"}},
		{"too many", Options{}, func(b *bench) { b.feed(msg("OBS.R01", "7", strings.Repeat("<a/>", maxElements))) }, []string{"broken:OBS.R01 7", "AE 7"}},
		{"after the end of a conversation another begins", Options{}, func(b *bench) { b.feed(hel() + dst("1") + end); b.silence() },
			[]string{"AA 1", "AA 2", "REQ.R01", "AA 9", "close: no HEL within 60 s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.o)
			c.do(b)
			if !slices.Equal(b.log, c.want) {
				t.Errorf("got  %q\nwant %q", b.log, c.want)
			}
		})
	}
}

// The clock is set in the zone of this computer, with its offset.
func TestSetTime(t *testing.T) {
	b := newBench(t, Options{SetClock: true})
	_, s := b.link.Feed(b.now, []byte(dst("0")))
	if !strings.Contains(string(s.Reply), `<TM><TM.dttm V="2026-11-22T08:00:00+01:00"/></TM>`) {
		t.Errorf("%s", s.Reply)
	}
}

// What a device calls its message is sent back escaped.
func TestAckEscapes(t *testing.T) {
	b := newBench(t, Options{})
	b.feed(msg("KPA.R01", "a&amp;&quot;&lt;", ""))
	if !slices.Equal(b.log, []string{`AA a&"<`}) {
		t.Errorf("%q", b.log)
	}
}

func TestSplitter(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`<a/>`, `<a/>`},
		{`<a/><b/>`, `<a/> | <b/>`},
		{`<a><b/></a>`, `<a><b/></a>`},
		{`<a b="/>"><c d='>'/></a>`, `<a b="/>"><c d='>'/></a>`},
		{`<?xml version="1.0"?><a/>`, `<?xml version="1.0"?><a/>`},
		{`<!-- <a> --><a><!-- </a> -- --></a>`, `<!-- <a> --><a><!-- </a> -- --></a>`},
		{`<a><![CDATA[</a>]]]]></a>x<b/>`, `<a><![CDATA[</a>]]]]></a> | <b/>`},
		{`<a></a >`, `<a></a >`},
		{`x < y <1 <<a/>`, `<a/>`},
		{`</a><b/>`, `<b/>`},
		{`<a><1></a>`, `<a><1! FaultMalformed`},
		{`<a><!ENTITY`, `<a><!E! DTD`},
		{`<OBS.R01><a><KPA.R01/>`, `<OBS.R01><a>! cut | <KPA.R01/>`},
		{`<OBS.R01><OBS.R01x/></OBS.R01>`, `<OBS.R01><OBS.R01x/></OBS.R01>`},
		{`<a><?xml?><b/>`, `<a>! cut | <?xml?><b/>`},
		{`<?xml?><?xml?><b/>`, `<?xml?><b/>`},
		{`<a><?xmlx?></a>`, `<a><?xmlx?></a>`},
		{`<?p?><a/>`, `<?p?><a/>`},
	} {
		for step := range 4 {
			var s Splitter
			var got []string
			for chunk := range slices.Chunk([]byte(c.in), max(1, step*3)) {
				for len(chunk) > 0 {
					n, d, done := s.Feed(chunk)
					chunk = chunk[n:]
					if done {
						got = append(got, string(d.Raw)+short(d.Fault))
						if d.Fault == FaultDTD || d.Fault == FaultMalformed {
							goto end
						}
					}
				}
			}
		end:
			if strings.Join(got, " | ") != c.want {
				t.Errorf("%s in pieces of %d: %q, want %s", c.in, max(1, step*3), got, c.want)
			}
		}
	}
}

func short(f Fault) string {
	switch f {
	case FaultNone:
		return ""
	case FaultCut:
		return "! cut"
	case FaultDTD:
		return "! DTD"
	case FaultMalformed:
		return "! FaultMalformed"
	}
	return "! " + string(f)
}

// No error or fault says anything of what is in a message.
func TestFaultsAreSilent(t *testing.T) {
	secret := regexp.MustCompile(`(?i)doe|4711`)
	for _, raw := range []string{`<OBS.R01><PT.name V="Doe"></OBS.R01>`, `<OBS.R01>&Doe4711;</OBS.R01>`, `<OBS.R01 Doe=4711/>`, `<?xml version="1.0" encoding="Doe"?><OBS.R01/>`,
		`<OBS.R01><SVC><SVC.role_cd V="Doe"/><SVC.observation_dttm V="4711"/><SVC.status_cd V="Doe"/><PT><OBS><OBS.observation_id V="a"/><OBS.status_cd V="Doe"/></OBS></PT></SVC></OBS.R01>`} {
		reports, err := Parse([]byte(raw), drivers.ParseOptions{})
		if err != nil && secret.MatchString(err.Error()) {
			t.Errorf("%v", err)
		}
		for _, r := range reports {
			if secret.MatchString(r.Hold + r.PurposeReason + strings.Join(r.Problems, "")) {
				t.Errorf("%+v", r)
			}
		}
	}
}
