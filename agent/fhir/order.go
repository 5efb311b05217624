package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Request is what the server's orders say of a specimen.
type Request struct {
	Subject string   // "Patient/17"
	Orders  []string // "ServiceRequest/4"
}

// ErrTwoPatients: orders of several patients have one specimen id.
var ErrTwoPatients = errors.New("orders of several patients have this specimen id")

// ChooseRequest reads the ServiceRequests that were found by a specimen id. One
// that was withdrawn, that is not of a patient, or that was made before oldest
// does not count: short ids are used again. It reports false if none is left.
func ChooseRequest(found []json.RawMessage, oldest time.Time) (r Request, ok bool, err error) {
	for _, raw := range found {
		var o struct {
			ResourceType string    `json:"resourceType"`
			ID           string    `json:"id"`
			Status       string    `json:"status"`
			AuthoredOn   string    `json:"authoredOn"`
			Subject      reference `json:"subject"`
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return Request{}, false, errors.New("read the server's ServiceRequest: it is not as FHIR R4 has it")
		}
		made, unknown := time.Parse(time.RFC3339Nano, o.AuthoredOn)
		if unknown != nil {
			made, unknown = time.Parse(time.DateOnly, o.AuthoredOn)
		}
		switch {
		case o.ResourceType != "ServiceRequest" || o.ID == "" || !strings.HasPrefix(o.Subject.Reference, "Patient/"):
		case o.Status == "entered-in-error" || o.Status == "revoked" || unknown == nil && made.Before(oldest):
		case r.Subject != "" && r.Subject != o.Subject.Reference:
			return Request{}, false, ErrTwoPatients
		default:
			r.Subject = o.Subject.Reference
			r.Orders = append(r.Orders, "ServiceRequest/"+o.ID)
		}
	}
	return r, r.Subject != "", nil
}

// WithRequest is e with the patient and the orders that the server knows.
func (e Entry) WithRequest(r Request) (Entry, error) {
	var o object
	if json.Unmarshal(e.Resource, &o) != nil || o == nil {
		return e, fmt.Errorf("say whose %s it is: it is not an object", e.Type)
	}
	var orders []reference
	for _, ref := range r.Orders {
		orders = append(orders, reference{Reference: ref})
	}
	member := "basedOn"
	if e.Type == "Specimen" {
		member = "request"
	}
	for name, v := range map[string]any{"subject": reference{Reference: r.Subject}, member: orders} {
		text, err := json.Marshal(v)
		if err != nil {
			return e, fmt.Errorf("say whose %s it is: %w", e.Type, err)
		}
		o[name] = text
	}
	var buf encodeBuffer
	raw, err := buf.encode(o)
	e.Resource = raw
	return e, err
}

// Tubes are the specimen ids that the steps are about, each once.
func Tubes(steps []Step) (ids []string) {
	for _, s := range steps {
		for _, e := range s.Entries {
			if e.Tube != "" && !slices.Contains(ids, e.Tube) {
				ids = append(ids, e.Tube)
			}
		}
	}
	return ids
}
