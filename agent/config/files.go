package config

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/labcourier/labcourier/agent/secretfile"
)

const (
	slashHint  = `write it in single quotes, where a backslash is only a backslash: 'C:\ProgramData\labcourier'`
	secretHint = "`labcourier secret set` asks for it and stores it there, for the service's user alone"
)

// filePath checks what is to be a path, and reports whether it can be one.
func (t table) filePath(key, value string) bool {
	switch {
	case value == "":
		t.fault(key, "is empty", "give a path, or remove the key")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		// "C:\temp" holds a tab.
		t.fault(key, "holds a control character: in double quotes a backslash begins an escape", slashHint)
	default:
		return true
	}
	return false
}

// unreadable says why a file cannot be read, in words that follow "a file
// that"; "" if it can. It does not read it.
func unreadable(path string) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case err != nil:
		return "cannot be looked at: " + cause(err)
	case info.IsDir():
		return "is a folder"
	case !info.Mode().IsRegular(): // opening a pipe would wait for its other end
		return "is not a regular file"
	case info.Size() == 0:
		return "is empty"
	}
	f, err := os.Open(path)
	if err != nil {
		return "cannot be read: " + cause(err)
	}
	_ = f.Close()
	return ""
}

// cause is an error of the file system without the path.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return "unknown cause"
}

// secretFile checks that a secret can be read by this program and by nobody
// else.
func (t table) secretFile(key, path string) {
	if !t.filePath(key, path) {
		return
	}
	if problem := unreadable(path); problem != "" {
		t.fault(key, "names a file that "+problem, secretHint)
		return
	}
	if problem, remedy := secretfile.Exposed(path); problem != "" {
		t.fault(key, "names a file that is not for the service alone: "+problem, remedy+"; it must belong to the service's user")
	}
}

// certificates checks a file of certificates; whose says what they are.
func (t table) certificates(key, path, whose string) {
	if !t.filePath(key, path) {
		return
	}
	hint := "name a file with " + whose + " certificate in PEM form (-----BEGIN CERTIFICATE-----)"
	if problem := unreadable(path); problem != "" {
		t.fault(key, "names a file that "+problem, hint)
		return
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxCertificates {
		t.fault(key, "names a file larger than 4 MiB", hint)
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.fault(key, "names a file that cannot be read: "+cause(err), hint)
		return
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		t.fault(key, "names a file without a certificate in PEM form", hint)
	}
}

const maxCertificates = 4 << 20
