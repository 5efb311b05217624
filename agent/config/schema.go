package config

import (
	"encoding"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/labcourier/labcourier/configs"
	"github.com/labcourier/labcourier/drivers"
)

// learnt is what the checks say of the file's keys while they judge a trial
// file: so the schema cannot say other than the checks do.
type learnt struct {
	tables  map[string]learntTable
	choices map[string][]string // by the key's path
	ranges  map[string][2]int
}

type learntTable struct {
	of     reflect.Type
	others []string
}

// trial has every table, so that every check is come by.
const trial = "[agent]\n[server]\n[server.auth]\n[status]\n[log]\n[spool]\n[codes]\n[[analyzer]]\nserial = {}\ntcp = {}\nfolder = {}\n"

// Schema is the JSON Schema (draft 2020-12) of the configuration of a program
// with these kinds of drivers, for editors and for tools that write it. It knows
// keys, types, words and ranges; what `labcourier check` finds goes further.
func Schema(kinds []drivers.Kind) map[string]any {
	c := newChecker("labcourier.toml", kinds, configs.Profiles())
	c.learn = &learnt{map[string]learntTable{}, map[string][]string{}, map[string][2]int{}}
	c.check(readDocument([]byte(trial)).root, &Config{})
	s := schema{c.learn, kinds}
	root := s.table("")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "labcourier.toml"
	root["required"] = []string{"agent", "server", "analyzer"}
	return root
}

type schema struct {
	*learnt
	kinds []drivers.Kind
}

type object = map[string]any

// table is the schema of a table that a check read.
func (s schema) table(at string) object {
	t, ok := s.tables[at]
	if !ok {
		return object{"type": "object"}
	}
	o := s.structure(t.of, at)
	properties, _ := o["properties"].(object)
	for _, other := range t.others {
		key := path{key: at}.sub(other).key
		kind := slices.IndexFunc(s.kinds, func(k drivers.Kind) bool { return k.Name == other })
		switch {
		case at == "" && other == "analyzer":
			properties[other] = object{"type": "array", "minItems": 1, "items": s.table("analyzer[0]")}
		case kind >= 0:
			properties[other] = s.driver(s.kinds[kind])
		default:
			properties[other] = s.table(key)
		}
	}
	if at == "analyzer[0]" {
		o["required"] = []string{"name"}
		properties["driver"] = object{"enum": s.kindNames()}
	}
	return o
}

func (s schema) kindNames() (names []string) {
	for _, k := range s.kinds {
		names = append(names, k.Name)
	}
	return names
}

// driver is the schema of a driver's own table: what the driver decodes it into.
func (s schema) driver(k drivers.Kind) object {
	var seen listened
	if k.New != nil {
		_, _ = k.New("schema", &seen, drivers.Deps{}) // it may miss settings; what it read is known all the same
	}
	if seen.into == nil {
		return object{"type": "object"}
	}
	return s.structure(seen.into, k.Name)
}

// listened is a section that only notes what it is decoded into.
type listened struct{ into reflect.Type }

var _ drivers.Section = (*listened)(nil)

// Decode fills nothing in.
func (l *listened) Decode(dst any) error {
	l.into = reflect.TypeOf(dst).Elem()
	return nil
}

// structure is the schema of a struct. No other keys are known.
func (s schema) structure(t reflect.Type, at string) object {
	v := reflect.New(t)
	if d, ok := reflect.TypeAssert[defaulter](v); ok {
		d.setDefaults()
	}
	properties := object{}
	for _, f := range fields(t) {
		if _, twice := properties[f.name]; twice || f.later {
			continue
		}
		value := v.Elem().FieldByIndex(f.index)
		one := s.value(value.Type(), path{key: at}.sub(f.name).key)
		if usual, ok := usually(value); ok && f.name != "data_dir" { // which is the platform's
			one["default"] = usual
		}
		properties[f.name] = one
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

// value is the schema of a value, as reader reads it.
func (s schema) value(t reflect.Type, at string) object {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if words := s.choices[at]; words != nil {
		return object{"enum": words}
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return object{"type": "string", "pattern": `^[0-9][0-9.dhmsuµn]*$`, "description": `a time span: "30s", "2m", "36h", "30d"`}
	case t == reflect.TypeFor[Size]():
		return object{"type": "string", "pattern": `^[0-9]+ *([kKMGT]i?)?B$`, "description": `a size: "900KiB", "64MiB", "2GiB"`}
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Struct:
		return s.structure(t, at)
	case reflect.Slice:
		return object{"type": "array", "items": s.value(t.Elem(), at+"[]")}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.value(t.Elem(), at+".*")}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	}
	o := object{"type": "integer"}
	if r, ok := s.ranges[at]; ok {
		o["minimum"], o["maximum"] = r[0], r[1]
	}
	return o
}

// usually is a default as the file writes it; false if there is none.
func usually(v reflect.Value) (any, bool) {
	if v.IsZero() {
		return nil, false
	}
	switch d := v.Interface().(type) {
	case time.Duration:
		return spanText(d), true
	case Size:
		return d.String(), true
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), true
	case reflect.Bool:
		return v.Bool(), true
	case reflect.Float64:
		if f := v.Float(); f != math.Trunc(f) {
			return f, true
		}
		return int64(v.Float()), true
	case reflect.Int, reflect.Int64:
		return v.Int(), true
	}
	return nil, false
}

// table notes what a table is read into.
func (l *learnt) table(at path, dst any, others []string) {
	if l != nil {
		l.tables[at.key] = learntTable{reflect.TypeOf(dst).Elem(), others}
	}
}

func (l *learnt) choice(at path, key string, words []string) {
	if l != nil {
		l.choices[at.sub(key).key] = words
	}
}

func (l *learnt) number(at path, key string, low, high int) {
	if l != nil {
		l.ranges[at.sub(key).key] = [2]int{low, high}
	}
}
