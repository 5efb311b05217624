package sandbox_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/labcourier/labcourier/agent/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const resultSystem = "urn:labcourier:result"

// ask sends one request straight to the handler. Headers come in pairs; without
// an Authorization the default client's Basic is sent, and "Authorization", ""
// sends none.
func ask(t testing.TB, s *sandbox.Server, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.SetBasicAuth(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	r.Header.Set("Content-Type", "application/fhir+json")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func fhir(path string) string { return sandbox.BasePath + "/" + path }

func observation(value string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","identifier":[{"system":%q,"value":%q}],`+
		`"status":"final","code":{"text":"GLU"},"valueQuantity":{"value":5.40}}`, resultSystem, value)
}

func report(value string, results ...string) string {
	refs := make([]string, len(results))
	for i, r := range results {
		refs[i] = fmt.Sprintf(`{"reference":%q}`, r)
	}
	return fmt.Sprintf(`{"resourceType":"DiagnosticReport","identifier":[{"system":"urn:labcourier:report","value":%q}],`+
		`"status":"final","code":{"text":"Panel"},"result":[%s]}`, value, strings.Join(refs, ","))
}

// urn is a urn:uuid that is different for every n.
func urn(n int) string { return fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n) }

// conditional is a bundle entry that creates an Observation once.
func conditional(n int, value string) string {
	return entry(n, "Observation", observation(value), "identifier="+resultSystem+"|"+value)
}

func entry(n int, typ, resource, ifNoneExist string) string {
	cond := ""
	if ifNoneExist != "" {
		cond = fmt.Sprintf(`,"ifNoneExist":%q`, ifNoneExist)
	}
	return fmt.Sprintf(`{"fullUrl":%q,"resource":%s,"request":{"method":"POST","url":%q%s}}`, urn(n), resource, typ, cond)
}

func bundleOf(typ string, entries ...string) string {
	return fmt.Sprintf(`{"resourceType":"Bundle","type":%q,"entry":[%s]}`, typ, strings.Join(entries, ","))
}

func conditionals(from, n int) []string {
	var out []string
	for i := from; i < from+n; i++ {
		out = append(out, conditional(i, fmt.Sprint("r", i)))
	}
	return out
}

// answer is what a test reads of an answer's bundle.
type answer struct {
	Type  string
	Total *int
	Link  []struct{ URL string }
	Entry []struct {
		FullURL  string
		Resource json.RawMessage
		Response map[string]json.RawMessage
	}
}

func read(t testing.TB, w *httptest.ResponseRecorder) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("answer %d is no JSON: %v\n%s", w.Code, err, w.Body)
	}
	return a
}

// statuses is the statuses of a bundle's answer: "201 200 412".
func statuses(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var out []string
	for _, e := range read(t, w).Entry {
		var s string
		json.Unmarshal(e.Response["status"], &s)
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func wantStatus(t testing.TB, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

const formType = "application/x-www-form-urlencoded"

func credentials(grant, id, secret string) string {
	return url.Values{"grant_type": {grant}, "client_id": {id}, "client_secret": {secret}}.Encode()
}

func newToken(t testing.TB, s *sandbox.Server) string {
	t.Helper()
	w := ask(t, s, "POST", sandbox.TokenPath,
		credentials("client_credentials", sandbox.DefaultClientID, sandbox.DefaultClientSecret),
		"Content-Type", formType, "Authorization", "")
	wantStatus(t, w, 200)
	var a struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.AccessToken == "" {
		t.Fatalf("no token in %s", w.Body)
	}
	return a.AccessToken
}
