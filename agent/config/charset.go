package config

import (
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
)

// charset returns the encoding of that name, nil if there is none that contains
// ASCII.
// The IANA's meaning of a name goes before the browsers', for whom iso-8859-1
// is windows-1252.
func charset(name string) encoding.Encoding {
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil || e == nil {
		switch known := browserName(strings.ToLower(strings.TrimSpace(name))); known {
		case "":
			return nil
		case macCyrillic:
			e = charmap.MacintoshCyrillic
		default:
			if e, err = ianaindex.IANA.Encoding(known); err != nil || e == nil {
				return nil
			}
		}
	}
	// Framing and fields are found in the bytes, before they are decoded.
	const ascii = "\r\n !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
	if same, err := e.NewDecoder().String(ascii); err != nil || same != ascii {
		return nil
	}
	return e
}

// macCyrillic has no IANA name.
const macCyrillic = "x-mac-cyrillic"

// browserName returns the IANA's name for one of the other names that the WHATWG
// Encoding Standard, clause 4.2, gives to an encoding; "" for none. The package
// htmlindex knows them too, and brings the world's languages with it, which is a
// tenth of a megabyte.
func browserName(name string) string {
	for _, e := range [...][2]string{
		{"utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8"},
		{"iso-8859-2", "iso8859-2 iso88592"},
		{"iso-8859-3", "iso8859-3 iso88593"},
		{"iso-8859-4", "iso8859-4 iso88594"},
		{"iso-8859-5", "iso8859-5 iso88595"},
		{"iso-8859-6", "iso8859-6 iso88596"},
		{"iso-8859-7", "iso8859-7 iso88597 sun_eu_greek"},
		{"iso-8859-8", "iso8859-8 iso88598 visual"},
		{"iso-8859-8-i", "logical"},
		{"iso-8859-10", "iso8859-10 iso885910"},
		{"iso-8859-13", "iso8859-13 iso885913"},
		{"iso-8859-14", "iso8859-14 iso885914"},
		{"iso-8859-15", "csisolatin9 iso8859-15 iso885915 l9"},
		{"koi8-r", "koi koi8 koi8_r"},
		{"koi8-u", "koi8-ru"},
		{"macintosh", "x-mac-roman"},
		{"windows-874", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620"},
		{"windows-1250", "cp1250 x-cp1250"},
		{"windows-1251", "cp1251 x-cp1251"},
		{"windows-1252", "ascii cp1252 iso8859-1 iso88591 x-cp1252"},
		{"windows-1253", "cp1253 x-cp1253"},
		{"windows-1254", "cp1254 iso8859-9 iso88599 x-cp1254"},
		{"windows-1255", "cp1255 x-cp1255"},
		{"windows-1256", "cp1256 x-cp1256"},
		{"windows-1257", "cp1257 x-cp1257"},
		{"windows-1258", "cp1258 x-cp1258"},
		{macCyrillic, "x-mac-cyrillic x-mac-ukrainian"},
		{"gbk", "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk"},
		{"big5", "big5-hkscs cn-big5 x-x-big5"},
		{"euc-jp", "x-euc-jp"},
		{"shift_jis", "ms932 shift-jis sjis windows-31j x-sjis"},
		{"euc-kr", "csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949"},
	} {
		for other := range strings.FieldsSeq(e[1]) {
			if other == name {
				return e[0]
			}
		}
	}
	return ""
}
