package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	systemState        = "urn:labcourier:state" // of the properties of the agent's Device
	systemRole         = "urn:labcourier:role"  // tags the Devices that are agents
	systemDeviceStatus = "http://terminology.hl7.org/CodeSystem/device-status-reason"
)

// Beat is how an agent does at one moment, in numbers that name nobody.
type Beat struct {
	At      time.Time
	Running bool // false: it was stopped on purpose

	Links, LinksUp  int
	Waiting, Parked uint64        // messages
	OldestWaiting   time.Duration // 0: none waits
	LastMessage     time.Time     // from any analyzer; zero: none since the start
	LastDelivery    time.Time     // zero: none since the start
}

// agentState is the agent's Device with how it does.
type agentState struct {
	device
	Status       string            `json:"status"`
	StatusReason []codeableConcept `json:"statusReason"`
	Property     []deviceProperty  `json:"property"`
	Note         []timedNote       `json:"note"`
}

type deviceProperty struct {
	Type          codeableConcept `json:"type"`
	ValueQuantity []quantity      `json:"valueQuantity"`
}

type timedNote struct {
	AuthorString string `json:"authorString"`
	Time         string `json:"time"`
	Text         string `json:"text"`
}

// Heartbeat is the agent's own Device, the one that a Provenance names, with how
// the agent does. Unlike everything else it is meant to be written again and
// again: see [Entry.Renew].
func (m *Mapper) Heartbeat(b Beat) (Entry, error) {
	if m.err != nil {
		return Entry{}, m.err
	}
	msg := &message{Mapper: m}
	e, err := msg.agentDevice()
	if err != nil {
		return Entry{}, err
	}
	var s agentState
	if err := json.Unmarshal(e.Resource, &s.device); err != nil {
		return Entry{}, fmt.Errorf("map the agent's state: %w", err)
	}
	s.Meta = &meta{Tag: []coding{{System: systemRole, Code: "agent"}}}
	s.Status, s.StatusReason = "active", deviceStatus("online", "Online")
	if !b.Running {
		s.Status, s.StatusReason = "inactive", deviceStatus("off", "Off")
	}
	s.Property = []deviceProperty{
		count("links", int64(b.Links), "analyzers"), count("links-up", int64(b.LinksUp), "analyzers"),
		count("waiting", int64(b.Waiting), "messages"), count("parked", int64(b.Parked), "messages"),
		seconds("oldest-waiting", b.OldestWaiting),
	}
	if !b.LastMessage.IsZero() {
		s.Property = append(s.Property, seconds("since-last-message", b.At.Sub(b.LastMessage)))
	}
	s.Note = []timedNote{{AuthorString: "labcourier", Time: b.At.UTC().Format(time.RFC3339), Text: b.words()}}
	return msg.encode(e, s)
}

func deviceStatus(code, display string) []codeableConcept {
	return []codeableConcept{{Coding: []coding{{System: systemDeviceStatus, Code: code, Display: display}}}}
}

func count(code string, n int64, unit string) deviceProperty {
	return deviceProperty{
		Type:          codeableConcept{Coding: []coding{{System: systemState, Code: code}}},
		ValueQuantity: []quantity{{Value: json.Number(strconv.FormatInt(n, 10)), Unit: unit}},
	}
}

func seconds(code string, d time.Duration) deviceProperty {
	p := count(code, int64(max(d, 0).Seconds()), "s")
	p.ValueQuantity[0].System, p.ValueQuantity[0].Code = systemUCUM, "s"
	return p
}

// words is the beat for a person.
func (b Beat) words() string {
	text := "The agent runs."
	if !b.Running {
		text = "The agent was stopped."
	}
	text += fmt.Sprintf(" Analyzers connected: %d of %d. Messages waiting: %d", b.LinksUp, b.Links, b.Waiting)
	if b.Waiting > 0 {
		text += fmt.Sprintf(", the oldest for %s", b.OldestWaiting.Round(time.Second))
	}
	text += fmt.Sprintf(". Parked: %d.", b.Parked)
	for _, one := range []struct {
		what string
		at   time.Time
	}{{"message", b.LastMessage}, {"delivery", b.LastDelivery}} {
		if !one.at.IsZero() {
			text += fmt.Sprintf(" Last %s: %s.", one.what, one.at.UTC().Format(time.RFC3339))
		}
	}
	return text
}

// Renew is the server's resource with e's members in the place of its own. What
// others have added since stays: an owner, a location, labels.
func (e Entry) Renew(stored json.RawMessage) (json.RawMessage, error) {
	var was, is object
	if json.Unmarshal(stored, &was) != nil || json.Unmarshal(e.Resource, &is) != nil || was == nil || is == nil {
		return nil, errors.New("renew a " + e.Type + ": a resource is not an object")
	}
	for name, v := range is {
		switch name {
		case "identifier":
			was[name] = union(was[name], v, nil)
		case "meta":
			was[name] = mergedMeta(was[name], v)
		default:
			was[name] = v
		}
	}
	var buf encodeBuffer
	return buf.encode(was)
}
