package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/labcourier/labcourier/spool"
)

// GivenSpecimen is the word under which the spool keeps the specimen id that a
// person gave to a message. That of one order of several has ".N" behind it,
// the first order being 1.
const GivenSpecimen = "specimen"

// longestSpecimen bounds a specimen id that a person gives.
const longestSpecimen = 64

// specimenID is the body of the call that gives one.
type specimenID struct {
	ID    string `json:"id"`
	Order int    `json:"order,omitempty"` // from 1; 0: the only one without an id
}

// SetSpecimen says of which specimen a held message is, and puts it back to its
// lane. The order counts from 1; 0 is the only order without an id. The audit
// log tells that it was done, and not the id.
func (c *Client) SetSpecimen(ctx context.Context, q spool.Seq, id string, order int) error {
	body, err := json.Marshal(specimenID{id, order})
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path(q, "/specimen"), bytes.NewReader(body), nil)
}

func (h *Handler) setSpecimen(w http.ResponseWriter, r *http.Request) error {
	var body specimenID
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&body); err != nil {
		return &Error{Status: http.StatusBadRequest, Text: "the specimen id cannot be read"}
	}
	body.ID = strings.TrimSpace(body.ID)
	if body.ID == "" || len(body.ID) > longestSpecimen || strings.ContainsFunc(body.ID, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }) {
		return &Error{Status: http.StatusBadRequest, Text: fmt.Sprintf("a specimen id has 1 to %d characters, and no blank among them", longestSpecimen)}
	}
	rec, err := h.record(r)
	if err != nil {
		return err
	}
	if !describeRecord(rec).Held() {
		return &Error{Status: http.StatusConflict, Text: "only a message that is held for want of a specimen id can be given one: `labcourier messages list --state parked` says why each is"}
	}
	word, note := GivenSpecimen, "specimen id"
	if body.Order > 0 {
		word += "." + strconv.Itoa(body.Order)
		note += " of order " + strconv.Itoa(body.Order)
	}
	if err := h.spool.Give(rec.Lane, rec.Seq, map[string]string{word: body.ID}, note); err != nil {
		return err
	}
	return answer(w, describeRecord(rec))
}

// codeHeld is the reason of delivery for a message that needs a person.
const codeHeld = "held"
