package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/labcourier/labcourier/spool"
)

// Validated is what came of a comparison of stored messages with the server, for
// the audit log: counts, and nothing of a patient.
type Validated struct {
	Analyzer string `json:"analyzer"`
	Messages int    `json:"messages"`
	Results  int    `json:"results"`
	Wrong    int    `json:"wrong"` // results that differ, are missing, or could not be read
}

// Validated notes a comparison in the audit log.
func (c *Client) Validated(ctx context.Context, v Validated) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, "validated", strings.NewReader(string(body)), nil)
}

func (h *Handler) validated(w http.ResponseWriter, r *http.Request) error {
	var v Validated
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&v); err != nil {
		return &Error{Status: http.StatusBadRequest, Text: "the outcome of the comparison cannot be read"}
	}
	known, err := h.spool.List(spool.Query{Lane: v.Analyzer, Limit: 1})
	if err != nil {
		return err
	}
	if v.Analyzer == "" || len(known) == 0 { // no text of a caller's own gets into the log
		return &Error{Status: http.StatusBadRequest, Text: "there is nothing stored of such an analyzer"}
	}
	note := fmt.Sprintf("messages compared with the server: %d; results: %d, of which not as sent: %d", v.Messages, v.Results, v.Wrong)
	if err := h.spool.Audit(r.Context(), "validated", v.Analyzer, 0, note); err != nil {
		return err
	}
	return answer(w, v)
}
