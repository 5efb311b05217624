package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// link checks that the analyzer has exactly one link, and that one.
func (t table) link(a *Analyzer) {
	first := ""
	for _, key := range []string{"serial", "tcp", "folder"} {
		switch {
		case !t.has(key):
		case first == "":
			first = key
		default:
			t.fault(key, "gives a second link besides "+first, "keep the one that the analyzer hangs on; a second link is a second [[analyzer]]")
		}
	}
	if first == "" {
		t.fault("", "has no link", `add serial = { device = "..." }, tcp = { listen = "0.0.0.0:2575" } or folder = { path = "..." }`)
	}
	if a.Serial != nil {
		t.sub("serial").serial(a.Serial)
	}
	if a.TCP != nil {
		t.sub("tcp").tcp(a.TCP)
	}
	if a.Folder != nil {
		t.sub("folder").folder(a)
	}
}

// bauds are the speeds that both platforms can set.
func bauds() []int {
	return []int{
		50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200,
		38400, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000,
		1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
	}
}

func (t table) serial(s *Serial) {
	if t.need("device", s.Device, `name the line: device = "/dev/serial/by-id/..." on Linux, device = "COM3" on Windows`) {
		t.filePath("device", s.Device)
	}
	if !slices.Contains(bauds(), s.Baud) {
		t.fault("baud", "is not a speed of serial lines", "use the analyzer's own setting: 1200, 2400, 4800, 9600 (the default), 19200, 38400, 57600 or 115200 are usual")
	}
	t.number("data_bits", s.DataBits, 5, 8)
	t.oneOf("parity", s.Parity, "none", "odd", "even", "mark", "space")
	t.oneOf("flow_control", s.FlowControl, "none", "rts-cts", "xon-xoff")
	switch s.StopBits {
	case 1, 2:
	case 1.5:
		if !oneAndAHalf {
			t.fault("stop_bits", "must be 1 or 2 on this system", "1.5 stop bits need Windows; most such analyzers can read 2")
		}
	default:
		t.fault("stop_bits", "must be 1, 1.5 or 2", "use the analyzer's own setting, usually 1")
	}
}

func (t table) tcp(c *TCP) {
	switch listen, connect := t.has("listen"), t.has("connect"); {
	case listen && connect:
		t.fault("connect", "gives a second way besides listen", "keep listen if the analyzer connects to this computer, connect if it waits to be connected to")
	case !listen && !connect:
		t.fault("", "needs listen or connect", `add listen = "0.0.0.0:2575" if the analyzer connects to this computer, or connect = "10.0.5.12:4001" if it waits to be connected to`)
	case listen:
		t.listening(c)
	default:
		t.connecting(c)
	}
	t.number("max_connections", c.MaxConnections, 1, 1024)
	t.span("dial_timeout", c.DialTimeout, time.Second, 5*time.Minute)
	c.Prefixes = t.allow(c.Allow)
}

func (t table) listening(c *TCP) {
	addr, ok := t.address("listen", c.Listen)
	if ok && !addr.loopback() && !t.has("allow") {
		t.warn("listen", "takes connections from everybody on the network", `name the analyzer's address, or its network: allow = ["10.0.5.0/24"]`)
	}
	if t.has("dial_timeout") {
		t.fault("dial_timeout", "belongs to connect, not to listen", "remove the key")
	}
}

func (t table) connecting(c *TCP) {
	addr, ok := t.address("connect", c.Connect)
	switch {
	case !ok:
	case addr.host == "" || addr.port == 0 || addr.ip.IsUnspecified():
		t.fault("connect", "names no computer to connect to", `write the analyzer's address and port: connect = "10.0.5.12:4001"`)
	}
	for _, key := range []string{"allow", "max_connections"} {
		if t.has(key) {
			t.fault(key, "belongs to listen, not to connect", "remove the key")
		}
	}
}

// allow reads who may connect; nil is everybody.
func (t table) allow(list []string) (prefixes []netip.Prefix) {
	for i, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var one netip.Addr
			one, err = netip.ParseAddr(text)
			if err == nil && one.Zone() == "" {
				p = netip.PrefixFrom(one, one.BitLen())
			}
		}
		if !p.IsValid() || p.Addr().Is4In6() && p.Bits() < 96 {
			t.fault("allow", fmt.Sprintf("entry %d is not an address or a network", i+1), `write addresses such as "10.0.5.12" and networks such as "10.0.5.0/24"`)
			continue
		}
		if p.Addr().Is4In6() {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		prefixes = append(prefixes, p.Masked())
	}
	if t.has("allow") && len(list) == 0 {
		t.fault("allow", "is empty, which would let nobody in", "name an address or a network, or remove the key to let everybody in")
	}
	return prefixes
}

// address reads host:port. Host names are taken as they are.
func (t table) address(key, value string) (listenAddress, bool) {
	const hint = `write host:port, such as "10.0.5.12:4001", "[fd00::12]:4001" or, to listen everywhere, "0.0.0.0:2575"`
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		t.fault(key, "is not of the form host:port", hint)
		return listenAddress{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.fault(key, "has a port that is not a number from 0 to 65535", hint)
		return listenAddress{}, false
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/\\@?#\"'", r) }) {
		t.fault(key, "has a host that is neither an address nor a name", hint)
		return listenAddress{}, false
	}
	ip, err := netip.ParseAddr(host)
	if err == nil {
		ip = ip.Unmap()
	}
	return listenAddress{host, ip, uint16(n)}, true
}
