package detect

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/text"
)

// Finding is what bytes say of who sent them.
type Finding struct {
	Driver   string   `json:"driver"`  // "" if nothing came that could be judged
	Framing  string   `json:"framing"` // in words
	Options  []Option `json:"options"` // of the driver's table
	Sender   []string `json:"sender"`  // what the analyzer calls itself, the part that names the model first
	Evidence []string `json:"evidence"`
	Sure     bool     `json:"sure"` // a whole message of the protocol was seen
}

// Option is a setting that the analyzer seems to need.
type Option struct {
	Key   string `json:"key"`
	Value string `json:"value"` // as TOML
	Why   string `json:"why"`
}

func (f *Finding) option(key, value, why string) {
	f.Options = append(f.Options, Option{key, value, why})
}

func (f *Finding) saw(format string, args ...any) {
	f.Evidence = append(f.Evidence, fmt.Sprintf(format, args...))
}

// Look judges bytes that an analyzer sent.
func Look(raw []byte) Finding {
	switch {
	case len(bytes.Trim(raw, "\x00 \t\r\n")) == 0:
		return Finding{Framing: "nothing came"}
	case poctMessage.Match(raw):
		return lookPOCT(raw)
	case hl7Header.Match(raw):
		return lookHL7(raw)
	case hl7Dump.Match(raw):
		f := Finding{Driver: "hl7", Framing: "a dump of MLLP with its control characters written out"}
		f.saw(`MSH behind a written-out \v: not what came over the wire, turn it back into bytes`)
		return f
	case astmDump.Match(raw):
		f := Finding{Driver: "astm", Framing: "a dump of LIS01 (ASTM E1381) frames with their control characters written out"}
		f.saw(`H behind a written-out \x02: not what came over the wire, turn it back into bytes`)
		return f
	}
	if f, ok := lookASTM(raw); ok {
		return f
	}
	return lookText(raw)
}

var (
	poctMessage = regexp.MustCompile(`<(?:[A-Za-z]+:)?[A-Z]{3}\.R\d\d[ \t\r\n/>]`)
	poctDevice  = regexp.MustCompile(`<DEV\.(device_name|model_id|vendor_id|manufacturer_name)\s+V\s*=\s*["']([^"']*)["']`)
	hl7Header   = regexp.MustCompile(`(?:^|[\r\n\x0B\x00-\x1F])\s*(?:MSH|FHS|BHS)([^A-Za-z0-9\s])([^A-Za-z0-9\s\r\n])`)
	hl7Dump     = regexp.MustCompile(`^"?(?:\\v|\\x0[bB]|\\u000[bB]|<VT>)MSH`)
	astmDump    = regexp.MustCompile(`(?:\\x02|<STX>|\[STX\])[0-7]H[^A-Za-z0-9\s]`)
	astmHeader  = regexp.MustCompile(`(?:^|[\r\n\x00-\x1F])[0-7]?H([^A-Za-z0-9\s])[^A-Za-z0-9\s]{1,4}`)
	astmRecord  = regexp.MustCompile(`(?:^|[\r\n\x02])[0-7]?([HPOQRCLM])\|[0-9]*(?:\||[\r\n\x03\x17]|$)`)
)

func lookPOCT(raw []byte) Finding {
	f := Finding{Driver: "poct", Framing: "XML documents back to back", Sure: bytes.Contains(raw, []byte("</"))}
	f.saw("a POCT1-A2 message: %s", bytes.TrimRight(poctMessage.Find(raw), " \t\r\n/>"))
	names := map[string]string{}
	for _, m := range poctDevice.FindAllSubmatch(raw, -1) {
		if names[string(m[1])] == "" {
			names[string(m[1])] = string(m[2])
		}
	}
	for _, key := range []string{"model_id", "device_name", "vendor_id", "manufacturer_name"} {
		if names[key] != "" {
			f.Sender = append(f.Sender, names[key])
		}
	}
	return f
}

// field returns field n of a record or segment, counted as the protocol does.
func field(line []byte, delimiter byte, n int) string {
	parts := bytes.Split(line, []byte{delimiter})
	if n >= len(parts) {
		return ""
	}
	return strings.TrimSpace(string(parts[n]))
}

// lineAt is the text from i to the end of the line.
func lineAt(raw []byte, i int) []byte {
	line := raw[i:]
	if end := bytes.IndexAny(line, "\r\n\x03\x17\x1C"); end >= 0 {
		line = line[:end]
	}
	return line
}

func lookHL7(raw []byte) Finding {
	f := Finding{Driver: "hl7", Framing: "MLLP blocks", Sure: true}
	start, end := bytes.IndexByte(raw, 0x0B) >= 0, bytes.Contains(raw, []byte{0x1C})
	if i := bytes.Index(raw, []byte("MSH")); i >= 0 && i+3 < len(raw) {
		line := lineAt(raw, i)
		f.saw("an MSH segment, message type %s", field(line, raw[i+3], 8))
		for _, n := range []int{3, 2} { // facility, application
			if name := field(line, raw[i+3], n); name != "" {
				f.Sender = append(f.Sender, strings.ReplaceAll(name, "^", " "))
			}
		}
	}
	switch {
	case start && !end:
		f.Sure = false
		f.saw("no end of a block yet")
	case !start:
		f.Framing = "HL7 without the start of MLLP blocks"
		if !end {
			f.Framing = "HL7 without MLLP blocks"
		}
		f.saw("no VT before MSH: a recorder may have left it out; a gateway that eats control characters needs idle_end")
	}
	if bytes.Contains(raw, []byte("\nPID")) || bytes.Contains(raw, []byte("\nOBR")) {
		f.saw("segments end with LF, which is taken as CR is")
	}
	return f
}

// lookASTM judges frames, or else records.
func lookASTM(raw []byte) (Finding, bool) {
	f := Finding{Driver: "astm"}
	strict := astm.Decoder{}
	faults := map[astm.Fault]int{}
	frames, records := 0, 0
	for p := raw; len(p) > 0; {
		n, fr, done := strict.Feed(p)
		p = p[n:]
		if done {
			f.frame(fr, faults, &frames, &records)
		}
	}
	if fr, done := strict.Silence(); done {
		f.frame(fr, faults, &frames, &records)
	}
	header := astmHeader.FindIndex(raw)
	lines := astmRecord.FindAllSubmatch(raw, -1)
	switch {
	case frames > 0 && records > 0:
		f.Framing = "LIS01 (ASTM E1381) frames"
		f.saw("%d frames, %d of them in order", frames, faults[astm.FaultNone])
		f.frameOptions(faults, frames)
		f.Sure = faults[astm.FaultNone] > 0 || len(f.Options) > 0
	case header != nil || len(lines) > 1:
		f.Framing = "LIS02 (ASTM E1394) records without frames"
		f.saw("%d records", len(lines))
		f.option("framing", `"none"`, "records come without frames; leave this out if a recorder took the frames off")
		f.Sure = header != nil
	case bytes.IndexByte(raw, astm.ENQ) >= 0 && bytes.IndexByte(raw, astm.STX) < 0 && len(bytes.Trim(raw, "\x05\x04\x06\r\n")) == 0:
		f.Framing = "ENQ and nothing else: probably LIS01 (ASTM E1381)"
		f.saw("the analyzer asks whether it may send")
	default:
		return f, false
	}
	if header != nil {
		at := bytes.IndexByte(raw[header[0]:], 'H') + header[0]
		line := lineAt(raw, at)
		f.Sender = names(field(line, raw[at+1], 4))
	}
	if bytes.IndexByte(raw, astm.EOT) >= 0 && frames > 0 && !terminated(lines) {
		f.option("end", `"eot"`, "a session ended without an L record")
	}
	return f, true
}

func (f *Finding) frame(fr astm.Frame, faults map[astm.Fault]int, frames, records *int) {
	*frames++
	faults[fr.Fault]++
	if *records == 0 && (astmHeader.Match(fr.Text) || astmRecord.Match(fr.Text)) {
		*records++
	}
}

// frameOptions says what all frames lack.
func (f *Finding) frameOptions(faults map[astm.Fault]int, frames int) {
	for _, o := range []struct {
		fault           astm.Fault
		key, value, why string
	}{
		{astm.FaultLowerCase, "checksum", `"any-case"`, "checksums are in lower-case digits"},
		{astm.FaultNoSum, "checksum", `"none"`, "frames carry no checksum"},
		{astm.FaultNoCRLF, "frame_end", `"any"`, "frames do not end with CR LF"},
		{astm.FaultTooLong, "max_frame", "1048576", "a frame is longer than 64000 bytes"},
	} {
		if faults[o.fault] > 0 && faults[astm.FaultNone] == 0 {
			f.option(o.key, o.value, o.why)
		} else if faults[o.fault] > 0 {
			f.saw("%d frames: %s", faults[o.fault], o.why)
		}
	}
	if n := faults[astm.FaultChecksum]; n > 0 {
		f.saw("the checksum differs in %d of %d frames: noise on the line, or something changed the bytes on their way", n, frames)
	}
}

// terminated reports whether there is an L record.
func terminated(records [][][]byte) bool {
	for _, r := range records {
		if string(r[1]) == "L" {
			return true
		}
	}
	return false
}

// names are the components of a sender field that are words.
func names(s string) (out []string) {
	for part := range strings.SplitSeq(s, "^") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func lookText(raw []byte) Finding {
	f := Finding{Driver: "text"}
	frame, n := text.Guess(raw)
	set := func(key, value string) {
		if value != "" {
			f.option("frame."+key, fmt.Sprintf("%q", value), "")
		}
	}
	set("by", frame.By)
	switch frame.By {
	case "stx-etx":
		f.Framing = "text between STX and ETX"
		if frame.Check != "" {
			f.Framing += ", with a check (" + frame.Check + ")"
		}
	case "line":
		f.Framing = "lines of text"
	default:
		f.Framing = "text without marks, that silence ends"
		f.option("frame.idle", `"500ms"`, "no mark was found that ends a message")
	}
	if len(frame.End) > 0 {
		set("end", "<GS>")
	}
	set("check", frame.Check)
	set("check_form", frame.CheckForm)
	set("check_at", frame.CheckAt)
	set("check_over", frame.CheckOver)
	f.saw("%d frames, of no standard that is known here", n)
	if bytes.IndexByte(raw, 0x05) >= 0 {
		f.option("enquiry", `"<ENQ>"`, "it asks with ENQ whether it may send")
	}
	if frame.By == "stx-etx" {
		f.option("ack", `"<ACK>"`, "most analyzers with STX and ETX wait for an answer; compare its manual")
		f.option("nak", `"<NAK>"`, "")
	}
	return f
}
