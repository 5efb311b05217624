package hl7_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/hl7"
)

// TestGolden compares messages in the dialects of common models with reports
// that were written by hand, from the standard and the vendors' facts. What is
// empty is left out of them.
func TestGolden(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob("testdata/golden/*")
	if err != nil || len(folders) < 8 {
		t.Fatalf("%d cases, %v", len(folders), err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			message, want := read(t, folder, "message.hl7"), read(t, folder, "report.json")
			for _, end := range []string{"\r", "\n", "\r\n"} { // the files have LF, for people
				reports, err := hl7.Parse(bytes.ReplaceAll(message, []byte("\n"), []byte(end)), drivers.ParseOptions{Location: zurich})
				if err != nil {
					t.Fatal(err)
				}
				got, err := json.Marshal(shown(reflect.ValueOf(reports)))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(decoded(t, want), decoded(t, got)); diff != "" {
					t.Errorf("segments ended by %q, -want +got:\n%s", end, diff)
				}
			}
		})
	}
}

func read(t *testing.T, folder, name string) []byte {
	raw, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decoded(t *testing.T, raw []byte) (v any) {
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return v
}

// shown is v without what is empty, a time as one text. Nil: v is empty.
func shown(v reflect.Value) any {
	if at, ok := reflect.TypeAssert[drivers.Time](v); ok {
		return shownTime(at)
	}
	switch v.Kind() {
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			if s := shown(v.Field(i)); s != nil {
				fields[v.Type().Field(i).Name] = s
			}
		}
		if len(fields) > 0 {
			return fields
		}
	case reflect.Slice:
		var items []any
		for i := range v.Len() {
			items = append(items, shown(v.Index(i)))
		}
		if len(items) > 0 {
			return items
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return shown(v.Elem())
		}
	default:
		if !v.IsZero() {
			return v.Interface()
		}
	}
	return nil
}

func shownTime(at drivers.Time) any {
	switch {
	case at.Known():
		precision := [...]string{drivers.Year: "year", drivers.Month: "month", drivers.Day: "day", drivers.Minute: "minute", drivers.Second: "second", drivers.Millisecond: "millisecond"}
		text := at.Value.Format(time.RFC3339Nano) + " " + precision[at.Precision]
		if at.Ambiguous {
			text += " or another"
		}
		return text
	case at.Text != "":
		return "not read: " + at.Text
	}
	return nil
}
