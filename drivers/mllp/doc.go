// Package mllp finds the blocks of the Minimal Lower Layer Protocol (HL7
// Implementation Guide, MLLP release 1) in a stream of bytes, and makes them. It
// knows nothing of what is in a block.
//
//	VT  message  FS  CR
//	0B    ...    1C  0D
//
// [Decoder] is pure: bytes, silence and a hang-up go in, blocks come out. It does
// no input or output and starts nothing.
//
// # Tolerance
//
// What stands between blocks is ignored; what means that something is wrong
// there is counted. An FS ends a block when CR, LF or the next VT follows, or
// nothing does for [EndTimeout]. An FS before any other byte is part of the
// message: to end there would be to acknowledge half of it.
//
// A VT inside a block begins a new block. What came before is handed out as
// broken, since its sender gave it up.
//
// A serial gateway that eats control characters leaves neither VT nor FS. With
// IdleEnd a block begins with MSH, FHS or BHS too, and ends when the line has
// been silent for so long after a CR or LF. It is off by default: a pause between
// two lines of a message would then cut it in two.
package mllp
