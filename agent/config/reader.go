package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader moves the values of a document into Go values and collects what does
// not fit. Structs take tables, by their toml tags; a key without a field is a
// fault. It knows every type that go-toml knows and a configuration needs, and
// besides them time.Duration, as text with a unit.
type reader struct {
	fault func(n *node, p path, problem, hint string)
	bad   map[badKey]bool // told already
}

// badKey is a key whose value could not be read, or that is missing because it
// was misspelt.
type badKey struct {
	table *node
	key   string
}

// defaulter is a struct that is not zero before the file is read into it.
type defaulter interface{ setDefaults() }

// field is where a key goes to.
type field struct {
	name  string
	index []int
	later bool // known, but not built yet: nobody is pointed to it
}

// fields lists the keys of a struct. The keys of embedded structs are its own;
// of two of one name the outer counts.
func fields(t reflect.Type) []field {
	var own, embedded []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("toml")
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for _, e := range fields(f.Type) {
				embedded = append(embedded, field{e.name, append([]int{i}, e.index...), e.later})
			}
		case !f.IsExported():
		case tagged && name != "":
			own = append(own, field{name, []int{i}, f.Tag.Get("later") != ""})
		default:
			own = append(own, field{name: strings.ToLower(f.Name), index: []int{i}})
		}
	}
	return append(own, embedded...)
}

// table reads n into the struct dst. The keys named by others are passed over:
// somebody else reads them.
func (r *reader) table(n *node, p path, dst reflect.Value, others ...string) {
	known := map[string][]int{}
	var names []string
	for _, f := range fields(dst.Type()) {
		if _, twice := known[f.name]; !twice {
			known[f.name] = f.index
			if !f.later {
				names = append(names, f.name)
			}
		}
	}
	for _, o := range others {
		if _, twice := known[o]; !twice {
			known[o] = nil
			names = append(names, o)
		}
	}
	slices.Sort(names)
	for _, name := range n.names {
		v := n.keys[name]
		index, ok := known[name]
		switch {
		case !ok:
			r.unknown(n, v, name, p.sub(name), names)
		case index == nil:
		case !r.value(v, p.sub(name), dst.FieldByIndex(index)):
			r.bad[badKey{n, name}] = true
		}
	}
}

func (r *reader) unknown(table, v *node, name string, p path, names []string) {
	what := "key"
	if v.kind == isTable {
		what = "table"
	}
	near, hint := meant(name, names)
	if near != "" && table.get(near) == nil {
		r.bad[badKey{table, near}] = true
	}
	r.fault(v, p, "is not a "+what+" that labcourier knows", hint)
}

// value reads n into dst and reports whether it could. Faults inside of a table
// count for the keys of that table, not for the table.
func (r *reader) value(n *node, p path, dst reflect.Value) bool {
	if n.spoiled {
		return false
	}
	if dst.Kind() == reflect.Pointer {
		v := reflect.New(dst.Type().Elem())
		if !r.value(n, p, v.Elem()) {
			return false
		}
		dst.Set(v)
		return true
	}
	if dst.Type() == reflect.TypeFor[time.Duration]() {
		return r.span(n, p, dst)
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](dst.Addr()); ok {
		if n.kind != isText {
			return r.mismatch(n, p, dst.Type())
		}
		if err := u.UnmarshalText([]byte(n.text)); err != nil {
			r.fault(n, p, err.Error(), need(dst.Type()).hint)
			return false
		}
		return true
	}
	switch dst.Kind() {
	case reflect.Struct:
		if n.kind != isTable {
			return r.mismatch(n, p, dst.Type())
		}
		if d, ok := reflect.TypeAssert[defaulter](dst.Addr()); ok {
			d.setDefaults()
		}
		r.table(n, p, dst)
		return true
	case reflect.Slice:
		return r.list(n, p, dst)
	case reflect.Map:
		return r.mapping(n, p, dst)
	}
	return r.scalar(n, p, dst)
}

func (r *reader) span(n *node, p path, dst reflect.Value) bool {
	if n.kind != isText {
		return r.mismatch(n, p, dst.Type())
	}
	span, err := parseSpan(n.text)
	if err != nil {
		r.fault(n, p, err.Error(), need(dst.Type()).hint)
		return false
	}
	dst.SetInt(int64(span))
	return true
}

func (r *reader) list(n *node, p path, dst reflect.Value) bool {
	if n.kind != isList {
		return r.mismatch(n, p, dst.Type())
	}
	list, all := reflect.MakeSlice(dst.Type(), len(n.items), len(n.items)), true
	for i, item := range n.items {
		all = r.value(item, p.element(i), list.Index(i)) && all
	}
	dst.Set(list)
	return all
}

func (r *reader) mapping(n *node, p path, dst reflect.Value) bool {
	if n.kind != isTable || dst.Type().Key().Kind() != reflect.String {
		return r.mismatch(n, p, dst.Type())
	}
	m, all := reflect.MakeMap(dst.Type()), true
	for _, name := range n.names {
		v := reflect.New(dst.Type().Elem()).Elem()
		all = r.value(n.keys[name], p.sub(name), v) && all
		m.SetMapIndex(reflect.ValueOf(name).Convert(dst.Type().Key()), v)
	}
	dst.Set(m)
	return all
}

func (r *reader) scalar(n *node, p path, dst reflect.Value) bool {
	switch k := dst.Kind(); {
	case k == reflect.String && n.kind == isText:
		dst.SetString(n.text)
	case k == reflect.Bool && n.kind == isBool:
		dst.SetBool(n.text == "true")
	case dst.CanInt() && n.kind == isInteger:
		i, err := strconv.ParseInt(n.text, 0, 64)
		if err != nil || dst.OverflowInt(i) {
			return r.outOfRange(n, p)
		}
		dst.SetInt(i)
	case dst.CanUint() && n.kind == isInteger:
		i, err := strconv.ParseUint(strings.TrimPrefix(n.text, "+"), 0, 64)
		if err != nil || dst.OverflowUint(i) {
			return r.outOfRange(n, p)
		}
		dst.SetUint(i)
	case dst.CanFloat() && (n.kind == isFloat || n.kind == isInteger):
		f, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
		if err != nil {
			return r.outOfRange(n, p)
		}
		dst.SetFloat(f)
	default:
		return r.mismatch(n, p, dst.Type())
	}
	return true
}

func (r *reader) outOfRange(n *node, p path) bool {
	r.fault(n, p, "is a number that does not fit here", "give a smaller number, and none below 0 where that makes no sense")
	return false
}

func (r *reader) mismatch(n *node, p path, t reflect.Type) bool {
	w := need(t)
	r.fault(n, p, fmt.Sprintf("must be %s, not %s", w.what, n.kind), w.hint)
	return false
}

// wanted says what a value must be, and what to do about one that is not.
type wanted struct{ what, hint string }

func need(t reflect.Type) wanted {
	text := wanted{string(isText), "put the value in quotes"}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return wanted{"a time span", `write a number with its unit in quotes: "30s", "2m", "36h" or "30d"`}
	case t == reflect.TypeFor[Size]():
		return wanted{"a size", `write a number with its unit in quotes: "900KiB", "64MiB" or "2GiB"`}
	case t.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()),
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return text
	}
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Bool:
		return wanted{string(isBool), "write true or false without quotes"}
	case reflect.Struct, reflect.Map:
		return wanted{string(isTable), `write { key = "value" }, or a [header] with the keys below it`}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return wanted{"a list of tables", "write its name in double brackets, [[like this]], above the keys"}
		}
		return wanted{string(isList), "write the values in brackets with commas between: [ ... ]"}
	case reflect.Float32, reflect.Float64:
		return wanted{"a number", "write the number without quotes"}
	}
	return wanted{string(isInteger), "write the number without quotes"}
}
