package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/labcourier/labcourier/agent/codes"
)

// maxCodes is the largest codes.toml that is read. A row takes some 150 bytes.
const maxCodes = 8 << 20

func (t table) codes(c *Codes) {
	t.read(c)
	if t.gone() {
		return
	}
	if t.has("file") && t.filePath("file", c.File) {
		c.File = t.c.abs(c.File)
		if unreadable(c.File) != "" {
			t.warn("file", "names a file that "+unreadable(c.File), "`labcourier codes import` makes it; until then no test gets a LOINC code from it")
		}
	}
	for i, name := range c.Catalogues {
		if !t.filePath("catalogues", name) {
			continue
		}
		c.Catalogues[i] = t.c.abs(name)
		if why := unreadable(c.Catalogues[i]); why != "" {
			t.fault("catalogues", fmt.Sprintf("names as file %d one that %s", i+1, why), "put the maker's LIVD file (.csv, .xlsx or FHIR .json) there, or remove it from the list")
		}
	}
}

// LoadCodes reads the files that [codes] names. The error is Faults: every
// mistake of codes.toml, and the catalogues that cannot be read. Warnings are
// what a person should look at.
func LoadCodes(cfg *Config) (codes.Set, []Fault, error) {
	var set codes.Set
	var warnings, faults []Fault
	if cfg.Codes.File != "" {
		text, err := readSome(cfg.Codes.File, maxCodes)
		switch {
		case errors.Is(err, os.ErrNotExist): // told by Load
		case err != nil:
			faults = append(faults, Fault{File: cfg.Codes.File, Problem: "this file cannot be read: " + cause(err), Hint: "check the path and who may read it"})
		default:
			set.Own, warnings, err = ParseCodes(cfg.Codes.File, text, analyzerNames(cfg))
			if its, ok := errors.AsType[Faults](err); ok {
				faults = append(faults, its...)
			}
		}
	}
	for _, name := range cfg.Codes.Catalogues {
		raw, err := readSome(name, codes.MaxCatalogue)
		var c *codes.Catalogue
		if err == nil {
			c, err = codes.ReadLIVD(name, raw)
		}
		if err != nil {
			faults = append(faults, Fault{File: name, Problem: err.Error(), Hint: "get the file anew from the analyzer's maker, or remove it from codes.catalogues"})
			continue
		}
		set.Catalogues = append(set.Catalogues, c)
		for _, f := range c.Faults {
			warnings = append(warnings, Fault{File: name, Problem: f, Hint: "this row is left out; the others are used"})
		}
	}
	return set, warnings, asError(faults)
}

func analyzerNames(cfg *Config) (names []string) {
	for _, a := range cfg.Analyzers {
		names = append(names, a.Name)
	}
	return names
}

// readSome reads a file that is not larger than most.
func readSome(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("it is larger than %d MiB", most>>20)
	}
	return text, err
}

// ParseCodes reads the text of a codes.toml for a configuration with these
// analyzers; nil means that they are not known. The error is Faults.
func ParseCodes(name string, text []byte, analyzers []string) (codes.File, []Fault, error) {
	file := codes.File{Name: name}
	text = slices.Clone(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if len(bytes.TrimSpace(text)) == 0 {
		return file, nil, nil
	}
	if f, ok := encoded(text); !ok {
		f.File = name
		return file, nil, Faults{f}
	}
	c := newChecker(name, nil, nil)
	d := readDocument(text)
	for _, f := range d.flaws() {
		c.faults = append(c.faults, newFault(name, f.at, path{}, f.problem, f.hint))
	}
	if d.whole {
		root := table{c: c, n: d.root, at: d.root.at}
		root.read(&struct{}{}, "test", "unit")
		k := codeReader{file: &file, analyzers: analyzers, seen: map[string]codes.Row{}, units: map[string]codes.UnitRow{}, builtIn: codes.NewBook(nil, nil)}
		root.rows("test", k.test)
		root.rows("unit", k.unit)
	}
	if d.whole && len(c.faults) == 0 {
		if f, ok := d.lastWord(); ok {
			c.faults = append(c.faults, newFault(name, f.at, path{}, f.problem, f.hint))
		}
	}
	sortFaults(c.warnings)
	return file, c.warnings, asError(c.faults)
}

// rows calls each for every table of the list at key.
func (t table) rows(key string, each func(table)) {
	n := t.n.get(key)
	if n == nil || n.spoiled {
		return
	}
	if n.kind != isList {
		t.fault(key, "must be a list of tables, not "+string(n.kind), "write double brackets around the name each time: [["+key+"]]")
		return
	}
	for i, item := range n.items {
		p := path{fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%s %d:", key, i+1)}
		at := table{c: t.c, n: item, at: item.at, path: p}
		if item.kind != isTable {
			at.fault("", "must be a table, not "+string(item.kind), "write [["+key+"]] with the keys below it")
			continue
		}
		each(at)
	}
}

// codeReader reads the rows of a codes.toml.
type codeReader struct {
	file      *codes.File
	analyzers []string
	seen      map[string]codes.Row // by what they are for
	units     map[string]codes.UnitRow
	builtIn   *codes.Book
}

// testKeys is a [[test]] as it is written.
type testKeys struct {
	Analyzer     string `toml:"analyzer"`
	Manufacturer string `toml:"manufacturer"`
	Model        string `toml:"model"`
	Code         string `toml:"code"`
	Name         string `toml:"name"`
	Unit         string `toml:"unit"`
	Specimen     string `toml:"specimen"`
	Result       string `toml:"result"`
	LOINC        string `toml:"loinc"`
	Display      string `toml:"display"`
	Property     string `toml:"property"`
	System       string `toml:"system"`
	Scale        string `toml:"scale"`
	None         bool   `toml:"none"`
}

func (k codeReader) test(t table) {
	var v testKeys
	t.read(&v)
	k.sender(t, v.Analyzer, v.Model+v.Manufacturer)
	good := t.need("code", v.Code, "give the test's code as the analyzer sends it; `labcourier codes unmapped` lists those that came")
	switch {
	case v.None && v.LOINC != "":
		t.fault("none", "says that there is no LOINC code, and loinc gives one", "remove one of the two")
	case v.None:
	case !t.need("loinc", v.LOINC, "give the LOINC code, or none = true if there is none for this test"):
		good = false
	default:
		if wrong := codes.CheckLOINC(v.LOINC); wrong != "" {
			t.fault("loinc", wrong, "look it up at loinc.org or in the maker's LIVD file")
			good = false
		}
	}
	if !good {
		return
	}
	r := codes.Row{
		Analyzer: v.Analyzer, Manufacturer: v.Manufacturer, Model: v.Model, Code: v.Code, Name: v.Name,
		Unit: v.Unit, Specimen: v.Specimen, Result: v.Result, LOINC: v.LOINC, Display: v.Display,
		Property: v.Property, System: v.System, Scale: v.Scale, None: v.None,
		At: fmt.Sprintf("%s:%d", k.file.Name, t.at.line),
	}
	key := strings.Join([]string{r.Analyzer, r.Manufacturer, r.Model, r.Code, r.Unit, strings.ToLower(r.Specimen), r.Result, r.Property, r.System, r.Scale}, "\x00")
	if old, twice := k.seen[key]; twice {
		line := old.At[strings.LastIndexByte(old.At, ':')+1:]
		if old.LOINC != r.LOINC {
			t.fault("loinc", "is another than that of the same test on line "+line, "keep one, or tell them apart with unit, specimen, system or property")
			return
		}
		t.warn("", "says the same as line "+line, "remove one of the two")
		return
	}
	k.seen[key] = r
	k.file.Rows = append(k.file.Rows, r)
}

// sender checks who a row is for.
func (k codeReader) sender(t table, analyzer, makes string) {
	if analyzer == "" {
		return
	}
	if makes != "" {
		t.fault("analyzer", "and a model or manufacturer exclude each other", "keep analyzer for one analyzer of the configuration, or model for all of that model")
	}
	if k.analyzers != nil && !slices.Contains(k.analyzers, analyzer) {
		_, hint := meant(analyzer, k.analyzers)
		t.warn("analyzer", "is not the name of an analyzer in the configuration: this row is never used", hint)
	}
}

// unitKeys is a [[unit]] as it is written.
type unitKeys struct {
	Analyzer string `toml:"analyzer"`
	Sent     string `toml:"sent"`
	UCUM     string `toml:"ucum"`
	None     bool   `toml:"none"`
}

func (k codeReader) unit(t table) {
	var v unitKeys
	t.read(&v)
	k.sender(t, v.Analyzer, "")
	good := t.need("sent", v.Sent, "give the unit as the analyzer sends it; `labcourier codes unmapped` lists those that came")
	switch {
	case v.None && v.UCUM != "":
		t.fault("none", "says that there is no UCUM code, and ucum gives one", "remove one of the two")
	case v.None:
	case !t.need("ucum", v.UCUM, "give the UCUM code, or none = true to send the unit as text only"):
		good = false
	default:
		wrong, certain := codes.CheckUCUM(v.UCUM)
		const hint = `case counts: "mg/dL", "10*3/uL", "[IU]/L"; ucum.org checks any code`
		if certain && wrong != "" {
			t.fault("ucum", wrong, hint)
			good = false
		} else if wrong != "" {
			t.warn("ucum", wrong, hint)
		}
	}
	if !good {
		return
	}
	u := codes.UnitRow{Analyzer: v.Analyzer, Sent: v.Sent, UCUM: v.UCUM, At: fmt.Sprintf("%s:%d", k.file.Name, t.at.line)}
	if old, twice := k.units[v.Analyzer+"\x00"+v.Sent]; twice {
		line := old.At[strings.LastIndexByte(old.At, ':')+1:]
		if old.UCUM != u.UCUM {
			t.fault("ucum", "is another than that of the same unit on line "+line, "keep one of the two")
			return
		}
		t.warn("", "says the same as line "+line, "remove one of the two")
		return
	}
	if built, ok := k.builtIn.UCUM("", v.Sent); ok && built != v.UCUM {
		t.warn("sent", "is a unit that labcourier knows as "+built+": this row changes that", "remove the row unless this analyzer means something else by it")
	}
	k.units[v.Analyzer+"\x00"+v.Sent] = u
	k.file.Units = append(k.file.Units, u)
}
