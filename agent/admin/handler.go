package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labcourier/labcourier/spool"
)

// Prefix is where the Handler is served.
const Prefix = "/api/admin/"

// maxReason bounds what a person may write.
const maxReason = 500

// Handler serves the calls of Client over a spool.
type Handler struct {
	spool *spool.Spool
	links Links
	token Token
	mux   *http.ServeMux

	watchers watchers
}

// NewHandler returns a handler for those who know token. Without links there is
// no traffic to watch.
func NewHandler(s *spool.Spool, links Links, token Token) *Handler {
	h := &Handler{spool: s, links: links, token: token, mux: http.NewServeMux()}
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET messages":                 h.list,
		"GET messages/{seq}":           h.get,
		"POST messages/{seq}/retry":    h.retry,
		"POST messages/{seq}/discard":  h.discard,
		"POST messages/{seq}/specimen": h.setSpecimen,
		"GET export":                   h.export,
		"POST import":                  h.takeIn,
		"GET backup":                   h.backup,
		"POST compact":                 h.compact,
		"POST rekey":                   h.rekey,
		"GET audit":                    h.audit,
		"POST validated":               h.validated,

		"GET analyzers/{name}/traffic": h.traffic,
	} {
		h.handle(pattern, serve)
	}
	return h
}

// handle serves one call; the pattern is a method and a path below Prefix.
func (h *Handler) handle(pattern string, serve func(http.ResponseWriter, *http.Request) error) {
	method, path, _ := strings.Cut(pattern, " ")
	h.mux.HandleFunc(method+" "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r); err != nil {
			refuse(w, err)
		}
	})
}

// Handle adds a question that the spool alone cannot answer. The answer is sent
// as JSON; it holds no patient data.
func (h *Handler) Handle(path string, answerer func(context.Context, url.Values) (any, error)) {
	h.add("GET "+path, answerer)
}

// HandleChange adds a change that is not only the spool's; see Handle. The handler
// that answers notes it in the audit log.
func (h *Handler) HandleChange(path string, answerer func(context.Context, url.Values) (any, error)) {
	h.add("POST "+path, answerer)
}

func (h *Handler) add(pattern string, answerer func(context.Context, url.Values) (any, error)) {
	h.handle(pattern, func(w http.ResponseWriter, r *http.Request) error {
		patient(w)
		v, err := answerer(r.Context(), r.URL.Query())
		if err != nil {
			return err
		}
		return answer(w, v)
	})
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !h.token.Matches(given) {
		refuse(w, &Error{Status: http.StatusUnauthorized, Text: "the admin token is missing or wrong"})
		return
	}
	h.mux.ServeHTTP(w, r)
}

// Error is a call that was refused.
type Error struct {
	Status int    `json:"-"` // of HTTP
	Text   string `json:"error"`

	// Faults are those of the configuration, if they were why.
	Faults json.RawMessage `json:"faults,omitempty"`
}

func (e *Error) Error() string { return e.Text }

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Status: http.StatusInternalServerError, Text: err.Error()}
		switch {
		case errors.Is(err, spool.ErrNotFound):
			e.Status = http.StatusNotFound
		case errors.Is(err, spool.ErrWrongState), errors.Is(err, spool.ErrWrongLane), errors.Is(err, spool.ErrDamaged):
			e.Status = http.StatusConflict
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(e) // the caller may be gone
}

func answer(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

func query(v url.Values) (q spool.Query, err error) {
	q.Lane = v.Get("analyzer")
	if s := v.Get("state"); s != "" {
		if q.State, err = spool.ParseState(s); err != nil {
			return q, &Error{Status: http.StatusBadRequest, Text: err.Error()}
		}
	}
	for name, set := range map[string]func(uint64){
		"after":  func(n uint64) { q.After = spool.Seq(n) },
		"before": func(n uint64) { q.Before = spool.Seq(n) },
		"limit":  func(n uint64) { q.Limit = int(min(n, 10_000)) },
	} {
		if s := v.Get(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				return q, &Error{Status: http.StatusBadRequest, Text: name + " is not a number"}
			}
			set(n)
		}
	}
	for name, t := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if s := v.Get(name); s != "" {
			if *t, err = time.Parse(time.RFC3339, s); err != nil {
				return q, &Error{Status: http.StatusBadRequest, Text: name + " is not a time like 2026-11-22T08:00:00Z"}
			}
		}
	}
	q.Newest = v.Get("order") == "newest"
	return q, nil
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r.URL.Query())
	if err != nil {
		return err
	}
	found, err := h.spool.List(q)
	if err != nil {
		return err
	}
	out := make([]Message, 0, len(found))
	for _, i := range found {
		out = append(out, describe(i))
	}
	return answer(w, out)
}

// record finds the message that the path names.
func (h *Handler) record(r *http.Request) (spool.Record, error) {
	n, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		return spool.Record{}, &Error{Status: http.StatusBadRequest, Text: "that is not a message's number"}
	}
	return h.spool.Get(spool.Seq(n))
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request) error {
	rec, err := h.record(r)
	if err != nil {
		return err
	}
	if err := h.spool.Audit(r.Context(), "viewed", rec.Lane, rec.Seq, ""); err != nil {
		return err // no look without its entry
	}
	return answer(w, Content{describeRecord(rec), rec.Payload, rec.Given})
}

func (h *Handler) retry(w http.ResponseWriter, r *http.Request) error {
	rec, err := h.record(r)
	if err != nil {
		return err
	}
	if rec.Stage == spool.Broken {
		return &Error{Status: http.StatusConflict, Text: "the message was broken off and cannot be delivered: send it again at the analyzer, then discard it here"}
	}
	if err := h.spool.Retry(rec.Lane, rec.Seq); err != nil {
		return err
	}
	return answer(w, describeRecord(rec))
}

func (h *Handler) discard(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&body); err != nil {
		return &Error{Status: http.StatusBadRequest, Text: "the reason cannot be read"}
	}
	body.Reason = strings.TrimSpace(body.Reason)
	if body.Reason == "" || len(body.Reason) > maxReason {
		return &Error{Status: http.StatusBadRequest, Text: fmt.Sprintf("give a reason of 1 to %d bytes; it stays in the audit log, so name no patient", maxReason)}
	}
	rec, err := h.record(r)
	if err != nil {
		return err
	}
	if err := h.spool.Discard(rec.Lane, rec.Seq, spool.Reason{Code: "discarded", Text: body.Reason}); err != nil {
		return err
	}
	return answer(w, describeRecord(rec))
}

func (h *Handler) export(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r.URL.Query())
	if err != nil {
		return err
	}
	s := stream(w)
	n, err := h.spool.Export(r.Context(), s, q)
	return s.end(strconv.Itoa(n), err)
}

func (h *Handler) takeIn(w http.ResponseWriter, r *http.Request) error {
	patient(w)
	im, err := h.spool.Import(r.Context(), r.Body)
	if err != nil {
		return &Error{Status: http.StatusUnprocessableEntity, Text: fmt.Sprintf("%d messages were taken before the file could not be read: %v", im.Stored, err)}
	}
	return answer(w, im)
}

func (h *Handler) backup(w http.ResponseWriter, r *http.Request) error {
	s := stream(w)
	n, err := h.spool.Backup(r.Context(), s)
	return s.end(strconv.FormatInt(n, 10), err)
}

func (h *Handler) compact(w http.ResponseWriter, r *http.Request) error {
	patient(w)
	before := h.spool.Stats().FileBytes
	if err := h.spool.Compact(context.WithoutCancel(r.Context())); err != nil {
		return err
	}
	return answer(w, Compacted{Before: before, After: h.spool.Stats().FileBytes})
}

// rekey seals everything with the newest key, and leaves what was written before
// behind.
func (h *Handler) rekey(w http.ResponseWriter, r *http.Request) error {
	patient(w)
	ctx := context.WithoutCancel(r.Context())
	if !h.spool.Stats().Encrypted {
		return &Error{Status: http.StatusConflict, Text: "this spool is not encrypted: give it a key in [spool], start the agent anew, then repeat this"}
	}
	n, err := h.spool.Rekey(ctx)
	if err != nil {
		return err
	}
	if err := h.spool.Compact(ctx); err != nil {
		return fmt.Errorf("%d messages were sealed anew, but older copies are still in the file: %w", n, err)
	}
	return answer(w, Rekeyed{Sealed: n})
}

// Rekeyed says how many messages were sealed anew.
type Rekeyed struct {
	Sealed int `json:"sealed"`
}

// Compacted is what compaction did to the spool's file, in bytes.
type Compacted struct {
	Before uint64 `json:"before"`
	After  uint64 `json:"after"`
}

func (h *Handler) audit(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r.URL.Query())
	if err != nil {
		return err
	}
	if err := h.spool.VerifyAudit(); err != nil {
		return err
	}
	if q.Limit == 0 {
		q.Limit = spool.DefaultLimit
	}
	log, err := h.spool.AuditLog(uint64(q.After), q.Limit)
	if err != nil {
		return err
	}
	return answer(w, append([]spool.AuditEntry{}, log...))
}

// longest is how long a backup, an export or a compaction may take.
const longest = time.Hour

// patient lifts the endpoint's short deadlines for a call that takes long.
func patient(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Now().Add(longest)) // not supported in process, where there are none
	c.SetWriteDeadline(time.Now().Add(longest))
}

// download is an answer of many bytes. Its trailer says that it is whole.
type download struct {
	http.ResponseWriter
	begun bool
}

// wholeTrailer carries the count of what was sent, and is missing when the
// sending broke off.
const wholeTrailer = "Labcourier-Whole"

func stream(w http.ResponseWriter) *download {
	patient(w)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Trailer", wholeTrailer)
	return &download{ResponseWriter: w}
}

func (d *download) Write(p []byte) (int, error) {
	d.begun = true
	return d.ResponseWriter.Write(p)
}

// end ends the answer. Where it has begun and went wrong the connection is cut,
// so that half an answer is not taken for a whole one.
func (d *download) end(count string, err error) error {
	if err != nil && d.begun {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		d.Header().Del("Trailer")
		return err
	}
	d.Header().Set(wholeTrailer, count)
	return nil
}

var _ io.Writer = (*download)(nil)
