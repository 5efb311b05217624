package codes

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The parts of the LIVD guide's resources (R4) that are read.

type livdBundle struct {
	ResourceType string `json:"resourceType"`
	Entry        []struct {
		Resource json.RawMessage `json:"resource"`
	} `json:"entry"`
}

// livdResource is any resource of the bundle.
type livdResource struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Version      string `json:"version"`

	// Composition.
	Title  string `json:"title"`
	Author []struct {
		Display string `json:"display"`
	} `json:"author"`

	// DeviceDefinition.
	ManufacturerString string           `json:"manufacturerString"`
	ModelNumber        string           `json:"modelNumber"`
	Capability         []livdCapability `json:"capability"`

	// ObservationDefinition. In ConceptMap and CodeSystem nothing has this name.
	Code      livdConcept     `json:"code"`
	Extension []livdExtension `json:"extension"`

	// ConceptMap.
	Group []struct {
		Target  string `json:"target"`
		Element []struct {
			Code    string       `json:"code"`
			Display string       `json:"display"`
			Target  []livdTarget `json:"target"`
		} `json:"element"`
	} `json:"group"`

	// CodeSystem.
	URL     string `json:"url"`
	Concept []struct {
		Code     string `json:"code"`
		Display  string `json:"display"`
		Property []struct {
			Code        string          `json:"code"`
			ValueString string          `json:"valueString"`
			ValueCode   string          `json:"valueCode"`
			ValueCoding json.RawMessage `json:"valueCoding"`
		} `json:"property"`
	} `json:"concept"`
}

type livdConcept struct {
	Coding []struct {
		Code    string `json:"code"`
		Display string `json:"display"`
	} `json:"coding"`
}

type livdCapability struct {
	Extension []livdExtension `json:"extension"`
}

type livdExtension struct {
	URL            string `json:"url"`
	ValueReference struct {
		Reference string `json:"reference"`
	} `json:"valueReference"`
}

type livdTarget struct {
	Code        string `json:"code"`
	Display     string `json:"display"`
	Equivalence string `json:"equivalence"`
	DependsOn   []struct {
		Property string `json:"property"`
		Value    string `json:"value"`
	} `json:"dependsOn"`
}

// livdModel is an analyzer's make.
type livdModel struct{ manufacturer, model string }

// livdTest is a maker's code for a test, and the models that have it.
type livdTest struct {
	code, name string
	models     []livdModel
}

// livdIndex is what the bundle's resources say of each other.
type livdIndex struct {
	devices map[string]livdModel // by id
	tests   map[string]*livdTest // by id of the ObservationDefinition
	loinc   map[string]Row       // what a CodeSystem says of LOINC codes
	maps    []livdResource
}

// readFHIR reads a Bundle of the LIVD guide, or a ConceptMap alone. In the map
// an element's code is the id of an ObservationDefinition, whose own code is
// what the analyzer sends; makers also write that code there directly.
func (c *Catalogue) readFHIR(text []byte) error {
	var b livdBundle
	if err := json.Unmarshal(text, &b); err != nil {
		return fmt.Errorf("it is not JSON that can be read: %w", err)
	}
	resources := []json.RawMessage{text}
	switch b.ResourceType {
	case "ConceptMap":
	case "Bundle":
		resources = resources[:0]
		for _, e := range b.Entry {
			resources = append(resources, e.Resource)
		}
	default:
		return errors.New("it is neither a FHIR Bundle nor a ConceptMap")
	}
	x := livdIndex{devices: map[string]livdModel{}, tests: map[string]*livdTest{}, loinc: map[string]Row{}}
	links := [][2]string{} // test, device
	for i, raw := range resources {
		var r livdResource
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("entry %d of the bundle cannot be read: %w", i+1, err)
		}
		links = append(links, x.take(r, c)...)
	}
	for _, l := range links {
		if t, ok := x.tests[l[0]]; ok {
			t.add(x.devices[l[1]])
		}
	}
	for _, m := range x.maps {
		c.conceptMap(m, x)
	}
	if len(x.maps) == 0 {
		return errors.New("it has no ConceptMap")
	}
	return nil
}

func (t *livdTest) add(m livdModel) {
	if !slices.Contains(t.models, m) {
		t.models = append(t.models, m)
	}
}

// take notes one resource, and returns which test goes with which device.
func (x *livdIndex) take(r livdResource, c *Catalogue) (links [][2]string) {
	switch r.ResourceType {
	case "Composition":
		if len(r.Author) > 0 {
			c.Publisher = r.Author[0].Display
		}
	case "DeviceDefinition":
		x.devices[r.ID] = livdModel{r.ManufacturerString, r.ModelNumber}
		for _, capability := range r.Capability {
			for _, e := range capability.Extension {
				links = append(links, [2]string{referenced(e), r.ID})
			}
		}
	case "ObservationDefinition":
		t := &livdTest{}
		if len(r.Code.Coding) > 0 {
			t.code, t.name = r.Code.Coding[0].Code, r.Code.Coding[0].Display
		}
		x.tests[r.ID] = t
		for _, e := range r.Extension {
			if strings.HasSuffix(e.URL, "devicedefinition") {
				links = append(links, [2]string{r.ID, referenced(e)})
			}
		}
	case "ConceptMap":
		x.maps = append(x.maps, r)
		if c.Version == "" {
			c.Version = r.Version
		}
	case "CodeSystem":
		if r.URL == SystemLOINC {
			x.takeLOINC(r, c)
		}
	}
	return links
}

func (x *livdIndex) takeLOINC(r livdResource, c *Catalogue) {
	c.LOINC = r.Version
	for _, concept := range r.Concept {
		row := Row{Display: concept.Display}
		for _, p := range concept.Property {
			v := p.ValueString + p.ValueCode
			switch strings.ToUpper(p.Code) {
			case "PROPERTY":
				row.Property = v
			case "SYSTEM":
				row.System = v
			case "SCALE", "SCALE_TYP":
				row.Scale = v
			}
		}
		x.loinc[concept.Code] = row
	}
}

func referenced(e livdExtension) string {
	ref := e.ValueReference.Reference
	return ref[strings.LastIndexAny(ref, "/:")+1:]
}

// conceptMap makes rows of a map's targets: one for each model that has the
// test, or one for all where no model is told.
func (c *Catalogue) conceptMap(m livdResource, x livdIndex) {
	n := 0
	for _, g := range m.Group {
		if g.Target != "" && g.Target != SystemLOINC {
			continue
		}
		for _, e := range g.Element {
			test := x.test(e.Code, e.Display)
			if test == nil {
				c.fault(c.at(n+1), "it points at no ObservationDefinition of the file")
				n += len(e.Target)
				continue
			}
			models := test.models
			if len(models) == 0 {
				models = []livdModel{{}}
			}
			for _, target := range e.Target {
				n++
				for _, model := range models {
					if len(c.Rows) >= maxRows {
						c.fault(c.at(n), "the file has too many rows, this and all after it are left out")
						return
					}
					c.target(c.at(n), target, test, model, x)
				}
			}
		}
	}
}

// test finds what an element of a map is about. One that points at no
// definition is that of its name, if one test alone has it: without it the
// other codes of that test would look like the only ones. Without any
// definitions the element's code is the analyzer's own.
func (x *livdIndex) test(code, name string) *livdTest {
	if t := x.tests[code]; t != nil {
		return t
	}
	if len(x.tests) == 0 {
		return &livdTest{code: code, name: name, models: x.models()}
	}
	var found *livdTest
	for _, t := range x.tests {
		if t.code == code {
			return t
		}
		if t.name == name && name != "" {
			if found != nil {
				return nil
			}
			found = t
		}
	}
	return found
}

// models are all makes of the bundle.
func (x *livdIndex) models() []livdModel {
	t := livdTest{}
	for _, d := range x.devices {
		t.add(d)
	}
	return t.models
}

func (c *Catalogue) target(at string, target livdTarget, test *livdTest, model livdModel, x livdIndex) {
	switch target.Equivalence {
	case "", "equal", "equivalent":
	default: // wider, narrower, unmatched: not the same test
		c.fault(at, "it is mapped as "+target.Equivalence+", not as equivalent")
		return
	}
	r := x.loinc[target.Code]
	r.Manufacturer, r.Model = model.manufacturer, model.model
	r.Code, r.Name, r.LOINC, r.At = test.code, test.name, target.Code, at
	if r.Display == "" && target.Display != test.name {
		r.Display = target.Display
	}
	for _, d := range target.DependsOn {
		switch {
		case strings.EqualFold(d.Property, "specimen") && r.System == "":
			r.System = d.Value
		case strings.EqualFold(d.Property, "result"):
			r.Result = d.Value
		}
	}
	c.add(r)
}
