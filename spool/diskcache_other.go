//go:build !linux

package spool

import "os"

// dropCache has no equivalent here. Windows keeps a page dirty until it could
// be written, so that what is read back is what will be on disk.
func dropCache(*os.File) error { return nil }
