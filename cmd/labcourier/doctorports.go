package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/agent/doctor"
	"github.com/labcourier/labcourier/agent/status"
	"github.com/labcourier/labcourier/drivers/folder"
)

// portTimeout is how long an analyzer that is to be connected to may take.
const portTimeout = 5 * time.Second

// reportAgent says whether the agent runs, and whether its status address is
// free if it does not.
func reportAgent(ctx context.Context, cfg *config.Config, s status.Snapshot, running bool, report doctor.Report) {
	at := cfg.Status.Listen
	switch {
	case running && s.Agent.Name != cfg.Agent.Name:
		report(doctor.Finding{Check: "agent", State: doctor.Wrong,
			Text: fmt.Sprintf("another agent, %q, answers at %s", s.Agent.Name, at), Hint: "end it, or give this one another [status] listen"})
	case running:
		report(doctor.Finding{Check: "agent", State: doctor.Fine, Text: fmt.Sprintf("%s %s runs, and answers at %s", s.Agent.Name, s.Agent.Version, at)})
	case !canListen(ctx, at):
		report(doctor.Finding{Check: "agent", State: doctor.Wrong,
			Text: "no agent answers at " + at + ", and something else has that address", Hint: "end it, or write another listen in [status]"})
	default:
		report(doctor.Finding{Check: "agent", State: doctor.Fine, Text: "it does not run; its status address " + at + " is free"})
	}
}

func canListen(ctx context.Context, address string) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err == nil {
		l.Close()
	}
	return err == nil
}

func liveAnalyzer(s status.Snapshot, name string) (status.Analyzer, bool) {
	for _, a := range s.Analyzers {
		if a.Name == name {
			return a, true
		}
	}
	return status.Analyzer{}, false
}

// reportLive tells what the running agent knows of an analyzer: it has the port.
func reportLive(a status.Analyzer, report doctor.Report) {
	f := doctor.Finding{Check: "port", State: doctor.Fine, Text: fmt.Sprintf("%s: the agent has %s, which is %s", a.Name, a.Port, a.Link)}
	if a.Link == status.LinkDown || a.Link == status.LinkConnecting {
		f.State, f.Hint = doctor.Wrong, a.Reason
		if f.Hint == "" {
			f.Hint = "look at the cable and at the analyzer's host settings"
		}
	}
	report(f)
}

// tryPort opens what an analyzer hangs on, and closes it again at once.
func tryPort(ctx context.Context, an config.Analyzer, report doctor.Report) {
	wrong := func(text, hint string) {
		report(doctor.Finding{Check: "port", State: doctor.Wrong, Text: an.Name + ": " + text, Hint: hint})
	}
	fine := func(text string) {
		report(doctor.Finding{Check: "port", State: doctor.Fine, Text: an.Name + ": " + text})
	}
	p, err := openPort(an)
	if err != nil {
		wrong(err.Error(), "see the link of this analyzer in the configuration")
		return
	}
	defer p.Close()
	switch {
	case an.Folder != nil:
		if problem, hint := folder.Probe(folderOptions(an.Folder)); problem != "" {
			wrong("its folder "+problem, hint)
			return
		}
		fine(fmt.Sprintf("%s is there, and files can be moved out of it", p))
		return
	case an.TCP != nil && an.TCP.Listen != "":
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", an.TCP.Listen)
		if err != nil {
			wrong(err.Error(), "end what has this address, write one of this computer, or another port")
			return
		}
		l.Close()
		fine(an.TCP.Listen + " is free to listen on")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, portTimeout)
	defer cancel()
	conn, err := p.Open(ctx)
	if err != nil {
		wrong(err.Error(), "look at the cable, and at the analyzer's host settings")
		return
	}
	conn.Close()
	fine(fmt.Sprintf("%s can be opened", p))
}
