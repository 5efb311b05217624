package deliver

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/labcourier/labcourier/agent/fhir"
)

// bundleAnswer is the part of a batch-response, or of a searchset, that is
// used.
type bundleAnswer struct {
	ResourceType string        `json:"resourceType"`
	Type         string        `json:"type"`
	Entry        []entryAnswer `json:"entry"`
}

type entryAnswer struct {
	Response struct {
		Status   string            `json:"status"`
		Location string            `json:"location"`
		Outcome  *operationOutcome `json:"outcome"`
	} `json:"response"`
	Resource resourceAnswer `json:"resource"`
}

// resourceAnswer is a resource in an answer.
type resourceAnswer struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`

	raw json.RawMessage
}

// UnmarshalJSON keeps the text beside what is read of it.
func (r *resourceAnswer) UnmarshalJSON(b []byte) error {
	type plain resourceAnswer
	if err := json.Unmarshal(b, (*plain)(r)); err != nil {
		return err
	}
	r.raw = append(json.RawMessage(nil), b...)
	return nil
}

// parseBundle returns the entries of a Bundle of exactly n or, if n is
// negative, the resources of a searchset. It reports false for anything else:
// an answer that was cut off, a portal's page, an empty body. To take such a
// thing for a search that found nothing would be to overlook what is there.
func parseBundle(body []byte, n int) ([]entryAnswer, bool) {
	var b bundleAnswer
	if json.Unmarshal(body, &b) != nil || b.ResourceType != "Bundle" || n >= 0 && len(b.Entry) != n {
		return nil, false
	}
	if n >= 0 {
		return b.Entry, true
	}
	for _, e := range b.Entry {
		if e.Resource.ResourceType == "" {
			return nil, false
		}
	}
	return b.Entry, b.Type == "searchset"
}

// verdict judges one entry. A status that is no status is no answer.
func (a entryAnswer) verdict() verdict {
	status := 0
	text := strings.TrimSpace(a.Response.Status)
	for i := 0; i < len(text) && i < 3 && text[i] >= '0' && text[i] <= '9'; i++ {
		status = 10*status + int(text[i]-'0')
	}
	if status < 100 || len(text) > 3 && text[3] != ' ' {
		return verdict{action: repeat, why: "an entry of the answer has no status"}
	}
	return judge(status, a.Response.Outcome)
}

// reference is what the server calls the entry's resource, "Type/id", or "".
func (a entryAnswer) reference(resourceType string) string {
	if id := idIn(a.Response.Location, resourceType); id != "" {
		return resourceType + "/" + id
	}
	if a.Resource.ResourceType == resourceType && isID(a.Resource.ID) {
		return resourceType + "/" + a.Resource.ID
	}
	return ""
}

// idIn takes the id out of a location: "Type/id", an absolute one, with a
// history part or without.
func idIn(location, resourceType string) string {
	if i := strings.IndexAny(location, "?#"); i >= 0 {
		location = location[:i]
	}
	parts := strings.Split(location, "/")
	for i := len(parts) - 2; i >= 0; i-- { // the last: a base path may hold the word, too
		if parts[i] == resourceType && isID(parts[i+1]) {
			return parts[i+1]
		}
	}
	return ""
}

// isID reports whether s is a FHIR id (R4, 2.24.0.1).
func isID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}

// searchAddress is the search that finds an entry by its identifier, or its tag.
func searchAddress(base string, e fhir.Entry) string {
	q := url.Values{e.Param(): {e.System + "|" + e.Value}, "_count": {"2"}}
	return base + "/" + e.Type + "?" + q.Encode()
}
