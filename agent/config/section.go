package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/labcourier/labcourier/drivers"
)

// section is a driver's own table. It may be decoded any number of times, by
// any number of goroutines.
type section struct {
	file string
	n    *node
	path path
	used *atomic.Bool // somebody decoded it
}

var _ drivers.Section = section{}

// Decode fills dst; see drivers.Section. The error is Faults, with the place of
// each. Fields may be of type time.Duration, written "30s".
func (s section) Decode(dst any) error {
	s.used.Store(true)
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("decode section %s: a pointer to a struct is needed, not %T", s.path.key, dst)
	}
	var faults []Fault
	r := reader{bad: map[badKey]bool{}, fault: func(n *node, p path, problem, hint string) {
		faults = append(faults, faultOf(n, s.file, p, problem, hint))
	}}
	r.table(s.n, s.path, v.Elem())
	return asError(faults)
}

// faultOf is a fault of the value n. One that the person did not write is said
// to come from a profile.
func faultOf(n *node, file string, p path, problem, hint string) Fault {
	if from := n.lender(); from != "" {
		problem += fromProfile(from)
	}
	return newFault(file, n.at, p, problem, hint)
}

func fromProfile(name string) string { return " (from profile " + name + ")" }

func newFault(file string, at place, p path, problem, hint string) Fault {
	if p.key != "" {
		problem = p.what() + " " + problem
	}
	return Fault{File: file, Line: at.line, Column: at.column, Key: p.key, Problem: problem, Hint: hint}
}

// driver checks the driver's own table, which n is, by making a driver of it.
// Without a table n is nil.
func (t table) driver(k drivers.Kind, name string) drivers.Section {
	n := t.n.get(k.Name)
	if n != nil && (n.spoiled || n.kind != isTable) {
		if !n.spoiled {
			t.fault(k.Name, "must be a table, not "+string(n.kind), "write "+k.Name+` = { key = value }, or leave it out`)
		}
		return drivers.NoSection{}
	}
	var s drivers.Section = drivers.NoSection{}
	used := new(atomic.Bool)
	if n != nil {
		s = section{t.c.file, n, t.path.sub(k.Name), used}
	}
	if k.New == nil {
		return s
	}
	_, err := k.New(name, s, drivers.Deps{})
	switch {
	case err != nil:
		t.refused(k.Name, n, err)
	case n != nil && len(n.names) > 0 && !used.Load():
		t.fault(k.Name, "is not used: this driver has no settings of its own", "remove it")
	}
	return s
}

// refused turns what a driver says of its settings into faults.
func (t table) refused(driver string, n *node, err error) {
	if fs, ok := errors.AsType[Faults](err); ok {
		t.c.faults = append(t.c.faults, fs...)
		return
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			t.refused(driver, n, e)
		}
		return
	}
	words := strings.ReplaceAll(err.Error(), "\n", "; ")
	if n == nil {
		t.fault("", words, "see the settings of the driver "+driver+" in the example file")
		return
	}
	key := mentioned(words, n.names)
	if from := n.lender(); key == "" && from != "" && n.from == "" {
		words += fromProfile(from)
	}
	in := t.sub(driver)
	in.fault(key, "is refused by the driver: "+words, "see the settings of the driver "+driver+" in the example file")
}

// mentioned is the first of keys that stands in words as a word of its own, ""
// if none does.
func mentioned(words string, keys []string) string {
	for w := range strings.FieldsFuncSeq(words, func(r rune) bool { return r > 127 || !isBare(byte(r)) }) {
		for _, k := range keys {
			if w == k {
				return k
			}
		}
	}
	return ""
}
