package packaging

import (
	_ "embed"
	"fmt"
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
