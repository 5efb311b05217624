package fhir

import "github.com/labcourier/labcourier/drivers"

// device is the analyzer. What the configuration says goes before what the
// instrument says, since the same resource has to come out of every message.
func (msg *message) device(s drivers.Sender) (Entry, error) {
	src := msg.in.Source
	e, id := msg.identity("Device", "device", msg.origin)
	d := device{
		ResourceType: "Device",
		Identifier:   []identifier{id},
		Manufacturer: first(src.Manufacturer, s.Manufacturer),
		SerialNumber: first(src.SerialNumber, s.Serial),
		ModelNumber:  first(src.Model, s.Model, s.Name),
		Type:         textConcept("laboratory analyzer"),
	}
	if name := clean(src.Name); name != "" {
		d.DeviceName = []deviceName{{Name: name, Type: "user-friendly-name"}}
	}
	if v := clean(s.Version); v != "" {
		d.Version = []deviceVersion{{Value: v}}
	}
	if where := clean(src.Location); where != "" {
		d.Location = &reference{Display: where} // the agent knows no Location
	}
	return msg.encode(e, d)
}

// agentValue identifies the agent among Devices. Analyzers have a slash in it.
func (msg *message) agentValue() string { return first(escapeName(msg.agent), "labcourier") }

// agentDevice is this agent, in whose name a Provenance speaks. A conditional
// create keeps the version that it had then; each Provenance shows its own.
func (msg *message) agentDevice() (Entry, error) {
	e, id := msg.identity("Device", "device", msg.agentValue())
	d := device{
		ResourceType: "Device",
		Identifier:   []identifier{id},
		Manufacturer: "labcourier",
		Type:         textConcept("laboratory edge agent"),
	}
	if name := clean(msg.agent); name != "" {
		d.DeviceName = []deviceName{{Name: name, Type: "user-friendly-name"}}
	}
	if msg.version != "" {
		d.Version = []deviceVersion{{Value: msg.version}}
	}
	return msg.encode(e, d)
}

// deviceReference refers to the analyzer and shows what the instrument calls
// itself in this message. That can differ from the Device: software is
// renewed, and one line may carry several instruments.
func (msg *message) deviceReference(s *drivers.Sender, instrument string) *reference {
	label := func(name, value string) string {
		if value = clean(value); value == "" {
			return ""
		}
		return name + " " + value
	}
	display := join(", ",
		join(" ", clean(s.Manufacturer), first(s.Model, s.Name)),
		label("version", s.Version),
		label("serial", s.Serial),
		label("instrument", instrument))
	return &reference{Reference: msg.dev, Display: first(display, msg.in.Source.Name)}
}
