package query

import (
	"slices"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// A private attribute is asked for together with its creator: 00230010=AcmeCompany&00231001=x (PS3.18 section
// 10.6.1.2.1). The object may have reserved another block for the creator than the query names (PS3.5 section 7.8.1), so
// that blocks are compared by their creators.

// reservation returns the tag of the private creator that reserves the block of t; ok is false when t is in none.
func reservation(t tag.Tag) (creator tag.Tag, ok bool) {
	if !t.Private() || t.Element() < 0x1000 {
		return 0, false
	}
	return tag.New(t.Group(), t.Element()>>8), true
}

// isCreator reports whether t reserves a block.
func isCreator(t tag.Tag) bool { return t.Private() && t.Element() >= 0x10 && t.Element() <= 0xFF }

// creatorsOf finds the creators that conditions name for the private attributes of a path, nil when they name none.
func creatorsOf(conditions []Condition, path []tag.Tag) []string {
	var creators []string
	for depth, t := range path {
		r, private := reservation(t)
		if !private {
			continue
		}
		for _, c := range conditions {
			if len(c.Path) == depth+1 && c.Path[depth] == r && slices.Equal(c.Path[:depth], path[:depth]) &&
				len(c.Terms) == 1 && c.Terms[0].Op == Equal {
				if creators == nil {
					creators = make([]string, len(path))
				}
				creators[depth] = c.Terms[0].Lo
			}
		}
	}
	return creators
}

// stored returns the element of ds that Path names at depth, nil when ds has none. A creator is found in whatever block
// it has reserved.
func (c Condition) stored(ds *dicom.Dataset, depth int) *dicom.Element {
	t := c.Path[depth]
	if c.creators != nil && c.creators[depth] != "" {
		return ds.Private(c.creators[depth], t.Group(), byte(t.Element()))
	}
	if isCreator(t) && depth == len(c.Path)-1 && len(c.Terms) == 1 && c.Terms[0].Op == Equal {
		if r := reservedBy(ds, t.Group(), c.Terms[0].Lo); r != nil {
			return r
		}
	}
	return ds.Get(t)
}

// reservedBy returns the element by which creator reserves its first block of a group, nil when there is none.
func reservedBy(ds *dicom.Dataset, group uint16, creator string) *dicom.Element {
	for e := range ds.All() {
		if e.Tag.Group() == group && isCreator(e.Tag) && ds.String(e.Tag) == creator {
			return e
		}
	}
	return nil
}

// Private returns the elements of ds that the private attribute t of an answer stands for (Query.Answers): none, or itself
// and the element that reserves its block (PS3.18 section 10.6.3.3).
func (q Query) Private(ds *dicom.Dataset, t tag.Tag) (out []*dicom.Element) {
	c := Condition{Path: []tag.Tag{t}}
	c.creators = creatorsOf(q.Match, c.Path)
	for _, m := range q.Match {
		if len(m.Path) == 1 && m.Path[0] == t {
			c.Terms = m.Terms
		}
	}
	e := c.stored(ds, 0)
	if e == nil {
		return nil
	}
	if r, ok := reservation(e.Tag); ok && ds.Has(r) {
		out = append(out, ds.Get(r))
	}
	return append(out, e)
}
