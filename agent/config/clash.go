package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// taken is what analyzers have already, each with the first that has it.
type taken struct {
	names    map[string]foundAnalyzer
	devices  map[string]foundAnalyzer
	connects map[string]foundAnalyzer
	folders  map[string]foundAnalyzer
	listens  map[uint16][]listener // by port; the status endpoint's too
}

// listener is a key that names an address to listen on.
type listener struct {
	who     string // the key and its line, for a message
	address listenAddress
}

// clashes tells what two analyzers, or an analyzer and the status endpoint, cannot
// both have. Names clash always, links only of analyzers that are enabled.
func (c *checker) clashes(status table, s Status, found []foundAnalyzer) {
	t := taken{map[string]foundAnalyzer{}, map[string]foundAnalyzer{}, map[string]foundAnalyzer{}, map[string]foundAnalyzer{}, map[uint16][]listener{}}
	t.listen(status, s.Listen)
	if s.Remote != nil {
		t.listen(status.sub("remote"), s.Remote.Listen)
	}
	for _, a := range found {
		t.name(a)
		if !a.Enabled {
			continue
		}
		t.device(a)
		t.connect(a)
		t.folder(a)
		if a.TCP != nil && a.TCP.Connect == "" {
			t.listen(a.sub("tcp"), a.TCP.Listen)
		}
	}
}

// claim returns who has key, and notes a as the one if nobody does.
func claim(m map[string]foundAnalyzer, key string, a foundAnalyzer) (foundAnalyzer, bool) {
	b, has := m[key]
	if !has {
		m[key] = a
	}
	return b, has
}

func (t taken) name(a foundAnalyzer) {
	if a.Name == "" {
		return
	}
	if b, clash := claim(t.names, strings.ToLower(a.Name), a); clash {
		a.fault("name", fmt.Sprintf("is the name of an earlier analyzer too (line %d)", b.n.get("name").at.line),
			"give each analyzer a name of its own; upper and lower case are the same")
	}
}

func (t taken) device(a foundAnalyzer) {
	if a.Serial == nil || a.Serial.Device == "" {
		return
	}
	if b, clash := claim(t.devices, device(a.Serial.Device), a); clash {
		a.sub("serial").fault("device", "is the line that "+b.who("serial", "device")+" has",
			"one line carries one analyzer: check which adapter belongs to which")
	}
}

func (t taken) connect(a foundAnalyzer) {
	if a.TCP == nil || a.TCP.Connect == "" {
		return
	}
	if b, clash := claim(t.connects, strings.ToLower(a.TCP.Connect), a); clash {
		a.sub("tcp").warn("connect", "is the address that "+b.who("tcp", "connect")+" connects to as well",
			"check that the analyzer, or the serial server, takes two connections")
	}
}

// folder: two analyzers may drop files into one folder if their names tell them
// apart.
func (t taken) folder(a foundAnalyzer) {
	if a.Folder == nil || a.Folder.Path == "" {
		return
	}
	path := device(a.Folder.Path)
	if b, clash := claim(t.folders, path+"\x00"+strings.ToLower(a.Folder.Pattern), a); clash {
		a.sub("folder").fault("path", "is the folder that "+b.who("folder", "path")+" reads, with the same pattern",
			"give each analyzer a folder, or a pattern, of its own")
		return
	}
	if b, clash := claim(t.folders, path, a); clash {
		a.sub("folder").warn("path", "is the folder that "+b.who("folder", "path")+" reads as well",
			"check that no file fits both patterns: each file goes to one of them only")
	}
}

// listen: in is the table with the key listen.
func (t taken) listen(in table, value string) {
	mine, ok := parsedAddress(value)
	if !ok || mine.port == 0 {
		return
	}
	for _, other := range t.listens[mine.port] {
		if mine.clashes(other.address) {
			in.fault("listen", "is an address that "+other.who+" takes", "give one of them another port; 0.0.0.0 and [::] take a port of every address")
			return
		}
	}
	who := in.path.sub("listen").label
	if n := in.n.get("listen"); n != nil {
		who += fmt.Sprintf(" (line %d)", n.at.line)
	} else {
		who += " (by default)"
	}
	t.listens[mine.port] = append(t.listens[mine.port], listener{who, mine})
}

// who names the other analyzer of a clash and where it has what.
func (a foundAnalyzer) who(link, key string) string {
	at := a.at
	if n := a.n.get(link).get(key); n != nil {
		at = n.at
	}
	return fmt.Sprintf("%s (line %d)", a.path.what(), at.line)
}

// parsedAddress is address for a value that was judged already.
func parsedAddress(value string) (listenAddress, bool) {
	silent := table{c: &checker{}}
	return silent.address("listen", value)
}

// device is a serial line by one name: links are followed, and COM3, com3 and
// \\.\COM3 are the same.
func device(name string) string {
	if com := strings.ToUpper(strings.TrimSuffix(strings.TrimPrefix(name, `\\.\`), ":")); strings.HasPrefix(com, "COM") {
		return com
	}
	if target, err := filepath.EvalSymlinks(name); err == nil {
		return target
	}
	return filepath.Clean(name)
}
