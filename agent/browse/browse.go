package browse

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/drivers"
)

//go:embed assets
var files embed.FS

// Options is what a Handler browses.
type Options struct {
	Admin *admin.Client // over the spool that is shown
	Token admin.Token   // proves that somebody may sign in

	// Read makes of a message what the agent delivers. It is pure.
	Read func(admin.Content) Reading

	// Analyzers names those that there are, for the filter.
	Analyzers func() []string

	// Waiting says why the analyzer's oldest message is not delivered yet; "" if
	// nothing is wrong.
	Waiting func(analyzer string) string

	Server func() string // the FHIR server's base URL, for links
	Log    zerolog.Logger
	Now    func() time.Time // nil means time.Now
}

// Reading is a message as the agent understands it.
type Reading struct {
	Err     error // why it cannot be read or mapped
	Reports []drivers.Report
	Held    []string // what waits for a person
	Kept    []string // what is no result of a patient
	Steps   []Step
}

// Step is what one request to the server carries.
type Step struct {
	Name string
	JSON []byte
}

// Paths that a Handler serves; each ends the pattern of an http.ServeMux.
func Paths() []string {
	return []string{"/login", "/logout", "/messages", "/messages/", "/links", "/links/", loginLink}
}

// Handler serves the message browser.
type Handler struct {
	o        Options
	pages    *template.Template
	mux      *http.ServeMux
	sessions *sessions
}

// New returns a Handler with no session.
func New(o Options) (*Handler, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	pages, err := template.New("").Funcs(words(o.Now)).ParseFS(files, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("message browser: %w", err)
	}
	h := &Handler{o: o, pages: pages, mux: http.NewServeMux(), sessions: newSessions(o.Now)}
	h.routes()
	return h, nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func (h *Handler) routes() {
	h.mux.HandleFunc("GET /login", h.loginPage)
	h.mux.HandleFunc("POST /login", h.login)
	h.mux.HandleFunc("POST "+loginLink, h.makeLink)
	h.mux.HandleFunc("GET /messages/style.css", asset("browse.css", "text/css; charset=utf-8"))
	h.mux.HandleFunc("GET /messages/link.js", asset("link.js", "text/javascript; charset=utf-8"))
	h.mux.HandleFunc("GET /links/{analyzer}/events", h.asks(h.linkEvents))
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, *session) error{
		"POST /logout":                  h.logout,
		"GET /messages":                 h.list,
		"GET /messages/audit":           h.audit,
		"GET /links":                    h.links,
		"GET /links/{analyzer}":         h.link,
		"POST /messages/retry":          h.retryAll,
		"GET /messages/{seq}":           h.show,
		"GET /messages/{seq}/raw":       h.raw,
		"POST /messages/{seq}/retry":    h.retry,
		"POST /messages/{seq}/discard":  h.discard,
		"POST /messages/{seq}/specimen": h.specimen,
	} {
		h.mux.HandleFunc(pattern, h.signedIn(serve))
	}
}

// signedIn lets only a session through, and a change only with the session's
// own mark.
func (h *Handler) signedIn(serve func(http.ResponseWriter, *http.Request, *session) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := h.sessions.of(r)
		if s == nil {
			to := "/login"
			if r.Method == http.MethodGet {
				to = loginTo(r.URL)
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil || !s.marked(r.PostForm.Get("mark")) {
				h.sorry(w, s, http.StatusForbidden, "This form is not from this session. Go back, load the page again and try once more.")
				return
			}
		}
		if err := serve(w, r, s); err != nil {
			h.failed(w, s, err)
		}
	}
}

// maxForm bounds what a form may send, in bytes.
const maxForm = 16 << 10

// failed shows what admin said.
func (h *Handler) failed(w http.ResponseWriter, s *session, err error) {
	if e, ok := errors.AsType[*admin.Error](err); ok {
		h.sorry(w, s, e.Status, e.Text)
		return
	}
	h.o.Log.Error().Err(err).Msg("message browser")
	h.sorry(w, s, http.StatusInternalServerError, "That did not work; labcourier's log has the reason.")
}

func (h *Handler) sorry(w http.ResponseWriter, s *session, code int, text string) {
	h.page(w, code, "sorry.html", map[string]any{"Session": s, "Text": text})
}

// page writes a page that is complete, or says that it cannot.
func (h *Handler) page(w http.ResponseWriter, code int, name string, data any) {
	var b bytes.Buffer
	if err := h.pages.ExecuteTemplate(&b, name, data); err != nil {
		h.o.Log.Error().Err(err).Str("page", name).Msg("page cannot be rendered")
		http.Error(w, "this page cannot be shown; the commands of `labcourier messages` do the same", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

// asset serves one fixed file.
func asset(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := files.ReadFile("assets/" + name)
		if err != nil {
			http.Error(w, "not in this program", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Write(body)
	}
}
