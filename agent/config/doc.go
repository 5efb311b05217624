// Package config reads the agent's TOML file and says everything that is wrong
// with it at once.
//
//	                        profiles
//	                           |
//	                           v
//	bytes --> document --> reader --> checker --> Config and Warnings
//	          (tree with   (unknown   (ranges,      or
//	           places)      keys,      clashes,    Faults: all of them,
//	                        types)     files,      each with file, line,
//	                                   drivers)    what is wrong, what to do
//
// # The promise
//
// [Load] and [Parse] return either a [Config] that the agent can start with, or
// [Faults] that hold every mistake that could be found, sorted by place. A key
// that nobody reads is a mistake. A mistake is told once: a key that is
// misspelt or of the wrong type is not called missing as well.
//
// No fault and no warning quotes a value of the file, since any value may be a
// secret that was written in the wrong place. Quoted are keys, the names of
// analyzers where they are proper names, and the path of a secret's file that is
// there, in the command that protects it.
//
// # Profiles
//
// An analyzer that names a profile has that profile's defaults put into its
// table before it is read, key by key, also inside of serial and of the driver's
// table. A list is one value. What the file says itself goes before the profile;
// nothing of a profile can be taken away, only set otherwise. The settings of a
// serial line are taken only by an analyzer on one, and those of a driver only by
// one that has it. A fault in a value that a profile gave stands at the line that
// names the profile, and says so. The profiles and their form are the package
// configs.
//
// # Secrets
//
// A secret is named by a file, an environment variable or a systemd credential.
// It is looked for when the file is read, and read when it is used (see
// [Secret]), so that a rotated one is picked up. A secret file must be for the
// service alone (package secretfile). A client's private key and the pair of its
// certificate are read as well, to see whether they can be used.
//
// # Words of the file
//
// Time spans are text with a unit: "30s", "2m", "36h", "30d", "1d12h". Sizes
// are text too: "900KiB", "64MiB", "2GiB" count in steps of 1024, "64MB" in
// steps of 1000. Relative paths start at the file's own folder, not at the
// working directory, which a service does not choose.
//
// The same message within resend_window of the first is the analyzer sending
// again. The window is 30 minutes by default: longer than a computer needs to
// come back with its updates, and far shorter than the day after which an
// analyzer that numbers its specimens from 1 and sends no times may send the
// same bytes for another patient.
//
// # Codes
//
// [LoadCodes] reads the files of [codes], which most commands do not need:
// codes.toml with the same strictness and the same kind of faults, and LIVD
// catalogues, which the package codes knows. A codes.toml that is not there yet
// is a warning, a catalogue that is not there a fault.
//
// # Caveats
//
// After a mistake in the syntax reading goes on where the mistake is confined
// to one line; otherwise nothing after it can be judged, and only what was
// found in the syntax is told.
//
// pelletier/go-toml reads the syntax, because its parser gives the place of
// every key; it also has the last word on what is TOML. Its decoder is not
// used: it stops at the first wrong type.
package config
