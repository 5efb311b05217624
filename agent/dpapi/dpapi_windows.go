package dpapi

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// flags: for the computer, and without a window, which a service cannot show.
const flags = windows.CRYPTPROTECT_LOCAL_MACHINE | windows.CRYPTPROTECT_UI_FORBIDDEN

// Seal seals data for this computer. Only Open with the same purpose opens it.
func Seal(data []byte, purpose string) ([]byte, error) {
	if len(data) == 0 {
		return nil, errors.New("seal with DPAPI: there is nothing to seal")
	}
	var out windows.DataBlob
	if err := windows.CryptProtectData(blob(data), nil, blob([]byte(purpose)), 0, nil, flags, &out); err != nil {
		return nil, fmt.Errorf("seal with DPAPI: %w", err)
	}
	return take(out), nil
}

// Open opens what Seal sealed on this computer for that purpose.
func Open(sealed []byte, purpose string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, errors.New("open with DPAPI: there is nothing to open")
	}
	var out windows.DataBlob
	if err := windows.CryptUnprotectData(blob(sealed), nil, blob([]byte(purpose)), 0, nil, flags, &out); err != nil {
		return nil, fmt.Errorf("open with DPAPI: %w; it was sealed on another computer, or is damaged: set the secret again here", err)
	}
	return take(out), nil
}

func blob(b []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(b)), Data: unsafe.SliceData(b)} //nolint:gosec // Windows reads it during the call only
}

// take copies what Windows allocated, and frees it.
func take(b windows.DataBlob) []byte {
	held := unsafe.Slice(b.Data, b.Size) //nolint:gosec // as long as Windows said
	out := append([]byte(nil), held...)
	clear(held)
	_, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(b.Data))) //nolint:gosec // what CryptUnprotectData allocated
	return out
}
