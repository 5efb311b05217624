package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/drivers"
)

// Same reports whether two parts of configurations say the same, wherever it
// stands in their files and whether it was written or is the default. Secrets are
// the same if they come from the same place, whatever is there now.
func Same[T any](a, b T) bool { return same(reflect.ValueOf(a), reflect.ValueOf(b)) }

// Differences names the keys of the table that differ, such as "[agent] name".
// What has no key of its own is told as the table.
func Differences[T any](table string, a, b T) []string {
	return differences(table, reflect.ValueOf(a), reflect.ValueOf(b))
}

func differences(table string, va, vb reflect.Value) (keys []string) {
	for i := range va.NumField() {
		if same(va.Field(i), vb.Field(i)) {
			continue
		}
		where := "[" + table + "]"
		if key, _, _ := strings.Cut(va.Type().Field(i).Tag.Get("toml"), ","); key != "" && key != "-" {
			where += " " + key
		}
		if !slices.Contains(keys, where) {
			keys = append(keys, where)
		}
	}
	return keys
}

var (
	sectionType = reflect.TypeFor[drivers.Section]()
	secretType  = reflect.TypeFor[Secret]()
	zoneType    = reflect.TypeFor[*time.Location]()
	prefixType  = reflect.TypeFor[netip.Prefix]()
)

func same(a, b reflect.Value) bool {
	switch a.Type() {
	case secretType:
		x, y := a.Interface().(Secret), b.Interface().(Secret)
		return x.from == y.from && x.id == y.id
	case sectionType:
		return sameSection(a, b)
	case prefixType:
		return a.Equal(b)
	case zoneType:
		return a.Interface().(*time.Location).String() == b.Interface().(*time.Location).String()
	}
	switch a.Kind() {
	case reflect.Func, reflect.Interface:
		return true // made of what is compared beside it
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		return sameItems(a, b, a.NumField(), reflect.Value.Field)
	case reflect.Slice:
		return a.Len() == b.Len() && sameItems(a, b, a.Len(), reflect.Value.Index)
	case reflect.Map:
		return a.Len() == b.Len() && !slices.ContainsFunc(a.MapKeys(), func(k reflect.Value) bool {
			other := b.MapIndex(k)
			return !other.IsValid() || !same(a.MapIndex(k), other)
		})
	}
	return a.Equal(b)
}

func sameItems(a, b reflect.Value, n int, item func(reflect.Value, int) reflect.Value) bool {
	for i := range n {
		if !same(item(a, i), item(b, i)) {
			return false
		}
	}
	return true
}

// sameSection compares drivers' own tables as they are written.
func sameSection(a, b reflect.Value) bool {
	written := func(v reflect.Value) *node {
		s, _ := reflect.TypeAssert[section](v)
		return s.n
	}
	return written(a).same(written(b))
}

// same reports whether two values say the same. A table that is not there says
// the same as one that is empty.
func (n *node) same(m *node) bool {
	if n == nil || m == nil {
		return n.empty() && m.empty()
	}
	if n.kind != m.kind || n.text != m.text || len(n.names) != len(m.names) {
		return false
	}
	for _, name := range n.names {
		if m.keys[name] == nil || !n.keys[name].same(m.keys[name]) {
			return false
		}
	}
	return slices.EqualFunc(n.items, m.items, (*node).same)
}

func (n *node) empty() bool { return n == nil || n.kind == isTable && len(n.names) == 0 }
