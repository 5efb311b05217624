package mllp

// Control characters of MLLP.
const (
	VT = 0x0B // begins a block
	FS = 0x1C // ends it, with CR
	CR = 0x0D
	LF = 0x0A
)

// DefaultMaxBlock is the longest block that is taken by default.
const DefaultMaxBlock = 16 << 20

// Block is what stood in one block, judged.
type Block struct {
	Payload []byte // without VT, FS and CR; valid until the decoder is used again
	Fault   Fault  // FaultNone: the block is whole
}

// Fault says why a block is not whole.
type Fault string

const (
	FaultNone    Fault = ""
	FaultCut     Fault = "a new block began before this one had ended"
	FaultSilence Fault = "nothing came for 60 s in the middle of the block (if FS gets lost on the way: hl7 = { idle_end = \"2s\" })"
	FaultIdle    Fault = "nothing came for idle_end in the middle of a segment"
	FaultHangUp  Fault = "the connection ended in the middle of the block"
	FaultTooLong Fault = "the block is longer than max_block"
)

// AppendBlock appends payload as a block to dst.
func AppendBlock(dst, payload []byte) []byte {
	dst = append(dst, VT)
	dst = append(dst, payload...)
	return append(dst, FS, CR)
}
