package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// maxStrictEntries is how many entries a transaction with a condition may have.
const maxStrictEntries = 8

// bundle is a batch or transaction on its way.
type bundle struct {
	Type  string        `json:"type"`
	Entry []bundleEntry `json:"entry"`

	ResourceType string `json:"resourceType"`

	ops      []*op
	results  []result
	resolved map[string]string // reference by urn:uuid
}

type bundleEntry struct {
	FullURL  string          `json:"fullUrl"`
	Resource json.RawMessage `json:"resource"`
	Request  struct {
		Method      string `json:"method"`
		URL         string `json:"url"`
		IfNoneExist string `json:"ifNoneExist"`
		IfMatch     string `json:"ifMatch"`
	} `json:"request"`
}

// bundle answers a bundle that was posted to the base.
func (s *Server) bundle(c *call, base string) reply {
	b := &bundle{resolved: map[string]string{}}
	if json.Unmarshal(c.body, b) != nil {
		return badRequest("Content could not be parsed").reply()
	}
	if b.ResourceType != "Bundle" {
		return badRequest("Not a bundle").reply()
	}
	switch b.Type {
	case "batch":
	case "transaction":
		c.entry.Kind = KindTransaction
	default:
		return badRequest("Unrecognized bundle type: " + b.Type).reply()
	}
	if len(b.Entry) == 0 {
		return badRequest("Missing bundle entries").reply()
	}
	c.entry.Entries = len(b.Entry)
	b.parse(base)

	// Without the feature a transaction is a batch, and does not say so.
	atomic := b.Type == "transaction" && s.o.TransactionBundles
	s.writer.Lock()
	defer s.writer.Unlock()
	if out := s.resolveAll(b, atomic); out != nil {
		return out.reply()
	}
	if out := s.runAll(b, c.fault.Entry, atomic); out != nil {
		return out.reply()
	}
	for _, r := range b.results {
		s.log.note(r)
	}
	return newReply(http.StatusOK, fhirType, b.answer())
}

// parse reads the entries, before anything is locked.
func (b *bundle) parse(base string) {
	b.ops = make([]*op, len(b.Entry))
	b.results = make([]result, len(b.Entry))
	for i := range b.Entry {
		e := &b.Entry[i]
		path := "Bundle.entry[" + strconv.Itoa(i) + "].request."
		var out *outcome
		switch {
		case e.Request.Method == "":
			out = badRequest("Missing Bundle entry request method")
			out.expression = path + "method"
		case e.Request.URL == "":
			out = badRequest("Missing Bundle entry request URL")
			out.expression = path + "url"
		default:
			b.ops[i], out = parseOp(e.Request.Method, e.Request.URL)
		}
		if out != nil {
			b.results[i] = failed(out)
			continue
		}
		o := b.ops[i]
		o.base, o.condition, o.ifMatch = base, e.Request.IfNoneExist, e.Request.IfMatch
		o.setBody(e.Resource)
	}
}

// resolveAll settles every entry's identity before any is processed. That is
// why a reference to an entry which fails is rewritten all the same, and why
// two entries of one identity do not see each other.
func (s *Server) resolveAll(b *bundle, atomic bool) *outcome {
	strict := false
	seen := map[string]bool{}
	for i, o := range b.ops {
		if o != nil {
			if out := s.resolve(o); out != nil {
				b.results[i], b.ops[i] = failed(out), nil
			}
		}
		if b.ops[i] == nil {
			if atomic {
				return b.results[i].err
			}
			continue
		}
		if o.kind != Create && o.kind != Update {
			continue
		}
		strict = strict || o.condition != "" || o.kind == Update && o.params != ""
		ref := o.typ + "/" + o.id
		if atomic && seen[ref] {
			return badRequest("Duplicate resource identity found in Bundle")
		}
		seen[ref] = true
		if url := b.Entry[i].FullURL; strings.HasPrefix(url, urnPrefix) {
			b.resolved[url] = ref
		}
	}
	if atomic && strict && len(b.ops) > maxStrictEntries {
		return badRequest("Transaction requires strict isolation but has too many entries")
	}
	return nil
}

// runAll processes the entries: creates, updates, then what only reads. In an
// atomic bundle nothing is stored before all have passed, and the first failure
// is the answer.
func (s *Server) runAll(b *bundle, fault func(Entry) int, atomic bool) *outcome {
	var ended *outcome // by throttling: what comes after it is refused alike
	for _, kind := range []string{Create, Update, Search, Read} {
		for i, o := range b.ops {
			if o == nil || o.kind != kind {
				continue
			}
			if ended != nil {
				b.results[i] = failed(ended)
				continue
			}
			r := s.runEntry(b, i, fault)
			b.results[i] = r
			switch {
			case r.err != nil && atomic:
				return r.err
			case r.status == http.StatusTooManyRequests:
				ended = r.err
			case !atomic:
				s.commit(r)
			}
		}
	}
	if atomic {
		s.commit(b.results...)
	}
	return nil
}

func (s *Server) runEntry(b *bundle, i int, fault func(Entry) int) result {
	if fault != nil {
		q := b.Entry[i].Request
		if status := fault(Entry{i, q.Method, q.URL, q.IfNoneExist}); status != 0 {
			return failed(s.refusal(status))
		}
	}
	return s.run(b.ops[i], b.resolved)
}

func (b *bundle) answer() []byte {
	n := 64
	for _, r := range b.results {
		n += len(r.content()) + 320
	}
	out := make([]byte, 0, n)
	out = append(out, `{"resourceType":"Bundle","type":"`+b.Type+`-response","entry":[`...)
	for i, r := range b.results {
		if i > 0 {
			out = append(out, ',')
		}
		out = r.appendEntry(out)
	}
	return append(out, "]}"...)
}
