package reader

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// decodeText makes UTF-8 of text in a named charset. Without a name, ISO-2022-JP
// is told by its escapes, and other bytes are taken for UTF-8, or else Windows-1252.
func decodeText(b []byte, charset string) string {
	ascii := true
	for _, c := range b {
		if c >= 0x80 || c == 0x1b {
			ascii = false
			break
		}
	}
	if ascii {
		return string(b)
	}
	if e := charsetOf(b, charset); e != nil {
		if s, err := e.NewDecoder().Bytes(b); err == nil {
			return string(s)
		}
	}
	return utf8Text(string(b))
}

func charsetOf(b []byte, name string) encoding.Encoding {
	name = strings.ToLower(strings.Trim(name, ` "'`))
	switch name {
	case "", "us-ascii", "ascii", "unknown-8bit", "x-unknown", "8bit", "iso-2022-jp", "iso-2022-jp-2", "iso-2022-jp-ms", "cp50220", "cp50221":
		switch {
		case bytes.Contains(b, []byte("\x1b$")) || bytes.Contains(b, []byte("\x1b(J")):
			return japanese.ISO2022JP
		case utf8.Valid(b):
			return nil
		}
		return guessCJK(b)
	case "utf-8", "utf8":
		return nil
	case "gb2312", "gbk", "cp936", "x-gbk", "gb18030":
		return simplifiedchinese.GB18030
	case "hz-gb-2312":
		return simplifiedchinese.HZGB2312
	case "x-sjis", "sjis", "cp932", "windows-31j", "ms_kanji", "shift-jis":
		return japanese.ShiftJIS
	case "ks_c_5601-1987", "cp949", "euckr":
		return korean.EUCKR
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil
	}
	return e
}

// guessCJK tells Shift_JIS and EUC-JP, which unlabelled Japanese bounces use,
// from other 8-bit text: all of it must decode.
func guessCJK(b []byte) encoding.Encoding {
	for _, e := range []encoding.Encoding{japanese.EUCJP, japanese.ShiftJIS} {
		s, err := e.NewDecoder().Bytes(b)
		if err != nil || bytes.ContainsRune(s, utf8.RuneError) {
			continue
		}
		kana := 0
		for _, r := range string(s) {
			if r >= 0x3040 && r < 0x3100 {
				kana++
			}
		}
		if kana > 3 {
			return e
		}
	}
	return nil
}
