package dicom

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"mome/dicomweb/dicom/tag"
)

// privateBlocks are the blocks of private attributes in one data set: who has which, PS3.5 section 7.8.1.
type privateBlocks struct {
	creators map[tag.Tag]string // by the tag of the reservation
	taken    map[tag.Tag]bool   // blocks that have elements, by the same
	first    map[privateCreator]uint16
}

type privateCreator struct {
	group uint16
	name  string
}

// privateAttribute is an element that came with its creator and waits for its block.
type privateAttribute struct {
	e       *Element
	creator string
}

// sayable reports whether a private creator can stand in an XML attribute and come back the same: one value of LO
// (PS3.5 section 6.2).
func sayable(creator string) bool {
	return creator != "" && utf8.RuneCountInString(creator) <= 64 && !strings.ContainsFunc(creator, func(r rune) bool {
		return unicode.IsControl(r) || r == '\\' || r == utf8.RuneError
	})
}

func blocksOf(d *Dataset) *privateBlocks {
	b := &privateBlocks{creators: map[tag.Tag]string{}, taken: map[tag.Tag]bool{}, first: map[privateCreator]uint16{}}
	for e := range d.All() {
		group, elem := e.Tag.Group(), e.Tag.Element()
		switch {
		case !e.Tag.Private():
		case elem > 0xFF:
			b.taken[tag.New(group, elem>>8)] = true
		case elem >= 0x10:
			b.reserve(group, elem, d.String(e.Tag))
		}
	}
	return b
}

func (b *privateBlocks) reserve(group, block uint16, creator string) {
	b.creators[tag.New(group, block)] = creator
	if k := (privateCreator{group, creator}); b.first[k] == 0 {
		b.first[k] = block
	}
}

// free returns a block of group that nobody has, 0 when there is none.
func (b *privateBlocks) free(group uint16) uint16 {
	for block := uint16(0x10); block <= 0xFF; block++ {
		t := tag.New(group, block)
		if _, reserved := b.creators[t]; !reserved && !b.taken[t] {
			return block
		}
	}
	return 0
}

// place puts private attributes into the blocks that their creators have in d, which is sorted, and reserves blocks
// for creators that have none (PS3.19 table A.1.5-2). A tag that names its block keeps it, unless another creator has
// that.
func (p *xmlParser) place(d *Dataset, private []privateAttribute) error {
	if len(private) == 0 {
		return nil
	}
	b := blocksOf(d)
	for _, a := range private {
		group, block := a.e.Tag.Group(), a.e.Tag.Element()>>8
		have, reserved := b.creators[tag.New(group, block)]
		if block < 0x10 || reserved && have != a.creator {
			block = b.first[privateCreator{group, a.creator}]
			if reserved = block != 0; !reserved {
				block = b.free(group)
			}
		}
		if block == 0 {
			return p.bad(a.e.Tag, "no block is free for its private creator")
		}
		if !reserved {
			t := tag.New(group, block)
			if err := p.element(t); err != nil {
				return err
			}
			d.elements = append(d.elements, &Element{Tag: t, VR: LO, Value: padText(LO, a.creator)})
			b.reserve(group, block, a.creator)
		}
		a.e.Tag = tag.New(group, block<<8|a.e.Tag.Element()&0xFF)
		d.elements = append(d.elements, a.e)
	}
	return p.sort(d)
}
