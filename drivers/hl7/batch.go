package hl7

import "bytes"

// cutMessages cuts a block into its messages. A block of one message without an
// envelope is that message, byte for byte. Else each message reaches from its
// MSH to the next MSH, or to a segment of the envelope (FHS, BHS, BTS, FTS),
// which belongs to none.
func cutMessages(block []byte) [][]byte {
	starts, plain := findStarts(block)
	if plain {
		if blank(block) {
			return nil
		}
		return [][]byte{block}
	}
	var out [][]byte
	begin, whole := 0, false // where the message begins, and whether its MSH was seen
	flush := func(end int) {
		if m := bytes.TrimLeft(block[begin:end], "\r\n"); !blank(m) {
			out = append(out, m)
		}
		whole = false
	}
	for _, s := range starts {
		if s.envelope {
			flush(s.at)
			begin = s.at + lineEnd(block[s.at:])
			continue
		}
		if whole { // what stands before a first MSH goes with it
			flush(s.at)
			begin = s.at
		}
		whole = true
	}
	flush(len(block))
	return out
}

// start is where a message, or a segment of an envelope, begins.
type start struct {
	at       int
	envelope bool
}

// findStarts looks at the beginning of each line. The block is plain when it
// holds one message at the most and no envelope.
func findStarts(block []byte) (starts []start, plain bool) {
	messages := 0
	for off := 0; off < len(block); off += max(lineEnd(block[off:]), 1) {
		line := block[off:]
		if len(line) < 3 {
			break
		}
		header := len(line) > 3 && !isAlphanumeric(line[3])
		switch name := string(line[:3]); {
		case name == "MSH" && header:
			starts = append(starts, start{off, false})
			messages++
		case (name == "FHS" || name == "BHS") && header, (name == "BTS" || name == "FTS") && (len(line) == 3 || header):
			starts = append(starts, start{off, true})
		}
	}
	return starts, len(starts) == messages && messages <= 1
}

// lineEnd is where the line after the first of p begins.
func lineEnd(p []byte) int {
	i := bytes.IndexAny(p, "\r\n")
	if i < 0 {
		return len(p)
	}
	return i + 1
}

func blank(p []byte) bool { return len(bytes.Trim(p, "\r\n\x00 \t")) == 0 }
