package status

import (
	"bytes"
	"embed"
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

// render writes the whole page; it goes out only when it is complete.
func (p *page) render(s Snapshot, arrivals []Arrival, demo bool) ([]byte, error) {
	var b bytes.Buffer
	v := newView(s, arrivals, demo)
	v.Messages = p.messages
	if p.history != nil {
		v.remember(p.history, s.now())
	}
	if err := p.tmpl.ExecuteTemplate(&b, "page.html", v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
