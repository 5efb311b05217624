package text

import (
	"strings"
	"testing"
	"time"
)

// What stands between the parts of a time need not be ASCII.
func TestForeignTimeFormats(t *testing.T) {
	for format, text := range map[string]string{
		"DD/MM/YYYY hh:mm":  "22/11/2026 08:05",
		"YYYY年MM月DD日 hh:mm": "2026年11月22日 08:05",
		"DD.MM.YYYY hh mm":  "22.11.2026 08 05",
	} {
		f, err := newTimeFormat(format)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, ok := f.read(text, time.UTC); !ok || !got.Value.Equal(time.Date(2026, 11, 22, 8, 5, 0, 0, time.UTC)) {
			t.Errorf("%s: %q is read as %+v", format, text, got)
		}
	}
	for _, format := range []string{"YYYYДMM\xff", "\xff\xfe", "", "П"} {
		if _, err := newTimeFormat(format); err == nil && !strings.Contains(format, "YYYY") {
			t.Errorf("%q is taken", format)
		}
	}
}
