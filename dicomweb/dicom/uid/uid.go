// Package uid names DICOM's unique identifiers (PS3.6 annex A), checks their form and makes new ones.
package uid

import (
	"crypto/sha256"
	_ "embed"
	"math/big"
	"strings"
	"sync"
)

// Valid reports whether s has the form of a UID: components of digits without leading zeros, joined by dots,
// at most 64 characters, PS3.5 section 9.1.
func Valid(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || len(part) > 1 && part[0] == '0' {
			return false
		}
		for i := range len(part) {
			if part[i] < '0' || part[i] > '9' {
				return false
			}
		}
	}
	return true
}

// From returns the UID that belongs to parts: 2.25 followed by 128 bits of their SHA-256 with the version and
// variant bits of a name-based UUID (PS3.5 annex B.2). The same parts always give the same UID.
func From(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	b := h.Sum(nil)[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return "2.25." + new(big.Int).SetBytes(b).String()
}

// Entry is one row of PS3.6 annex A.
type Entry struct {
	Kind    string // "SOP Class", "Transfer Syntax", "Coding Scheme", ...
	Keyword string
	Name    string
	Retired bool
}

//go:embed uids.tsv
var uidsTSV string

var load = sync.OnceValue(func() map[string]Entry {
	m := make(map[string]Entry, 500)
	for line := range strings.Lines(uidsTSV) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		m[f[0]] = Entry{Kind: f[1], Keyword: f[2], Name: f[3], Retired: len(f) > 4}
	}
	return m
})

// Lookup returns what PS3.6 says of s; ok is false for a UID that it does not list.
func Lookup(s string) (e Entry, ok bool) {
	e, ok = load()[s]
	return e, ok
}

// Storable reports whether instances of a SOP class can be stored: not those that PS3.6 lists for something else, such as
// worklists and printing. Classes that it does not list, of vendors and of later editions, can.
func Storable(class string) bool {
	e, ok := Lookup(class)
	return !ok || e.Kind == "SOP Class" && strings.Contains(e.Name, "Storage") && !strings.Contains(e.Name, "Storage Commitment")
}
