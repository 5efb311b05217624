package configs

import (
	"embed"
	"io/fs"
	"slices"
)

//go:embed labcourier.toml profiles/*.toml
var files embed.FS

// Profiles holds the profiles, each as NAME.toml at the top.
func Profiles() fs.FS {
	sub, err := fs.Sub(files, "profiles")
	if err != nil {
		return files // cannot be: the name is a valid path
	}
	return sub
}

// Example is the example configuration, labcourier.toml.
func Example() []byte {
	text, err := files.ReadFile("labcourier.toml")
	if err != nil {
		return nil // cannot be: it is built in
	}
	return slices.Clone(text)
}
