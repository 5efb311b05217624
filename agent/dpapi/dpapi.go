package dpapi

import "errors"

// ErrUnsupported is returned on systems other than Windows.
var ErrUnsupported = errors.New("sealing with DPAPI is for Windows only")
