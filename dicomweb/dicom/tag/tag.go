// Package tag names DICOM attributes: every tag of PS3.6 and PS3.7 as a constant by its keyword, and the
// dictionary that tells VR, VM and name. It holds facts only; values are package dicom's.
package tag

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Tag is an attribute's group and element number, PS3.5 section 7.1: 0xGGGGEEEE.
type Tag uint32

// New returns the tag (group,element).
func New(group, element uint16) Tag { return Tag(group)<<16 | Tag(element) }

// Group returns the group number.
func (t Tag) Group() uint16 { return uint16(t >> 16) }

// Element returns the element number.
func (t Tag) Element() uint16 { return uint16(t) }

// Private reports whether t is a private attribute (odd group), PS3.5 section 7.8.
func (t Tag) Private() bool { return t.Group()&1 == 1 }

// String returns the form (gggg,eeee).
func (t Tag) String() string { return fmt.Sprintf("(%04X,%04X)", t.Group(), t.Element()) }

// Hex returns the eight upper-case hexadecimal digits that DICOM JSON and QIDO-RS use.
func (t Tag) Hex() string { return fmt.Sprintf("%08X", uint32(t)) }

// Keyword returns the keyword of PS3.6, or "" for a private or unknown tag.
func (t Tag) Keyword() string { return Lookup(t).Keyword }

// Entry is one row of the data dictionary.
type Entry struct {
	VRs     []string // the VRs allowed, the first being the usual one; nil for an unknown tag
	VM      string   // value multiplicity as PS3.6 writes it: "1", "1-n", "3-3n"
	Keyword string
	Name    string
	Retired bool
}

//go:embed dictionary.tsv
var dictionaryTSV string

type repeater struct {
	mask, value Tag
	entry       Entry
}

type dictionary struct {
	byTag     map[Tag]Entry
	byKeyword map[string]Tag
	repeaters []repeater
}

// load parses the embedded dictionary once, on first use.
var load = sync.OnceValue(func() *dictionary {
	d := &dictionary{byTag: make(map[Tag]Entry, 5300), byKeyword: make(map[string]Tag, 5300)}
	for line := range strings.Lines(dictionaryTSV) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		e := Entry{VRs: strings.Split(f[1], "/"), VM: f[2], Keyword: f[3], Name: f[4], Retired: len(f) > 5}
		if strings.Contains(f[0], "x") {
			d.repeaters = append(d.repeaters, repeater{
				mask:  hex(strings.Map(func(r rune) rune { return pick(r == 'x', '0', 'f') }, f[0])),
				value: hex(strings.ReplaceAll(f[0], "x", "0")),
				entry: e,
			})
			continue
		}
		t := hex(f[0])
		d.byTag[t] = e
		d.byKeyword[e.Keyword] = t
	}
	return d
})

func pick(cond bool, yes, no rune) rune {
	if cond {
		return yes
	}
	return no
}

func hex(s string) Tag {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		panic("tag: dictionary row " + strconv.Quote(s))
	}
	return Tag(n)
}

// Lookup returns the dictionary's row for t. Group lengths are UL, private creators LO; repeating groups
// (50xx, 60xx) are resolved. An unknown tag gives the zero Entry.
func Lookup(t Tag) Entry {
	d := load()
	if e, ok := d.byTag[t]; ok {
		return e
	}
	switch {
	case t.Element() == 0:
		return Entry{VRs: []string{"UL"}, VM: "1", Name: "Group Length", Retired: true}
	case t.Private() && t.Element() >= 0x10 && t.Element() <= 0xFF:
		return Entry{VRs: []string{"LO"}, VM: "1", Name: "Private Creator"}
	case t.Private(): // the repeating groups are even
		return Entry{}
	}
	for _, r := range d.repeaters {
		if t&r.mask == r.value {
			return r.entry
		}
	}
	return Entry{}
}

// Parse reads a keyword ("PatientName") or eight hexadecimal digits in any case ("0010000d").
func Parse(s string) (Tag, bool) {
	if t, ok := load().byKeyword[s]; ok {
		return t, true
	}
	if len(s) != 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 16, 32)
	return Tag(n), err == nil
}
