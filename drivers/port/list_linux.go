package port

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func list() ([]Info, error) { return listIn("/sys", "/dev") }

// listIn lists the lines that the kernel's tree sys knows and that have a
// device file in dev.
func listIn(sys, dev string) ([]Info, error) {
	entries, err := os.ReadDir(filepath.Join(sys, "class", "tty"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list serial ports: %w", err)
	}
	stable := stableNames(dev)
	var infos []Info
	for _, e := range entries {
		name := filepath.Join(dev, e.Name())
		tty := filepath.Join(sys, "class", "tty", e.Name())
		if _, err := os.Stat(name); err != nil || !isHardware(tty) {
			continue
		}
		infos = append(infos, Info{Name: name, Stable: stable[e.Name()], Description: describe(sys, tty)})
	}
	return infos, nil
}

// isHardware reports whether there is a device behind a terminal: consoles and
// pseudo terminals have none, and the kernel keeps places (type 0) for UARTs
// that the machine does not have.
func isHardware(tty string) bool {
	if _, err := os.Stat(filepath.Join(tty, "device")); err != nil {
		return false
	}
	return attribute(tty, "type") != "0"
}

// stableNames maps a device's file name to the name that udev gives it by what
// it is, or else by where it is plugged in: adapters without a serial number
// cannot be told apart by what they are.
func stableNames(dev string) map[string]string {
	names := map[string]string{}
	for _, by := range []string{"by-path", "by-id"} { // the latter wins
		links, _ := filepath.Glob(filepath.Join(dev, "serial", by, "*"))
		for _, link := range links {
			if target, err := filepath.EvalSymlinks(link); err == nil {
				names[filepath.Base(target)] = link
			}
		}
	}
	return names
}

// describe climbs from the terminal to the USB device that it belongs to. What
// is not on USB is called by its driver, the kernel's own layers ("port" of
// "ctrl" of a UART) left out.
func describe(sys, tty string) string {
	dir, err := filepath.EvalSymlinks(filepath.Join(tty, "device"))
	if err != nil {
		return ""
	}
	driver := ""
	for root := filepath.Clean(sys); len(dir) > len(root); dir = filepath.Dir(dir) {
		if product := attribute(dir, "product"); product != "" {
			return strings.TrimSpace(attribute(dir, "manufacturer") + " " + product)
		}
		if target, err := os.Readlink(filepath.Join(dir, "driver")); err == nil && driver == "" {
			if name := filepath.Base(target); name != "port" && name != "ctrl" {
				driver = name
			}
		}
	}
	return driver
}

// attribute reads one value of the kernel's tree; "" means that there is none.
func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
