package sandbox

import (
	"net/http"
	"strings"
)

// fhir answers a request below the FHIR base; path has no slashes at its ends.
func (s *Server) fhir(c *call, path string) reply {
	if path == "metadata" && c.r.Method == http.MethodGet {
		return newReply(http.StatusOK, fhirType, []byte(capabilities))
	}
	if !s.known(c.r) {
		return unauthorized().reply()
	}
	rep := s.interact(c, path)
	if rep.status < 300 && minimal(c.r) {
		rep.body = nil
	}
	return rep
}

// minimal reports whether the client asked for no answer. As observed that
// includes the outcomes of a bundle.
func minimal(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Prefer"), "return=minimal")
}

const capabilities = `{"resourceType":"CapabilityStatement","status":"active","date":"2026-11-01",` +
	`"kind":"instance","fhirVersion":"4.0.1","format":["json"],"software":{"name":"labcourier sandbox"},` +
	`"rest":[{"mode":"server","interaction":[{"code":"batch"},{"code":"transaction"}]}]}`

func (s *Server) interact(c *call, path string) reply {
	base := baseOf(c.r)
	if isBot(path) {
		return s.bot(c, path)
	}
	form := strings.HasSuffix(path, "/_search")
	if m := c.r.Method; (m == http.MethodPost || m == http.MethodPut) && !form && !c.isJSON() {
		return badRequest("Unsupported content type").reply()
	}
	if path == "" && c.r.Method == http.MethodPost {
		return s.bundle(c, base)
	}
	o, out := parseOp(c.r.Method, path+"?"+c.r.URL.RawQuery)
	if out != nil {
		return out.reply()
	}
	o.base = base
	o.condition = c.r.Header.Get("If-None-Exist")
	o.ifMatch = c.r.Header.Get("If-Match")
	if form {
		o.params = string(c.body)
	}
	o.setBody(c.body)
	return s.do(o).reply(base)
}

func (c *call) isJSON() bool {
	switch c.mediaType() {
	case "application/fhir+json", "application/json":
		return true
	}
	return false
}

// baseOf is the FHIR base as the client sees it.
func baseOf(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + BasePath
}
