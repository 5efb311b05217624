package config

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "36h": 36 * time.Hour, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0, "1h30m": 90 * time.Minute, "-5m": -5 * time.Minute,
	} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "30", "d", "-1d", "1.5d", "99999d", "1dd", "1d-", "soon", "1d2562047h47m16s", "9223372036855s"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 36 * time.Hour: "36h", 48 * time.Hour: "2d", 90 * time.Minute: "90m", 1500 * time.Millisecond: "1.5s"} {
		if got := spanText(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0B": 0, "900KiB": 900 << 10, "64MiB": 64 << 20, "2 GiB": 2 << 30, "1TiB": 1 << 40, "1MB": 1e6} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "64", "MiB", "64mib", "1.5GiB", "-1B", "9223372036854775807KiB", "1PiB", "1 Mi B"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s: %v", text, s)
		}
	}
	for s, want := range map[Size]string{0: "0B", 1500: "1500B", 900 << 10: "900KiB", 3 << 29: "1536MiB", 1 << 40: "1TiB"} {
		if got := s.String(); got != want {
			t.Errorf("%d: %s", s, got)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"name", "data_dir", "timeout", "client_secret_file", "listen"}
	for word, want := range map[string]string{
		"nmae": "name", "naem": "name", "DataDir": "data_dir", "data-dir": "data_dir", "timout": "timeout",
		"client_secretfile": "client_secret_file", "lisen": "listen", "baud": "", "": "", "x": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

func TestListenAddressesClash(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"0.0.0.0:1", "127.0.0.1:1", true},
		{"0.0.0.0:1", "127.0.0.1:2", false},
		{":0", ":0", false},
		{":1", "[::1]:1", true},
		{"[::]:1", "10.0.0.1:1", true},
		{"0.0.0.0:1", "[::1]:1", false},
		{"10.0.0.1:1", "10.0.0.2:1", false},
		{"10.0.0.1:1", "[::ffff:10.0.0.1]:1", true},
		{"localhost:1", "127.0.0.1:1", true},
		{"localhost:1", "LOCALHOST:1", true},
		{"localhost:1", "10.0.0.1:1", false},
		{"lab:1", "LAB:1", true},
		{"lab:1", "0.0.0.0:1", true},
	} {
		a, ok := parsedAddress(tt.a)
		b, too := parsedAddress(tt.b)
		if !ok || !too || a.clashes(b) != tt.want || b.clashes(a) != tt.want {
			t.Errorf("%s %s: %v %v", tt.a, tt.b, a.clashes(b), b.clashes(a))
		}
	}
}

func TestCharset(t *testing.T) {
	for _, tt := range []struct{ name, bytes, want string }{
		{"iso-8859-1", "\xe4\x85", "ä\u0085"}, // not windows-1252, as browsers have it
		{"ISO_8859-1", "\xe4", "ä"},
		{"latin1", "\xe4", "ä"},
		{"us-ascii", "a", "a"},
		{"utf-8", "ä", "ä"},
		{"windows-1252", "\x80", "€"},
		{"cp1252", "\x80", "€"},
		{"ibm850", "\x84", "ä"},
		{"gb18030", "\xd1\xaa", "血"},
		{"shift_jis", "\x8c\x8c", "血"},
		{"euc-kr", "\xc7\xc7", "피"},
		{"koi8-r", "\xcb", "к"},
	} {
		e := charset(tt.name)
		if e == nil {
			t.Errorf("%s is not known", tt.name)
			continue
		}
		if got, err := e.NewDecoder().String(tt.bytes); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
	for _, name := range []string{"utf-16", "utf-16le", "utf-32", "ibm037", "hz-gb-2312", "replacement", "latin", "", "none"} {
		if charset(name) != nil {
			t.Errorf("%q is taken", name)
		}
	}
}
