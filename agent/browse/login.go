package browse

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"

	"github.com/labcourier/labcourier/agent/admin"
)

// loginLink is where the command line asks for a one-time link.
const loginLink = admin.Prefix + "login"

// loginTo is the sign-in page that leads on to where somebody wanted to go.
func loginTo(u *url.URL) string {
	return "/login?" + url.Values{"to": {u.RequestURI()}}.Encode()
}

// destination is where to go after signing in: a page of this browser, whatever
// the link says.
func destination(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || strings.Contains(to, `\`) || strings.Contains(u.Path, "..") || !ownPage(u.Path) {
		return "/messages"
	}
	return u.RequestURI()
}

func ownPage(path string) bool {
	for _, p := range []string{"/messages", "/links"} {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

// loginPage shows the form, or follows a one-time link.
func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request) {
	to := destination(r.URL.Query().Get("to"))
	if code := r.URL.Query().Get("code"); code != "" {
		if h.sessions.follow(code) {
			h.sessions.begin(w, r)
			h.o.Log.Info().Msg("signed in at the page by a one-time link")
			onward(w, to)
			return
		}
		h.page(w, http.StatusOK, "login.html", map[string]any{"To": to, "Problem": "That link was used already or is older than a minute. Ask for a new one."})
		return
	}
	h.page(w, http.StatusOK, "login.html", map[string]any{"To": to})
}

// onward leads on by a page, not by a redirect: a browser that came here from a
// link outside counts a redirect as that link's doing, and would not send the
// strict cookie along.
func onward(w http.ResponseWriter, to string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Refresh", "0; url="+to)
	w.Write([]byte("<!doctype html><html lang=\"en\"><title>Signed in</title><p>Signed in. <a href=\"" + html.EscapeString(to) + "\">Go on</a></p></html>\n"))
}

// login takes the admin token.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	to := destination(r.FormValue("to"))
	refused := func(code int, problem string) {
		h.page(w, code, "login.html", map[string]any{"To": to, "Problem": problem})
	}
	switch {
	case !h.sessions.allowed():
		w.Header().Set("Retry-After", "10")
		refused(http.StatusTooManyRequests, "Too many tries. Wait ten seconds.")
	case !h.o.Token.Matches(strings.TrimSpace(r.PostFormValue("token"))):
		h.o.Log.Warn().Msg("sign-in at the page with a wrong token")
		refused(http.StatusForbidden, "That is not the admin token.")
	default:
		h.sessions.begin(w, r)
		h.o.Log.Info().Msg("signed in at the page with the admin token")
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// makeLink answers the command line, which knows the admin token.
func (h *Handler) makeLink(w http.ResponseWriter, r *http.Request) {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.Header().Set("Content-Type", "application/json")
	if !h.o.Token.Matches(given) {
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(admin.Error{Text: "the admin token is missing or wrong"})
		return
	}
	_ = json.NewEncoder(w).Encode(admin.Login{Path: "/login?code=" + h.sessions.link()})
}

func (h *Handler) logout(w http.ResponseWriter, r *http.Request, _ *session) error {
	h.sessions.end(w, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
