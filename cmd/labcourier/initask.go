package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers/port"
)

// complete asks for what the flags did not say, where something is missing that
// nothing can stand for.
func (p *program) complete(a *answers) error {
	if a.missing() == "" {
		a.fill()
		return nil
	}
	ask := asker{p: p, in: bufio.NewReader(p.in), a: a}
	fmt.Fprintln(p.err, "What is in brackets is taken by pressing Enter. Ctrl-C ends without a file.")
	ask.server()
	ask.analyzer()
	switch {
	case errors.Is(ask.err, io.EOF):
		return usageError{fmt.Errorf("the answers end too early: give %s", a.missing())}
	case ask.err != nil:
		return fmt.Errorf("read the answers: %w", ask.err)
	}
	a.fill()
	return nil
}

// asker asks questions until one cannot be answered.
type asker struct {
	p   *program
	in  *bufio.Reader
	a   *answers
	err error
}

func (k *asker) server() {
	k.ask(&k.a.name, "agent.name", "Name of this agent, a part of identifiers", usualName())
	k.ask(&k.a.url, "server.url", "FHIR base of the server, such as https://api.medplum.com/fhir/R4", "")
	k.ask(&k.a.tokenURL, "server.auth.token_url", "OAuth2 token endpoint", usualTokenURL(k.a.url))
	k.ask(&k.a.clientID, "server.auth.client_id", "Client id (its secret is asked for later, by `labcourier secret set`)", "")
}

func (k *asker) analyzer() {
	if k.a.driver == "" {
		k.optional(&k.a.profile, "analyzer[0].profile", "The analyzer's profile, from `labcourier profiles`; Enter if it is not there")
	}
	if k.a.profile == "" {
		k.ask(&k.a.driver, "analyzer[0].driver", "What it speaks: "+strings.Join(kindNames(), ", ")+" (`labcourier detect` finds out)", "astm")
	}
	known := profileOf(k.a.profile)
	usual := "analyzer-1"
	if known != nil {
		usual = known.Name
	}
	k.ask(&k.a.analyzer, "analyzer[0].name", "Name of the analyzer, a part of identifiers", usual)
	if k.a.link() == "" {
		k.link(known)
	}
	k.ask(&k.a.timezone, "analyzer[0].timezone", "Time zone of its clock", systemZone())
}

// link asks how the analyzer is connected, and then where.
func (k *asker) link(known *config.Profile) {
	usual := "listen"
	if known != nil && len(known.Links) > 0 {
		usual = known.Links[0]
	}
	kinds := []string{"serial", "listen", "connect", "folder"}
	var kind string
	for !slices.Contains(kinds, kind) {
		if kind != "" {
			fmt.Fprintln(k.p.err, "  one of serial, listen, connect and folder")
		}
		kind = k.read("How it is connected: serial; listen (it connects to us), connect (we to it), folder", usual)
		if k.err != nil {
			return
		}
	}
	switch kind {
	case "serial":
		k.ask(&k.a.serial, "analyzer[0].serial", "Serial device", k.firstPort())
	case "listen":
		k.ask(&k.a.listen, "analyzer[0].tcp", "Address to listen on, host:port", "0.0.0.0:4001")
	case "connect":
		k.ask(&k.a.connect, "analyzer[0].tcp", "The analyzer's address, host:port", "")
	case "folder":
		k.ask(&k.a.folder, "analyzer[0].folder", "The folder that it writes files into", "")
	}
}

// firstPort lists the serial lines, and offers the first.
func (k *asker) firstPort() string {
	found, err := port.List()
	if err != nil || len(found) == 0 {
		return ""
	}
	first := ""
	for _, i := range found {
		name := i.Stable
		if name == "" {
			name = i.Name
		}
		if first == "" {
			first = name
		}
		fmt.Fprintf(k.p.err, "  %s  %s\n", name, i.Description)
	}
	return first
}

// ask fills value, unless a flag did, with an answer that fits the key.
func (k *asker) ask(value *string, key, question, usual string) {
	if *value != "" {
		return
	}
	for k.err == nil {
		*value = k.read(question, usual)
		if k.err != nil || *value != "" && k.fits(key) {
			return
		}
		*value = ""
	}
}

// optional is ask for what may stay empty.
func (k *asker) optional(value *string, key, question string) {
	if *value != "" {
		return
	}
	for k.err == nil {
		if *value = k.read(question, ""); k.err != nil || *value == "" || k.fits(key) {
			return
		}
		*value = ""
	}
}

// read is one answer.
func (k *asker) read(question, usual string) string {
	if k.err != nil {
		return ""
	}
	if usual != "" {
		question += " [" + usual + "]"
	}
	fmt.Fprint(k.p.err, question+": ")
	line, err := k.in.ReadString('\n')
	if line = strings.TrimSpace(line); line != "" {
		return line
	}
	if err != nil {
		fmt.Fprintln(k.p.err)
		k.err = err
		return ""
	}
	return usual
}

// fits tries an answer in a file whose other values are in order, and says what
// is wrong with it.
func (k *asker) fits(key string) bool {
	whole := *k.a
	whole.fillForTrial()
	for _, f := range whole.faults(whole.file()) {
		if key == "analyzer[0].driver" && f.Key == "analyzer[0]" {
			fmt.Fprintln(k.p.err, "  it has no settings that are usual: take a profile, or `labcourier detect`, which prints lines to paste")
			return false
		}
		if strings.HasPrefix(f.Key, key) {
			fmt.Fprintf(k.p.err, "  it %s\n  %s\n", after(f.Problem, f.Key), f.Hint)
			return false
		}
	}
	return true
}

// after is a fault's words without the key that they begin with.
func after(problem, key string) string {
	last := key[strings.LastIndex(key, "]")+1:]
	for _, name := range []string{key, strings.TrimPrefix(last, ".")} {
		if i := strings.Index(problem, name+" "); name != "" && i >= 0 {
			return problem[i+len(name)+1:]
		}
	}
	return problem
}

// fillForTrial puts values that are in order where there are none.
func (a *answers) fillForTrial() {
	if a.url == "" {
		a.url = "https://fhir.example.org/R4"
	}
	if a.clientID == "" {
		a.clientID = "id"
	}
	if a.profile == "" && a.driver == "" {
		a.driver = "astm"
	}
	if a.link() == "" {
		a.listen = "127.0.0.1:4001"
	}
	a.fill()
}

func kindNames() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.Name)
	}
	return names
}

// profileOf is the profile of that name; nil if there is none.
func profileOf(name string) *config.Profile {
	all, err := config.Profiles()
	if err != nil {
		return nil
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// properZone reports whether a name is a time zone of the IANA list.
func properZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "Local"
}
