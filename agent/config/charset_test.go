package config

import (
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

// The browsers' names mean here what they mean there.
func TestBrowserNames(t *testing.T) {
	for _, name := range []string{
		"utf8", "UTF8", " utf8 ", "unicode20utf8", "iso88592", "iso8859-5", "sun_eu_greek", "visual", "logical", "iso885913", "l9", "csisolatin9",
		"koi8", "koi8-ru", "x-mac-roman", "iso885911", "tis-620", "cp1250", "x-cp1251", "ascii", "cp1252", "iso8859-1", "iso88599", "cp1258",
		"x-mac-cyrillic", "x-mac-ukrainian", "gb2312", "chinese", "iso-ir-58", "big5-hkscs", "x-euc-jp", "sjis", "shift-jis", "windows-31j",
		"korean", "ks_c_5601-1987", "windows-949", "iso-2022-kr", "ucs-2", "unicode", "utf-9", "",
	} {
		want, err := htmlindex.Get(name)
		if err != nil {
			want = nil
		}
		if got := charset(name); got != want && asciiInside(name) {
			t.Errorf("%q is %v, and %v to browsers", name, got, want)
		}
	}
	if charset("iso-8859-1") == charset("windows-1252") || charset("latin1") != charset("iso-8859-1") {
		t.Error("the IANA's meaning does not go first")
	}
}

// asciiInside tells whether a name's encoding contains ASCII.
func asciiInside(name string) bool {
	return name != "iso-2022-kr" && name != "ucs-2" && name != "unicode"
}
