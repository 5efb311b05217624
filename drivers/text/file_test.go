package text_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/text"
)

// A whole file is one message, byte for byte, however its program encoded it.
func TestWholeFile(t *testing.T) {
	const file = "Sample;Time;Test;Value;Unit;Flag\r\nU-1;2026-11-22 08:15;GLU;5.6;mmol/L;+\r\nU-1;2026-11-22 08:15;PRO;neg;;\r\nU-2;2026-11-22 08:16;GLU;--;mmol/L;höher\r\n"
	want := []string{
		"patient | U-1 | ",
		"  GLU |  | 5.6 | 5.6 |  | mmol/L |  | + | preliminary | 2026-11-22T08:15:00+01:00",
		"  PRO |  | neg |  |  |  |  |  | preliminary | 2026-11-22T08:15:00+01:00",
		"patient | U-2 | ",
		"  GLU |  | -- |  | unknown | mmol/L |  | höher | preliminary | 2026-11-22T08:16:00+01:00",
	}
	ansi, err := charmap.Windows1252.NewEncoder().String(file)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(file)
	if err != nil {
		t.Fatal(err)
	}
	big, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{"windows-1252": ansi, "UTF-8 with a mark": "\uFEFF" + file, "UTF-16": wide, "UTF-16 big endian": big} {
		t.Run(name, func(t *testing.T) {
			s := section(t, "csv-folder")
			messages, faults := text.Split([]byte(raw), s)
			if len(messages) != 1 || string(messages[0].Payload) != raw || messages[0].Stage != drivers.Complete || len(faults) > 0 {
				t.Fatalf("%d messages, faults %q", len(messages), faults)
			}
			reports, err := text.Parse(messages[0].Payload, drivers.ParseOptions{Section: s, Location: zone(t, "Europe/Berlin"), Charset: charmap.Windows1252})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, brief(reports)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if messages, faults := text.Split([]byte(wide), section(t, "csv-printer")); len(messages) > 0 || len(faults) != 1 || !strings.Contains(faults[0], "UTF-16") {
		t.Errorf("lines of UTF-16: %d messages, faults %q", len(messages), faults)
	}
}
