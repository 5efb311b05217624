package browse

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/spool"
)

// pageSize is how many messages a page lists.
const pageSize = 50

// listing is what the list's template shows.
type listing struct {
	Session   *session
	Filter    filter
	Problem   string
	States    []string
	Analyzers []string
	Messages  []admin.Message
	Groups    []group // parked messages by their reason
	Older     string  // link to the next page
	Done      string  // what an action that led here did
}

// filter is what a person asked for, as typed.
type filter struct {
	Analyzer, State, Since, Until string
	Before                        spool.Seq
}

// group is parked messages with one reason.
type group struct {
	Analyzer, Code, Text string
	Count                int
	More                 bool // there may be more than were counted
	Retry                bool // at least one can be retried
}

// localTime is how a form's datetime-local field writes a time.
const localTime = "2006-01-02T15:04"

func filterOf(v url.Values) filter {
	before, _ := strconv.ParseUint(v.Get("before"), 10, 64) // whatever is no number is no bound
	return filter{
		Analyzer: v.Get("analyzer"), State: v.Get("state"), Since: v.Get("since"), Until: v.Get("until"), Before: spool.Seq(before),
	}
}

// query is the filter for the spool; problem says what of it cannot be read.
func (f filter) query() (q admin.Query, problem string) {
	q = admin.Query{Analyzer: f.Analyzer, State: f.State, Before: f.Before, Newest: true, Limit: pageSize}
	for text, t := range map[string]*time.Time{f.Since: &q.Since, f.Until: &q.Until} {
		if text == "" {
			continue
		}
		at, err := time.ParseInLocation(localTime, text, time.Local)
		if err != nil {
			problem = "Write times like 2026-11-22T08:00."
			continue
		}
		*t = at
	}
	if !q.Until.IsZero() {
		q.Until = q.Until.Add(time.Minute - 1) // the minute that was named is included
	}
	return q, problem
}

// link is the list with this filter.
func (f filter) link() string {
	v := url.Values{}
	for name, value := range map[string]string{"analyzer": f.Analyzer, "state": f.State, "since": f.Since, "until": f.Until} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if f.Before > 0 {
		v.Set("before", strconv.FormatUint(uint64(f.Before), 10))
	}
	if len(v) == 0 {
		return "/messages"
	}
	return "/messages?" + v.Encode()
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, s *session) error {
	f := filterOf(r.URL.Query())
	if n := strings.TrimSpace(r.URL.Query().Get("number")); n != "" {
		if _, err := strconv.ParseUint(n, 10, 64); err == nil {
			http.Redirect(w, r, "/messages/"+n, http.StatusSeeOther)
			return nil
		}
	}
	q, problem := f.query()
	found, err := h.o.Admin.List(r.Context(), q)
	if err != nil {
		return err
	}
	out := listing{
		Session: s, Filter: f, Problem: problem, Messages: found, Analyzers: h.o.Analyzers(),
		States: []string{"waiting", "parked", "delivered", "discarded"}, Done: s.said(),
	}
	if len(found) == pageSize {
		next := f
		next.Before = found[len(found)-1].Seq
		out.Older = next.link()
	}
	if out.Groups, err = h.groups(r, f.Analyzer); err != nil {
		return err
	}
	h.page(w, http.StatusOK, "list.html", out)
	return nil
}

// groups sorts the parked messages by analyzer and reason, up to maxGrouped of
// them: a person decides about a reason, not about each of a thousand messages.
func (h *Handler) groups(r *http.Request, analyzer string) (all []group, err error) {
	found, err := h.o.Admin.List(r.Context(), admin.Query{
		Analyzer: analyzer, State: spool.Parked.String(), Newest: true, Limit: maxGrouped,
	})
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		g := group{Analyzer: m.Analyzer}
		if m.Reason != nil {
			g.Code, g.Text = m.Reason.Code, m.Reason.Text
		}
		i := slices.IndexFunc(all, func(o group) bool { return o.Analyzer == g.Analyzer && o.Code == g.Code && o.Text == g.Text })
		if i < 0 {
			i, all = len(all), append(all, g)
		}
		all[i].Count++
		all[i].More = len(found) == maxGrouped
		all[i].Retry = all[i].Retry || canRetry(m)
	}
	return all, nil
}

// maxGrouped bounds how many parked messages one page looks through.
const maxGrouped = 500

// canRetry tells whether delivering m again can help.
func canRetry(m admin.Message) bool {
	return m.Stage != spool.Broken.String() && !m.Damaged && m.State != spool.Waiting.String()
}

func (h *Handler) audit(w http.ResponseWriter, r *http.Request, s *session) error {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64) // whatever is no number: from the beginning
	log, err := h.o.Admin.Audit(r.Context(), after, auditPage)
	if err != nil {
		return err
	}
	next := ""
	if len(log) == auditPage {
		next = "/messages/audit?after=" + strconv.FormatUint(log[len(log)-1].Number, 10)
	}
	h.page(w, http.StatusOK, "audit.html", map[string]any{"Session": s, "Entries": log, "Next": next})
	return nil
}

const auditPage = 200
