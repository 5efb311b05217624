package packaging

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

// Where the packages put the program and its configuration. The texts name
// these places.
const (
	Program = "/usr/bin/labcourier"
	Config  = "/etc/labcourier/labcourier.toml"
)

// User is the account that the service runs as on Linux, DataDir its home.
const (
	User    = "labcourier"
	DataDir = "/var/lib/labcourier"
)

//go:embed systemd/labcourier.service
var systemdUnit string

//go:embed systemd/sysusers.conf
var sysusers string

//go:embed linux/labcourier.toml
var starter string

//go:embed openrc/labcourier
var openRCScript string

//go:embed sysv/labcourier
var sysVScript string

// Scripts are the texts for each service system of Linux.
type Scripts struct{ Systemd, OpenRC, SysV string }

// ScriptsFor returns the texts for a program and a configuration at these
// places.
func ScriptsFor(program, config string) (Scripts, error) {
	for _, path := range []string{program, config} {
		// What systemd, a shell and the service library's templates each make of
		// these is not worth telling apart.
		if strings.ContainsAny(path, " %'\"`$\\{}\n\r\t") {
			return Scripts{}, fmt.Errorf("%q holds a blank or a special character: move it to a plain place such as %s", path, Program)
		}
	}
	put := strings.NewReplacer(Program+" ", program+" ", "="+Program+"\n", "="+program+"\n", Config, config)
	return Scripts{
		Systemd: put.Replace(systemdUnit),
		OpenRC:  put.Replace(openRCScript),
		SysV:    put.Replace(sysVScript),
	}, nil
}

// Sysusers is what systemd-sysusers makes the service's user from.
func Sysusers() string { return sysusers }

// Values are what a first configuration can be given; each may be empty.
type Values struct{ URL, TokenURL, ClientID string }

// Starter is a configuration to begin with: the one of the packages, with these
// values put in.
func Starter(v Values) (string, error) {
	text := starter
	for _, put := range []struct{ key, value string }{{"url", v.URL}, {"token_url", v.TokenURL}, {"client_id", v.ClientID}} {
		if put.value == "" {
			continue
		}
		if strings.ContainsFunc(put.value, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0x7f }) {
			return "", fmt.Errorf("the value for %s holds a quote, a backslash or a control character", put.key)
		}
		commented := regexp.MustCompile(`(?m)^# ` + put.key + ` = .*$`)
		text = commented.ReplaceAllLiteralString(text, put.key+` = "`+put.value+`"`)
	}
	return text, nil
}
