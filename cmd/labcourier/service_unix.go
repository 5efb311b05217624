//go:build !windows

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kardianos/service"

	"github.com/labcourier/labcourier/packaging"
)

const whereTheLogIs = "see `journalctl -u labcourier`, or /var/log/labcourier.log where there is no systemd"

// mustControl refuses who may not steer services.
func mustControl() error {
	if os.Geteuid() != 0 {
		return errors.New("this needs root: run it with sudo")
	}
	return nil
}

// newService is the service at these places, which may be empty unless it is to
// be installed.
func newService(program, config string) (*hostService, error) {
	options := service.KeyValue{}
	if program != "" {
		scripts, err := packaging.ScriptsFor(program, config)
		if err != nil {
			return nil, err
		}
		options["SystemdScript"], options["OpenRCScript"], options["SysvScript"] = scripts.Systemd, scripts.OpenRC, scripts.SysV
	}
	return newServiceWith(service.Config{Option: options}, program, config)
}

// scriptFile is where the library puts the text for a service manager, "" for a
// manager that there is no text for.
func scriptFile(platform string) string {
	switch platform {
	case "linux-systemd":
		return "/etc/systemd/system/" + serviceName + ".service"
	case "linux-openrc", "unix-systemv":
		return "/etc/init.d/" + serviceName
	}
	return ""
}

// Status tells whether the service is installed and runs. The library takes a
// stopped service for an error outside of systemd.
func (s *hostService) Status() (service.Status, error) {
	script := scriptFile(s.Platform())
	if s.Platform() == "linux-systemd" || script == "" {
		return s.Service.Status()
	}
	if _, err := os.Stat(script); err != nil {
		return service.StatusUnknown, service.ErrNotInstalled
	}
	err := exec.Command(script, "status").Run() //nolint:noctx // it looks and returns
	if _, stopped := errors.AsType[*exec.ExitError](err); stopped {
		return service.StatusStopped, nil
	} else if err != nil {
		return service.StatusUnknown, fmt.Errorf("ask %s: %w", script, err)
	}
	return service.StatusRunning, nil
}

// Install makes the user, the folder of the configuration, and the service.
func (s *hostService) Install() error {
	script := scriptFile(s.Platform())
	if script == "" {
		return fmt.Errorf("there is no script for %s: labcourier runs under systemd, OpenRC and System V init", s.Platform())
	}
	if err := reachable(s.program); err != nil {
		return err
	}
	if err := makeUser(); err != nil {
		return err
	}
	if err := openConfig(s.config); err != nil {
		return err
	}
	if _, err := os.Stat(script); err == nil {
		return fmt.Errorf("%s is there already: remove it if it is not wanted", script)
	}
	if err := s.Service.Install(); err != nil {
		// The library leaves its file behind, which would block the next attempt.
		return errors.Join(err, removeIfThere(script))
	}
	return nil
}

// update writes the script anew. The service goes on with the old one until it
// is restarted.
func (s *hostService) update() error {
	script := scriptFile(s.Platform())
	if _, err := os.Stat(script); err != nil {
		return errors.New("the service came with a package, which keeps it up to date")
	}
	if err := os.Remove(script); err != nil {
		return err
	}
	return s.Install()
}

// Uninstall takes the service out.
func (s *hostService) Uninstall() error {
	script := scriptFile(s.Platform())
	if _, err := os.Stat(script); errors.Is(err, fs.ErrNotExist) {
		return errors.New("the service came with a package: remove that (apt remove labcourier, dnf remove labcourier)")
	}
	if err := s.Service.Uninstall(); err != nil {
		return err
	}
	// What the library leaves behind under System V init.
	links, err := filepath.Glob("/etc/rc?.d/[SK][0-9][0-9]" + serviceName)
	for _, link := range links {
		err = errors.Join(err, os.Remove(link))
	}
	return err
}

func removeIfThere(file string) error {
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// reachable refuses a program in a folder that the service does not see.
func reachable(program string) error {
	for _, hidden := range []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"} {
		if strings.HasPrefix(program, hidden) {
			return fmt.Errorf("the service cannot see %s: move the program first, to /usr/local/bin for example, and run it from there", hidden)
		}
	}
	return nil
}

// makeUser makes the service's user, unless there is one, by what this system
// has for it.
func makeUser() error {
	if _, err := user.Lookup(packaging.User); err == nil {
		return nil
	}
	ways := [][]string{
		{"systemd-sysusers", "-"},
		{"useradd", "--system", "--user-group", "--groups", "dialout", "--home-dir", packaging.DataDir, "--no-create-home", "--shell", "/usr/sbin/nologin", packaging.User},
		{"adduser", "-S", "-D", "-H", "-h", packaging.DataDir, "-s", "/sbin/nologin", packaging.User}, // BusyBox
	}
	for _, way := range ways {
		if _, err := exec.LookPath(way[0]); err != nil {
			continue
		}
		cmd := exec.Command(way[0], way[1:]...) //nolint:noctx // it must not be left half done
		cmd.Stdin = strings.NewReader(packaging.Sysusers())
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("make the user %s: %s: %w: %s", packaging.User, way[0], err, strings.TrimSpace(string(out)))
		}
		if way[0] == "adduser" {
			return joinGroups()
		}
		return nil
	}
	return fmt.Errorf("make the user %s yourself, in the group dialout: there is no useradd here", packaging.User)
}

// joinGroups does what BusyBox's adduser leaves out.
func joinGroups() error {
	for _, args := range [][]string{{"-S", packaging.User}, {packaging.User, packaging.User}, {packaging.User, "dialout"}} {
		if out, err := exec.Command("addgroup", args...).CombinedOutput(); err != nil { //nolint:noctx // it must not be left half done
			return fmt.Errorf("make the group %s: %w: %s", packaging.User, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// openConfig makes the folder of the configuration and lets the service read
// both, and others neither.
func openConfig(file string) error {
	dir := filepath.Dir(file)
	if err := os.Mkdir(dir, 0o750); err == nil {
		if err := letServiceRead(dir); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the folder of the configuration: %w", err)
	}
	info, err := os.Stat(file)
	if err == nil && info.Mode().Perm()&0o004 == 0 {
		return letServiceRead(file)
	}
	return nil // there is none yet, or everybody may read it
}

// letServiceRead gives a file or folder to the service's group to read.
func letServiceRead(path string) error {
	group, err := user.LookupGroup(packaging.User)
	if err != nil {
		return fmt.Errorf("find the service's group: %w", err)
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		return fmt.Errorf("find the service's group: %w", err)
	}
	info, err := os.Stat(path)
	if err == nil {
		err = os.Chown(path, -1, gid)
	}
	if err == nil {
		err = os.Chmod(path, info.Mode().Perm()|0o040)
	}
	if err != nil {
		return fmt.Errorf("let the service read %s: %w", path, err)
	}
	return nil
}
