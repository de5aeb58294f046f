// Package words says the node's own phrases in the languages of its readers. The key of a phrase is the phrase itself in
// English, a format of package fmt, so that the code that says it reads as what it says; what is not in the tables comes
// out in English. Standard codes are not here: their meanings are the standard's, in English.
//
// Each part of the node keeps its phrases in a file of its own here, named by who says them.
package words

import (
	"fmt"
	"strings"
)

// Language is the primary subtag of a language, RFC 5646. The zero value is English.
type Language string

// The languages that there are tables for.
const (
	English Language = "en"
	Korean  Language = "ko"
	Chinese Language = "zh" // simplified characters
)

// Languages lists all of them, English first.
func Languages() []Language { return []Language{English, Korean, Chinese} }

// Parse returns the language of a tag such as "ko", "ko-KR" or "zh_CN.UTF-8"; ok is false for a language without a table.
func Parse(tag string) (l Language, ok bool) {
	primary, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(tag)), "_", "-"), "-")
	for _, l := range Languages() {
		if primary == string(l) {
			return l, true
		}
	}
	return English, false
}

// Tag returns the language with the region whose spelling the tables follow, as RFC 5646 and DICOM's language item
// (PS3.16 TID 1204) write it: "en-US", "ko-KR", "zh-CN".
func (l Language) Tag() string {
	switch l {
	case Korean:
		return "ko-KR"
	case Chinese:
		return "zh-CN"
	}
	return "en-US"
}

// Name returns what the language calls itself.
func (l Language) Name() string {
	switch l {
	case Korean:
		return "한국어"
	case Chinese:
		return "中文"
	}
	return "English"
}

// Text returns the phrase key in the language, with args in the places of its verbs. Without args the phrase is taken as
// it is, so that a "%" needs no doubling.
func (l Language) Text(key string, args ...any) string {
	phrase := l.phrase(key)
	if len(args) == 0 {
		return phrase
	}
	return fmt.Sprintf(phrase, args...)
}

func (l Language) phrase(key string) string {
	if l != Korean && l != Chinese {
		return key
	}
	for _, table := range tables {
		if p, ok := table[key]; ok {
			if l == Korean {
				return p.ko
			}
			return p.zh
		}
	}
	return key
}

// in is a phrase in the languages beside English. Where their order of words differs, verbs say which argument they take:
// "%[2]d".
type in struct{ ko, zh string }

// tables are all phrases, by who says them. They are never changed.
var tables = [...]map[string]in{codes, report, notes}
