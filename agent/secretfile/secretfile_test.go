package secretfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for _, tt := range []struct{ content, want, fault string }{
		{"one\n", "one", ""},
		{"two\r\n", "two", ""},
		{"three\n\n", "three\n", ""},
		{" four ", " four ", ""},
		{"\ufefffive", "five", ""},
		{"\n", "", "is empty"},
		{"", "", "is empty"},
		{"\xff\xfes\x00", "", "UTF-16"},
		{strings.Repeat("x", MaxSize+1), "", "larger"},
		{sealedMark + "no base64", "", "damaged"},
		{sealedMark + "AAAA", "", "again here"}, // of another computer, on any system
	} {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path)
		if got != tt.want || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%.20q: %.20q, %v", tt.content, got, err)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestExposed: what others can read is refused when it is read, not only when
// the configuration is checked, and the words can be pasted into a shell.
func TestExposed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows access lists decide, not modes")
	}
	path := filepath.Join(t.TempDir(), "it's secret")
	if err := os.WriteFile(path, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o601: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path)
		if (err == nil) != ok || ok != (got == "hush") {
			t.Errorf("mode %o: %q, %v", mode, got, err)
		}
		if want := `chmod 600 '` + strings.ReplaceAll(path, "'", `'\''`) + `'`; err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("mode %o: %v; want the command %s", mode, err, want)
		}
		if got, err := ReadCredential(path); err != nil || got != "hush" {
			t.Errorf("as a credential, mode %o: %q, %v", mode, got, err)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc", "secrets")
	path := filepath.Join(dir, "client-secret")
	for _, secret := range []string{"first", "second\nof two lines", " with blanks "} {
		if err := Write(path, secret, ""); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || got != secret {
			t.Errorf("%q, %v; want %q", got, err, secret)
		}
	}
	if runtime.GOOS != "windows" {
		for p, want := range map[string]os.FileMode{path: 0o600, dir: 0o700 | os.ModeDir} {
			if info, err := os.Stat(p); err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v", p, info.Mode(), err)
			}
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, bad := range []string{"", strings.Repeat("x", MaxSize+1)} {
		if err := Write(path, bad, ""); err == nil {
			t.Errorf("%d bytes are taken", len(bad))
		}
	}
	if err := Write(filepath.Join(path, "below a file"), "x", ""); err == nil || strings.Contains(err.Error(), `"x"`) {
		t.Errorf("below a file: %v", err)
	}
	if got, err := Read(path); err != nil || got != " with blanks " {
		t.Errorf("after failed writes: %q, %v", got, err)
	}
}

// FuzzDecode: any file gives a secret or an error, and the error does not quote
// it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"hush\r\n", "\ufeffhush", sealedMark + "AAAA", "\xff\xfeh\x00", "", "\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := decode(text)
		if (err == nil) == (got == "") {
			t.Fatalf("%q, %v", got, err)
		}
		if err == nil && !strings.HasPrefix(string(text), sealedMark) && !strings.Contains(string(text), got) {
			t.Fatalf("%q came out of %q", got, text)
		}
	})
}
