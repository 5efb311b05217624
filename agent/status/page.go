package status

import (
	"bytes"
	"embed"
	"encoding/json"
	"hash/fnv"
	"html/template"
	"net/http"
	"path"
)

//go:embed assets
var files embed.FS

// page renders the status page and holds what it loads.
type page struct {
	tmpl   *template.Template
	assets map[string]asset // by path

	history  History // nil: none
	messages bool    // whether there is a message browser to lead to
}

// asset is one fixed file.
type asset struct {
	kind string
	body []byte
}

func (a asset) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", a.kind)
	w.Write(a.body)
}

func newPage() (*page, error) {
	tmpl, err := template.ParseFS(files, "assets/page.html")
	if err != nil {
		return nil, err
	}
	p := &page{tmpl: tmpl, assets: map[string]asset{}}
	for name, kind := range map[string]string{
		"app.css":       "text/css; charset=utf-8",
		"app.js":        "text/javascript; charset=utf-8",
		"icon-ok.svg":   "image/svg+xml",
		"icon-warn.svg": "image/svg+xml",
		"icon-bad.svg":  "image/svg+xml",
	} {
		body, err := files.ReadFile(path.Join("assets", name))
		if err != nil {
			return nil, err
		}
		p.assets["/"+name] = asset{kind, body}
	}
	return p, nil
}

// view is all that the page shows.
func (p *page) view(s Snapshot, arrivals []Arrival, demo bool) view {
	v := newView(s, arrivals, demo)
	v.Messages = p.messages
	if p.history != nil {
		v.remember(p.history, s.now())
	}
	return v
}

// render writes the whole page; it goes out only when it is complete.
func (p *page) render(s Snapshot, arrivals []Arrival, demo bool) ([]byte, error) {
	var b bytes.Buffer
	if err := p.tmpl.ExecuteTemplate(&b, "page.html", p.view(s, arrivals, demo)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// sum is short for what the page shows. The template adds nothing to its view, and
// takes several times as long as this.
func (p *page) sum(s Snapshot, arrivals []Arrival, demo bool) (uint64, error) {
	h := fnv.New64a()
	if err := json.NewEncoder(h).Encode(p.view(s, arrivals, demo)); err != nil {
		return 0, err
	}
	return h.Sum64(), nil
}
