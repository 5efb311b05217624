// Package text reads analyzers that speak no standard: printer reports, fixed
// width lines, tagged fields, delimited files, XML of a vendor's own. What they
// send is described in the configuration, in the analyzer's text table, and read
// into the same drivers.Report as everything else.
//
// # The description has three parts
//
//	                 frame                message              record
//	bytes --> [where a frame begins, --> [how many      --> [where the fields of --> []drivers.Report
//	           ends, and its check]      frames are one]     each record stand]
//	          frame.go, check.go         link.go            layout.go, report.go
//
// [Frame] cuts the bytes: between two marks, with or without a check, at line
// ends, after a number of bytes, at a silence, or as whole files. [Assembly] joins frames to
// messages where one frame is not the whole of it. Each [Rule] says which records
// it reads, how they are laid out (fixed, delimited, tagged, pattern, xml) and
// what stands where. The stanzas in testdata/*.toml are complete examples: mini
// VIDAS, Tosoh G8, RAPIDLab 348, Sysmex KX-21, a printer of comma separated
// lines, and an XML document.
//
// # What is stored
//
// A message of one frame is stored as the text of that frame. A message of
// several is stored as their texts, each followed by the frame's end mark, so
// that the records can be told apart later.
//
// # What is acknowledged, and when
//
// With ack bytes configured, the ack of the frame that makes a message whole
// leaves only after the message is on stable storage. Where the analyzer ends a
// message with a mark that has no answer, or with silence, every frame is made
// durable, as a draft, before its ack. A refusal is nak, or silence if none is
// configured: either way the analyzer keeps the message.
//
// Without ack bytes nobody is told anything, and such a link cannot promise what
// the others do. While nothing can be stored, what comes is held in memory, up to
// 16 MiB, and storing it is tried again until it succeeds; then nothing more is
// read. The status says how many messages are held. They are lost if the computer
// or the agent dies, and if they still cannot be stored a few seconds after the
// agent was told to stop: that is logged and counted (lost_messages). Where an
// analyzer can be set to wait for an answer, set it so. What came in part only, or
// with a wrong check, is kept as broken, since nobody will send it again.
//
// # Caveats
//
// An analyzer without frame numbers that repeats a frame, because the ack was
// lost, has sent it twice as far as anybody can tell: both are kept. A silence is
// no proof that a message is whole: prefer an end mark wherever there is one.
//
// Values are passed on as sent. Two options say how digits are meant, and set
// Value.Number beside the unchanged Value.Text: decimal = "," for analyzers that
// write a comma for the decimal point, and decimals = n for those that leave the
// point out.
package text
