package status

import (
	"strings"
	"testing"
	"time"
)

// fakeHistory is a History of funcs.
type fakeHistory struct {
	day    func(string) []uint32
	levels []uint8
}

var _ History = fakeHistory{}

func (f fakeHistory) Day(_ time.Time, analyzer string) (time.Time, []uint32) {
	return noon.Add(-24 * time.Hour), f.day(analyzer)
}
func (f fakeHistory) Levels(time.Time) (time.Time, []uint8) {
	return noon.Add(-24 * time.Hour), f.levels
}

func TestDayOnThePage(t *testing.T) {
	p, err := newPage()
	if err != nil {
		t.Fatal(err)
	}
	p.history = fakeHistory{
		levels: []uint8{0, 1, 1, 3, 2, 1, 9, 1},
		day: func(analyzer string) []uint32 {
			switch analyzer {
			case "xn-550":
				return []uint32{0, 4, 0, 1 << 31, 0, 1, 0, 0}
			case "bc-5380":
				return make([]uint32, 8)
			}
			return nil
		},
	}
	body, err := p.render(healthy(), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	html := string(body)
	for _, want := range []string{
		`<path d="M1 23h1v1h-1zM3 0h1v24h-1zM5 23h1v1h-1z"/>`,
		`<rect class="ok" x="1" y="0" width="2"`, `<rect class="bad" x="3" y="0" width="1"`,
		"needed a look for 3 h, needed action for 3 h", "2,147,483,653 messages in the last day",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := strings.Count(html, `class="bars"`); n != 1 {
		t.Errorf("%d drawings; one analyzer sent something", n)
	}
	p.history = fakeHistory{levels: make([]uint8, 8), day: func(string) []uint32 { return nil }}
	if body, err = p.render(healthy(), nil, false); err != nil || strings.Contains(string(body), "<rect") || strings.Contains(string(body), `class="bars"`) {
		t.Errorf("a drawing of nothing, %v", err)
	}
}
