package sandbox

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
)

func TestMembers(t *testing.T) {
	tests := []struct {
		obj   string
		names []string
	}{
		{`{}`, nil},
		{`[]`, nil},
		{`7`, nil},
		{`{"a":1}`, []string{"a"}},
		{`{"a":"x,\"}","b":[1,{"c":"]"}],"d":null,"e":-1e9}`, []string{"a", "b", "d", "e"}},
		{`{"\u0061":{"b":{}},"a":"\\"}`, []string{"a", "a"}},
	}
	for _, tt := range tests {
		var names []string
		for m := range members([]byte(tt.obj)) {
			names = append(names, m.name)
		}
		if !slices.Equal(names, tt.names) {
			t.Errorf("%s has %q, want %q", tt.obj, names, tt.names)
		}
	}
}

func TestRewrite(t *testing.T) {
	const urn = "urn:uuid:00000000-0000-4000-8000-000000000001"
	resolved := map[string]string{urn: "Observation/1"}
	tests := []struct{ raw, want string }{
		{`"` + urn + `"`, `"Observation/1"`},
		{`["` + urn + `","` + urn + `"]`, `["Observation/1","Observation/1"]`},
		{`"see ` + urn + `!"`, `"see Observation/1!"`},
		{`"urn:uuid:` + urn + `"`, `"urn:uuid:Observation/1"`},
		{`"urn:uuid:1"`, `"urn:uuid:1"`},
		{`"x"`, `"x"`},
	}
	for _, tt := range tests {
		if got := string(rewrite([]byte(tt.raw), resolved)); got != tt.want {
			t.Errorf("%s became %s, want %s", tt.raw, got, tt.want)
		}
	}
}

// Whatever the JSON, its members put together again are the object, and each
// value is one value.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,2,"}"]},"c":5.40}`, `{"":"","\"":[]}`, `[{}]`, `{"a":1,"a":"\\"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var b bytes.Buffer
		if json.Compact(&b, in) != nil || b.Bytes()[0] != '{' {
			return
		}
		obj := b.Bytes()
		var parts [][]byte
		for m := range members(obj) {
			if !json.Valid(m.value) {
				t.Fatalf("value %q of %q", m.value, obj)
			}
			parts = append(parts, m.whole)
		}
		if got := "{" + string(bytes.Join(parts, []byte(","))) + "}"; got != string(obj) {
			t.Fatalf("%q came apart into %q", obj, got)
		}
		holdsEmpty(obj)
		for range references(obj) {
		}
	})
}
