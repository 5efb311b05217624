package hl7

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// charset is what MSH-18 says of a message's text.
type charset struct {
	enc   encoding.Encoding // nil: the site's, or what the bytes look like
	known bool
}

// readCharset reads the first repetition of MSH-18. Spelling does not matter:
// analyzers write "UNICODE UTF-8", "UNICODE?UTF-8", "utf8", "8859/1", "ISO8859-1".
// ASCII and UNICODE say too little (many that declare them send something
// else), and mean the same as nothing.
func readCharset(msh18 string) charset {
	name := squeeze(msh18)
	if enc, ok := charsets[name]; ok {
		return charset{enc, true}
	}
	if part, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "ISO"), "IEC"), "8859"); ok {
		n, err := strconv.Atoi(part)
		if enc := latin(n); err == nil && enc != nil {
			return charset{enc, true}
		}
	}
	return charset{}
}

// squeeze keeps letters, in upper case, and digits.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// charsets are the squeezed names of HL7 table 0211, and what is met instead.
var charsets = map[string]encoding.Encoding{
	"": nil, "ASCII": nil, "USASCII": nil, "ISOIR6": nil, "ISO646": nil, "UNICODE": nil, "UNICOD": nil, "NA": nil,

	"UTF8": unicode.UTF8, "UNICODEUTF8": unicode.UTF8, "UNICODUTF8": unicode.UTF8, "ISO10646UTF8": unicode.UTF8, "ISOIR192": unicode.UTF8,

	"LATIN1": charmap.ISO8859_1, "ISOIR100": charmap.ISO8859_1, "ISOIR101": charmap.ISO8859_2,
	"ISOIR144": charmap.ISO8859_5, "ISOIR126": charmap.ISO8859_7, "ISOIR148": charmap.ISO8859_9,

	"GB180302000": simplifiedchinese.GB18030, "GB18030": simplifiedchinese.GB18030, "GB180302005": simplifiedchinese.GB18030,
	"GBK": simplifiedchinese.GB18030, "GB2312": simplifiedchinese.GB18030, "CP936": simplifiedchinese.GB18030,

	"BIG5": traditionalchinese.Big5, "CP950": traditionalchinese.Big5,
	"KSX1001": korean.EUCKR, "KSC5601": korean.EUCKR, "EUCKR": korean.EUCKR, "CP949": korean.EUCKR,
	"SHIFTJIS": japanese.ShiftJIS, "SJIS": japanese.ShiftJIS, "MS932": japanese.ShiftJIS, "CP932": japanese.ShiftJIS, "WINDOWS31J": japanese.ShiftJIS,
	"ISOIR13": japanese.ShiftJIS, "ISOIR14": japanese.ShiftJIS, // JIS X 0201, which Shift-JIS contains
	"ISOIR87": japanese.ISO2022JP, "ISOIR159": japanese.ISO2022JP, "ISO2022JP": japanese.ISO2022JP, "EUCJP": japanese.EUCJP,

	"KOI8R": charmap.KOI8R, "KOI8U": charmap.KOI8U, "TIS620": charmap.Windows874, "CP874": charmap.Windows874, "WINDOWS874": charmap.Windows874,

	"ANSI":   charmap.Windows1252,
	"CP1250": charmap.Windows1250, "WINDOWS1250": charmap.Windows1250, "WIN1250": charmap.Windows1250,
	"CP1251": charmap.Windows1251, "WINDOWS1251": charmap.Windows1251, "WIN1251": charmap.Windows1251,
	"CP1252": charmap.Windows1252, "WINDOWS1252": charmap.Windows1252, "WIN1252": charmap.Windows1252,
	"CP1253": charmap.Windows1253, "WINDOWS1253": charmap.Windows1253, "WIN1253": charmap.Windows1253,
	"CP1254": charmap.Windows1254, "WINDOWS1254": charmap.Windows1254, "WIN1254": charmap.Windows1254,
	"CP1255": charmap.Windows1255, "WINDOWS1255": charmap.Windows1255, "WIN1255": charmap.Windows1255,
	"CP1256": charmap.Windows1256, "WINDOWS1256": charmap.Windows1256, "WIN1256": charmap.Windows1256,
	"CP1257": charmap.Windows1257, "WINDOWS1257": charmap.Windows1257, "WIN1257": charmap.Windows1257,
	"CP1258": charmap.Windows1258, "WINDOWS1258": charmap.Windows1258, "WIN1258": charmap.Windows1258,
}

// latin returns ISO 8859-n.
func latin(n int) encoding.Encoding {
	all := [...]encoding.Encoding{
		1: charmap.ISO8859_1, 2: charmap.ISO8859_2, 3: charmap.ISO8859_3, 4: charmap.ISO8859_4,
		5: charmap.ISO8859_5, 6: charmap.ISO8859_6, 7: charmap.ISO8859_7, 8: charmap.ISO8859_8,
		9: charmap.ISO8859_9, 10: charmap.ISO8859_10, 11: charmap.Windows874, 13: charmap.ISO8859_13,
		14: charmap.ISO8859_14, 15: charmap.ISO8859_15, 16: charmap.ISO8859_16,
	}
	if n < 1 || n >= len(all) {
		return nil
	}
	return all[n]
}

// decoder returns how to read a message's bytes, given the site's character set.
func (c charset) decoder(site encoding.Encoding) func([]byte) string {
	switch {
	case c.enc == unicode.UTF8:
		return func(raw []byte) string { // some declare it and do not send it
			if utf8.Valid(raw) {
				return string(raw)
			}
			return charset{}.decoder(site)(raw)
		}
	case c.enc != nil:
		return func(raw []byte) string { return decodeAll(c.enc, raw) }
	case site != nil:
		return func(raw []byte) string { return decodeAll(site, raw) }
	}
	return func(raw []byte) string {
		if utf8.Valid(raw) {
			return string(raw)
		}
		return decodeAll(charmap.ISO8859_1, raw)
	}
}

// decodeAll decodes raw; bytes that mean nothing become U+FFFD and are seen.
func decodeAll(enc encoding.Encoding, raw []byte) string {
	text, err := enc.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return strings.ToValidUTF8(string(text), "\uFFFD")
}
