package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/labcourier/labcourier/agent/config"
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/detect"
)

// knownModel is the profile of the model that the analyzer says it is; nil if
// none, or more than one, could be meant. Text says no model: there the profile is
// taken that reads the whole of it.
func knownModel(all []config.Profile, r detect.Result) *config.Profile {
	if r.Driver == "text" {
		return readingProfile(all, r.Bytes)
	}
	best, most, tie := -1, 0, false
	for i, one := range all {
		if one.Driver != r.Driver {
			continue
		}
		n := resemblance(r.Sender, one.Model)
		switch {
		case n > most:
			best, most, tie = i, n, false
		case n == most:
			tie = true
		}
	}
	if best < 0 || tie {
		return nil
	}
	return &all[best]
}

// resemblance is how many characters of a model's name are in what the analyzer
// calls itself; 0 means that it is another.
func resemblance(sender []string, model string) (most int) {
	whole := plainWord(model)
	for _, s := range sender {
		word := plainWord(s)
		switch {
		case len(whole) >= 4 && strings.Contains(word, whole):
			most = max(most, 2*len(whole)) // the full name counts more than a part
		case len(word) >= 4 && hasDigit(word) && hasLetter(word) && strings.Contains(whole, word):
			most = max(most, len(word))
		}
		for part := range strings.FieldsSeq(strings.ReplaceAll(s, "^", " ")) {
			part = plainWord(part)
			if len(part) < 4 || slices.Contains([]string{"analyzer", "cobas", "host"}, part) {
				continue
			}
			for other := range strings.FieldsSeq(model) {
				if plainWord(other) == part {
					most = max(most, len(part))
				}
			}
		}
	}
	return most
}

// plainWord is text without everything but letters and digits.
func plainWord(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, s)
}

func hasDigit(s string) bool  { return strings.ContainsFunc(s, unicode.IsDigit) }
func hasLetter(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }

// readingProfile is the text profile that makes whole messages of raw without a
// fault; nil if none or several do.
func readingProfile(all []config.Profile, raw []byte) (found *config.Profile) {
	most := 0
	for i, one := range all {
		if one.Driver != "text" {
			continue
		}
		an, err := analyzerOf(fmt.Sprintf("profile = %q", one.Name))
		if err != nil {
			continue
		}
		if n := readable(an, raw); n > most {
			found, most = &all[i], n
		}
	}
	return found
}

// readable counts what an analyzer's settings read out of raw; 0 if anything of it
// could not be read.
func readable(an config.Analyzer, raw []byte) (n int) {
	for _, k := range kinds() {
		if k.Name != an.Driver {
			continue
		}
		messages, faults := k.Split(raw, an.Section)
		if len(faults) > 0 {
			return 0
		}
		for _, m := range messages {
			reports, err := k.Parse(m.Payload, an.ParseOptions())
			if err != nil || m.Stage != drivers.Complete {
				return 0
			}
			for _, r := range reports {
				if n++; len(r.Problems) > 0 {
					return 0
				}
				n += len(r.Results)
			}
		}
	}
	return n
}

// analyzerOf reads settings as an [[analyzer]] of a configuration that has no
// other.
func analyzerOf(settings string) (config.Analyzer, error) {
	cfg, err := config.Parse("detect.toml", []byte(`[agent]
name = "detect"
data_dir = "detect"
[server]
url = "https://fhir.example.org/R4"
[server.auth]
method = "basic"
username = "u"
password = "not used"
[[analyzer]]
name = "detect"
timezone = "UTC"
serial = { device = "COM3" }
`+settings+"\n"), kinds())
	if err != nil {
		return config.Analyzer{}, err
	}
	return cfg.Analyzers[0], nil
}

// detectedStanza is a table [[analyzer]] for what was found; "" if nothing was.
func detectedStanza(r detect.Result, d detection, known *config.Profile) string {
	if r.Driver == "" {
		return ""
	}
	var b strings.Builder
	name := "analyzer-1"
	if known != nil {
		name = known.Name
	}
	fmt.Fprintf(&b, "[[analyzer]]\nname = %q\n", name)
	if known != nil {
		fmt.Fprintf(&b, "profile = %q\n", known.Name)
	} else {
		fmt.Fprintf(&b, "driver = %q\n", r.Driver)
	}
	b.WriteString(d.link(r) + "\ntimezone = \"Europe/Zurich\" # of the analyzer's clock\n")
	if known != nil {
		return b.String()
	}
	if r.Driver == "text" {
		textTable(&b, r.Options)
		return b.String()
	}
	for i, o := range r.Options {
		if i == 0 {
			fmt.Fprintf(&b, "\n[analyzer.%s]\n", r.Driver)
		}
		fmt.Fprintf(&b, "%s = %s # %s\n", o.Key, o.Value, o.Why)
	}
	return b.String()
}

// link is the stanza's line about the link.
func (d detection) link(r detect.Result) string {
	switch {
	case d.serial != "":
		s := fmt.Sprintf("serial = { device = %q, baud = %d", d.serial, r.Settings.Baud)
		if r.Settings.DataBits != 8 {
			s += fmt.Sprintf(", data_bits = %d", r.Settings.DataBits)
		}
		if r.Settings.Parity != "none" {
			s += fmt.Sprintf(", parity = %q", r.Settings.Parity)
		}
		return s + " }"
	case d.listen != "":
		return fmt.Sprintf("tcp = { listen = %q } # add allow = [\"10.0.5.12\"], the analyzer's address", d.listen)
	case d.connect != "":
		return fmt.Sprintf("tcp = { connect = %q }", d.connect)
	}
	return linkExample("listen")
}

// textTable writes the table of the text driver. The rules that read records can
// only be written by a person; the one here reads none, so that everything is kept
// and parked.
func textTable(b *strings.Builder, options []detect.Option) {
	b.WriteString("\n[analyzer.text]\n")
	var frame []string
	for _, o := range options {
		if key, ok := strings.CutPrefix(o.Key, "frame."); ok {
			frame = append(frame, key+" = "+o.Value)
			continue
		}
		fmt.Fprintf(b, "%s = %s", o.Key, o.Value)
		if o.Why != "" {
			b.WriteString(" # " + o.Why)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "frame = { %s }\n", strings.Join(frame, ", "))
	b.WriteString(`
# Say where specimen, tests and values stand: ` + "`labcourier profiles tosoh-g8`" + ` is an
# example. Until then nothing matches, and every message is kept and parked.
[[analyzer.text.record]]
match = '^nothing matches this$'
layout = "delimited"
delimiter = ","
fields = { specimen = "1", test = "2", value = "3" }
`)
}
