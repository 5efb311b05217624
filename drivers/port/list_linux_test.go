package port

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestListIn lists a machine with two UARTs of which one is only a place, two
// USB adapters of which one has no serial number, a console, and a line that
// this container has no device file for.
func TestListIn(t *testing.T) {
	root := t.TempDir()
	sys, dev := filepath.Join(root, "sys"), filepath.Join(root, "dev")
	file := func(text string, parts ...string) {
		t.Helper()
		name := filepath.Join(append([]string{root}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target string, parts ...string) {
		t.Helper()
		name := filepath.Join(append([]string{root}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"ttyS0", "ttyS1", "ttyUSB0", "ttyUSB10", "tty1"} {
		file("", "dev", name)
	}
	file("4\n", "sys/class/tty/ttyS0/type")
	file("0\n", "sys/class/tty/ttyS1/type")
	file("", "sys/class/tty/tty1/dev")
	link("../../../bus/serial8250", "sys/devices/platform/serial8250/driver")
	link("../../../../bus/port", "sys/devices/platform/serial8250/0.0/driver")
	for _, name := range []string{"ttyS0", "ttyS1"} {
		link("../../../devices/platform/serial8250/0.0", "sys/class/tty", name, "device")
	}
	usb := map[string]string{"ttyUSB0": "1-1", "ttyUSB10": "1-2", "ttyUSB2": "1-3"}
	for name, place := range usb {
		file("", "sys/devices/usb1", place, "1-1:1.0", name, "port_number")
		link("../../../devices/usb1/"+place+"/1-1:1.0/"+name, "sys/class/tty", name, "device")
	}
	file("FTDI\n", "sys/devices/usb1/1-1/manufacturer")
	file("FT232R USB UART\n", "sys/devices/usb1/1-1/product")
	file("USB2.0-Serial\n", "sys/devices/usb1/1-2/product")
	link("../../ttyUSB0", "dev/serial/by-id/usb-FTDI_A1-if00-port0")
	link("../../ttyUSB0", "dev/serial/by-path/pci-usb-0:1")
	link("../../ttyUSB10", "dev/serial/by-path/pci-usb-0:2")
	link("../../ttyUSB7", "dev/serial/by-id/stale")

	got, err := listIn(sys, dev)
	if err != nil {
		t.Fatal(err)
	}
	want := []Info{
		{filepath.Join(dev, "ttyS0"), "", "serial8250"},
		{filepath.Join(dev, "ttyUSB0"), filepath.Join(dev, "serial/by-id/usb-FTDI_A1-if00-port0"), "FTDI FT232R USB UART"},
		{filepath.Join(dev, "ttyUSB10"), filepath.Join(dev, "serial/by-path/pci-usb-0:2"), "USB2.0-Serial"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("listIn = %+v\nwant %+v", got, want)
	}
	if none, err := listIn(filepath.Join(root, "nowhere"), dev); none != nil || err != nil {
		t.Errorf("listIn without a kernel tree = %v, %v", none, err)
	}
}

// The machine's own list must be readable, whatever is on it.
func TestList(t *testing.T) {
	infos, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if i.Name == "" {
			t.Errorf("a line without a name: %+v", i)
		}
	}
}
