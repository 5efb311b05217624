// Package configs holds what is shipped beside the program and built into it:
// the example configuration and the profiles of analyzer models.
//
// labcourier.schema.json is the configuration's JSON Schema, as `labcourier config
// schema` writes it; an editor that is told of it completes and checks keys.
//
// A profile is a file profiles/NAME.toml with two tables. [profile] says which
// model it is for, how that is linked, and what the profile rests on; [analyzer]
// holds the defaults that an [[analyzer]] of the configuration takes over where it
// does not set them itself:
//
//	configs/profiles/roche-cobas-c111.toml          labcourier.toml
//
//	[profile]                                       [[analyzer]]
//	manufacturer = "Roche"                          name = "c111-lab2"
//	model = "cobas c 111"                           profile = "roche-cobas-c111"
//	basis = "verified"                              serial = { device = "COM3" }
//	...                                             timezone = "Europe/Zurich"
//	[analyzer]                     ------------->
//	driver = "astm"                 where the file
//	astm.frame_end = "any"          says nothing
//
// What [profile] may say:
//
//   - manufacturer and model: also the defaults of the analyzer's own keys of
//     those names
//   - family = true: the model stands for others beside it, so that it is no
//     default of the analyzer's model
//   - links: how it can be linked, the usual way first: "serial", "listen" (it
//     connects to this computer), "connect" (this computer connects to it)
//   - basis: "verified" by a capture, "documented" by a public description,
//     "expected" where neither says enough
//   - source: what that is, by name
//   - notes: what to set at the analyzer, and what to know of it
//
// # Caveats
//
// A setting that nobody wrote down is left out of a profile, not guessed; the
// program's default then counts. The speed of a serial line can be changed at
// nearly every analyzer: compare it. No profile knows the laboratory's own rules
// for specimen ids, or the zone of the analyzer's clock.
package configs
