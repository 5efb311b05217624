package browse

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labcourier/labcourier/agent/admin"
	"github.com/labcourier/labcourier/spool"
)

// say keeps a sentence for the page that an action leads to.
func (s *session) say(text string) { s.word.Store(&text) }

// said is that sentence, once.
func (s *session) said() string {
	if p := s.word.Swap(nil); p != nil {
		return *p
	}
	return ""
}

func (h *Handler) retry(w http.ResponseWriter, r *http.Request, s *session) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	if err := h.o.Admin.Retry(r.Context(), n); err != nil {
		return err
	}
	s.say(fmt.Sprintf("Message %d waits for delivery again.", n))
	return back(w, r, n)
}

func (h *Handler) discard(w http.ResponseWriter, r *http.Request, s *session) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	if err := h.o.Admin.Discard(r.Context(), n, r.PostForm.Get("reason")); err != nil {
		return err
	}
	s.say(fmt.Sprintf("Message %d is discarded. It stays in the history until retention takes it.", n))
	return back(w, r, n)
}

// specimen takes the specimen id that a person gives to a held message.
func (h *Handler) specimen(w http.ResponseWriter, r *http.Request, s *session) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	order := 0
	if text := strings.TrimSpace(r.PostForm.Get("order")); text != "" {
		if order, err = strconv.Atoi(text); err != nil || order < 1 {
			return &admin.Error{Status: http.StatusBadRequest, Text: "The order is a number from 1, or left empty."}
		}
	}
	if err := h.o.Admin.SetSpecimen(r.Context(), n, r.PostForm.Get("id"), order); err != nil {
		return err
	}
	s.say(fmt.Sprintf("Message %d waits for delivery with that specimen id.", n))
	return back(w, r, n)
}

// back leads to the message that an action was about.
func back(w http.ResponseWriter, r *http.Request, n spool.Seq) error {
	http.Redirect(w, r, "/messages/"+strconv.FormatUint(uint64(n), 10), http.StatusSeeOther)
	return nil
}

// retryAll puts back every parked message of an analyzer with one reason.
func (h *Handler) retryAll(w http.ResponseWriter, r *http.Request, s *session) error {
	analyzer, code, text := r.PostForm.Get("analyzer"), r.PostForm.Get("code"), r.PostForm.Get("text")
	done := 0
	for q := (admin.Query{Analyzer: analyzer, State: spool.Parked.String(), Limit: maxGrouped}); ; {
		found, err := h.o.Admin.List(r.Context(), q)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			break
		}
		for _, m := range found {
			q.After = m.Seq
			if m.Reason == nil || m.Reason.Code != code || m.Reason.Text != text || !canRetry(m) {
				continue
			}
			if err := h.o.Admin.Retry(r.Context(), m.Seq); err != nil {
				return fmt.Errorf("message %d, after %d that wait again: %w", m.Seq, done, err)
			}
			done++
		}
	}
	s.say(fmt.Sprintf("Waiting for delivery again: %d of %s.", done, analyzer))
	http.Redirect(w, r, "/messages", http.StatusSeeOther)
	return nil
}
