package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/labcourier/labcourier/configs"
)

// Profile is what a profile says of itself; see the package configs for its
// form.
type Profile struct {
	Name         string   `toml:"-" json:"name"`
	Manufacturer string   `toml:"manufacturer" json:"manufacturer"`
	Model        string   `toml:"model" json:"model"`
	Family       bool     `toml:"family" json:"family"` // Model stands for others too
	Links        []string `toml:"links" json:"links"`   // "serial", "listen", "connect", "folder"; the usual one first
	Basis        string   `toml:"basis" json:"basis"`   // "verified", "documented" or "expected"
	Source       string   `toml:"source" json:"source"` // what it rests on
	Notes        string   `toml:"notes" json:"notes"`   // what to set at the analyzer, what to know of it
	Driver       string   `toml:"-" json:"driver"`

	// Defaults is the text of its table [analyzer], without the header.
	Defaults string `toml:"-" json:"defaults"`
}

// Profiles are the profiles that are built in, by name. An error is Faults.
func Profiles() ([]Profile, error) { return allProfiles(configs.Profiles()) }

func allProfiles(files fs.FS) ([]Profile, error) {
	var all []Profile
	var faults []Fault
	for _, name := range profileNames(files) {
		p, _, err := loadProfile(files, name)
		if its, ok := errors.AsType[Faults](err); ok {
			faults = append(faults, its...)
		}
		all = append(all, p)
	}
	if len(faults) > 0 {
		return nil, Faults(faults)
	}
	return all, nil
}

// profileNames are the names of all profiles, sorted.
func profileNames(files fs.FS) []string {
	found, err := fs.Glob(files, "*.toml")
	if err != nil {
		return nil // cannot be: the pattern is well formed
	}
	for i, name := range found {
		found[i] = strings.TrimSuffix(name, ".toml")
	}
	slices.Sort(found)
	return found
}

// ProfileHint says what to do about a name that is no profile's.
func ProfileHint(name string) string { return profileHint(configs.Profiles(), name) }

func profileHint(files fs.FS, name string) string {
	const list = "`labcourier profiles` lists them"
	known := profileNames(files)
	near := alike(name, known)
	if one := nearest(name, known); one != "" {
		near = []string{one}
	}
	if len(near) > 0 {
		return fmt.Sprintf("did you mean %s? %s", quoted(near), list)
	}
	return list + "; without a profile, write the analyzer's settings out"
}

// alike are the names that hold every word of name, four at most: "sysmex-xn" and
// "XN 550" both mean sysmex-xn-550.
func alike(name string, known []string) (near []string) {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return c == '-' || c == ' ' || c == '_' })
	for _, k := range known {
		holds := len(words) > 0
		for _, w := range words {
			holds = holds && len(w) > 1 && strings.Contains(k, w)
		}
		if holds && len(near) < 4 {
			near = append(near, k)
		}
	}
	return near
}

// lentKeys are the defaults that a profile may have, besides its driver's table.
// The name, the link's address and the place of the device are the laboratory's.
type lentKeys struct {
	Driver        string      `toml:"driver"`
	Charset       string      `toml:"charset"`
	Timezone      string      `toml:"timezone"` // of analyzers whose clock has one, whatever the laboratory's is
	StatusDefault string      `toml:"status_default"`
	Serial        *lentSerial `toml:"serial"`
}

type lentSerial struct {
	Baud        int      `toml:"baud"`
	DataBits    int      `toml:"data_bits"`
	Parity      string   `toml:"parity"`
	StopBits    StopBits `toml:"stop_bits"`
	FlowControl string   `toml:"flow_control"`
}

// loadProfile reads the profile of that name, which there is, and returns its
// table [analyzer] with the manufacturer and model that [profile] names. What the
// values mean is judged where they are used.
func loadProfile(files fs.FS, name string) (Profile, *node, error) {
	p := Profile{Name: name}
	file := "profiles/" + name + ".toml"
	text, err := fs.ReadFile(files, name+".toml")
	if err != nil {
		return p, nil, Faults{{File: file, Problem: "this profile cannot be read: " + cause(err), Hint: "this is a fault of the program"}}
	}
	c := newChecker(file, nil, nil)
	d := readDocument(slices.Clone(text))
	for _, f := range d.flaws() {
		c.faults = append(c.faults, newFault(file, f.at, path{}, f.problem, f.hint))
	}
	if !d.whole || len(c.faults) > 0 {
		return p, nil, asError(c.faults)
	}
	if f, bad := d.lastWord(); bad {
		return p, nil, asError([]Fault{newFault(file, f.at, path{}, f.problem, f.hint)})
	}
	root := table{c: c, n: d.root, at: d.root.at}
	root.read(&struct{}{}, "profile", "analyzer")
	about, defaults := root.sub("profile"), root.sub("analyzer")
	about.profile(&p)
	lent := defaults.lends(&p)
	if about.at.line > defaults.at.line {
		defaults.fault("", "must be the last table", "move it below [profile]")
	}
	if err := asError(c.faults); err != nil {
		return p, nil, err
	}
	p.Defaults = strings.TrimSpace(d.after(lent.at.line)) + "\n"
	return p, lent, nil
}

// profile reads [profile].
func (t table) profile(p *Profile) {
	t.read(p)
	for _, k := range []struct{ key, value string }{{"manufacturer", p.Manufacturer}, {"model", p.Model}, {"source", p.Source}, {"notes", p.Notes}} {
		t.need(k.key, k.value, "say it in a few words")
	}
	t.oneOf("basis", p.Basis, "verified", "documented", "expected")
	if len(p.Links) == 0 {
		t.fault("links", "is missing", `give the usual one first: "serial", "listen", "connect", "folder"`)
	}
	for _, l := range p.Links {
		t.oneOf("links", l, "serial", "listen", "connect", "folder")
	}
}

// lends reads [analyzer], the last table of a profile, and returns it with what
// [profile] says of the device.
func (t table) lends(p *Profile) *node {
	var k lentKeys
	if t.gone() || t.n.origin != headed {
		t.fault("", "is missing", "begin the defaults with [analyzer] below [profile]")
		return nil
	}
	if driver := t.n.get("driver"); driver != nil {
		p.Driver = driver.text
	}
	t.read(&k, p.Driver)
	t.need("driver", k.Driver, "name the driver")
	device := newTable(t.at, implied)
	device.set("manufacturer", &node{kind: isText, text: p.Manufacturer})
	if !p.Family {
		device.set("model", &node{kind: isText, text: p.Model})
	}
	return merged(t.n, device)
}

// withProfile is the analyzer t with the defaults of the profile that it names.
func (t table) withProfile() table {
	n := t.n.get("profile")
	if n == nil || n.kind != isText || n.spoiled {
		return t // if it is no text, reading it will tell
	}
	if !slices.Contains(profileNames(t.c.profiles), n.text) {
		t.fault("profile", "is not a profile of this version", profileHint(t.c.profiles, n.text))
		return t
	}
	p, defaults, err := loadProfile(t.c.profiles, n.text)
	if err != nil {
		t.c.faults = append(t.c.faults, newFault(t.c.file, n.at, t.path.sub("profile"), "names a profile that has faults of its own",
			"this is a fault of the program: report it, and write the analyzer's settings out in its place"))
		return t
	}
	t.n = merged(t.n, t.takes(p, defaults).lent(p.Name, n.at))
	return t
}

// takes is what the analyzer t takes of a profile's defaults: serial settings
// only where it is on a serial line, and nothing of a driver that it has not.
func (t table) takes(p Profile, defaults *node) *node {
	if t.n.get("serial") == nil {
		defaults = defaults.without("serial")
	}
	driver := t.n.get("driver")
	switch {
	case driver != nil && driver.text != p.Driver:
		t.warn("driver", "is not the profile's: the profile's settings for its driver are not used",
			"remove the key for the profile's own driver, or look for another profile: `labcourier profiles`")
		defaults = defaults.without(p.Driver)
	case driver == nil && !slices.Contains(t.c.kindNames(), p.Driver):
		t.fault("profile", fmt.Sprintf("needs the driver %q, which this version does not have", p.Driver),
			"use a version that has it, or remove the key and write the analyzer's settings out")
		defaults = defaults.without(p.Driver, "driver")
	}
	return defaults
}
