//go:build !windows

package dpapi

// Seal returns ErrUnsupported.
func Seal([]byte, string) ([]byte, error) { return nil, ErrUnsupported }

// Open returns ErrUnsupported.
func Open([]byte, string) ([]byte, error) { return nil, ErrUnsupported }
