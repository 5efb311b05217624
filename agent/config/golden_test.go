package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parts are what a line @name in a golden file stands for: one line each, so
// that the numbers of the lines are those of the golden file.
func parts(text string) string {
	const auth = `auth = { token_url = "https://fhir.example.org/token", client_id = "agent", client_secret_env = "TEST_SECRET" }`
	return strings.NewReplacer(
		"@agent\n", `agent = { name = "lab" }`+"\n",
		"@server\n", `server = { url = "https://fhir.example.org/R4", `+auth+` }`+"\n",
		"@auth\n", auth+"\n",
		"@analyzer\n", `analyzer = [{ name = "xn", driver = "astm", serial = { device = "COM9" }, timezone = "UTC", charset = "utf-8" }]`+"\n",
	).Replace(text)
}

// Beside each configuration testdata/bad/TOPIC/NAME.toml, NAME.want holds
// exactly what is said of it. LABCOURIER_UPDATE=1 writes the latter anew.
func TestGoldenFaults(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "bad", "*", "*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".toml")
		t.Run(filepath.Base(filepath.Dir(base))+"/"+filepath.Base(base), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := "no fault\n"
			if _, err := parse(t, parts(string(text))); err != nil {
				got = err.Error() + "\n"
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a secret is told")
			}
			if os.Getenv("LABCOURIER_UPDATE") != "" {
				if err := os.WriteFile(base+".want", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(base + ".want")
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
