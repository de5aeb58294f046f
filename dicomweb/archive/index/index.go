// Package index is what an archive's index knows of an instance, and how that follows from its data set: the facts
// that services need, the attributes of each level by query's table, and the header, from which other keys are matched
// and answered without opening a file. It knows nothing of databases or files; each form of the index stores an Entry.
package index

import (
	"math"
	"strconv"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/prepared"
	"mome/dicomweb/query"
)

// Instance is what the archive knows of a stored instance.
type Instance struct {
	dicomweb.Ref
	SOPClass       string
	TransferSyntax string // as stored
	Size           int64  // bytes of the file
	SHA256         string // of the file, lower-case hexadecimal
	Frames         int    // at least 1 for an image, 0 for an object without pixel data
	Rows, Columns  int    // pixels; 0 for an object without them
	Modality       string
	SeriesNumber   int       // 0 when absent
	Number         int       // Instance Number, 0 when absent
	Received       time.Time // UTC, whole microseconds
	Source         bool      // counts as input of an analysis, see archive.Config.IsSource
	Result         bool      // an object that this node made
	Key            string    // of the object store
}

// Entry is all that the index keeps of one instance.
type Entry struct {
	Instance
	// Attributes of query's table at each level, little endian and UTF-8; absent ones are left out.
	Study, Series, Self *dicom.Dataset
	// Header is the whole data set, little endian and UTF-8; what is long was left in the file (dicom.Element.Deferred).
	Header *dicom.Dataset
	// Metadata are those of WADO-RS as package prepared encodes them; nil where they are too long for it.
	Metadata []byte
}

// Member is an instance below a study or series, as far as it takes to tell whether anything changed.
type Member struct {
	ID     int64 // of the index, for Prepared, as long as the instance is there
	UID    string
	SHA256 string
}

// New describes the scanned file f under its UIDs, as Ref returned them.
func New(f *dicom.File, ref dicomweb.Ref, sopClass string) *Entry {
	h := header(f)
	e := &Entry{Header: h}
	e.Ref, e.SOPClass, e.TransferSyntax = ref, sopClass, f.TransferSyntax
	e.Modality = h.String(tag.Modality)
	e.SeriesNumber, e.Number = number(h, tag.SeriesNumber), number(h, tag.InstanceNumber)
	e.Rows, e.Columns = h.IntOr(tag.Rows, 0), h.IntOr(tag.Columns, 0)
	if h.Has(tag.PixelData) || h.Has(tag.FloatPixelData) || h.Has(tag.DoubleFloatPixelData) {
		e.Frames = max(1, number(h, tag.NumberOfFrames))
	}
	h.Set(tag.AvailableTransferSyntaxUID, f.TransferSyntax)
	e.Study, e.Series, e.Self = Levels(h)
	e.Metadata, _ = prepared.Append(nil, func(base string) ([]byte, error) { // what fails now fails again when asked for
		return AppendMetadata(nil, f, h, base, ref)
	})
	return e
}

// AppendMetadata appends the metadata of an instance (PS3.18 section 10.4.1.1.2) to dst, with bulk data at base. They are
// made from its header, unless something that JSON holds as a value was too long for that: then from the file f.
func AppendMetadata(dst []byte, f *dicom.File, header *dicom.Dataset, base string, ref dicomweb.Ref) ([]byte, error) {
	prefix := base + "/" + ref.Path() + "/bulkdata/"
	opt := dicom.JSONOptions{BulkDataURI: func(path string, _ *dicom.Element) string { return prefix + path }}
	if complete(header) {
		return dicom.AppendJSON(dst, header, opt)
	}
	return f.AppendJSON(dst, opt)
}

// complete reports whether only opaque values were left out of a header.
func complete(header *dicom.Dataset) bool {
	for e := range header.All() {
		if e.Deferred() && !e.VR.Opaque() {
			return false
		}
	}
	return true
}

// Levels returns the attributes of query's table that a header has, by level.
func Levels(h *dicom.Dataset) (study, series, self *dicom.Dataset) {
	levels := [...]*dicom.Dataset{query.Study: dicom.New(), query.Series: dicom.New(), query.Instance: dicom.New()}
	for _, a := range query.Attributes() {
		if e := h.Get(a.Tag); e != nil && !a.Computed && !empty(e) {
			levels[a.Level].Put(e)
		}
	}
	for _, ds := range levels {
		declareUTF8(ds)
	}
	return levels[query.Study], levels[query.Series], levels[query.Instance]
}

// number returns an IS that fits the index, otherwise 0.
func number(ds *dicom.Dataset, t tag.Tag) int {
	if n, ok := ds.Int(t); ok && math.Abs(float64(n)) <= math.MaxInt32 {
		return n
	}
	return 0
}

func empty(e *dicom.Element) bool { return len(e.Value) == 0 && len(e.Items) == 0 && !e.Deferred() }

// Column returns the attribute's first value in the form in which query's terms compare; a name stands between "=",
// so that a component group can be found as "=group=".
func Column(ds *dicom.Dataset, t tag.Tag) string {
	e := ds.Get(t)
	if e == nil || len(e.Value) == 0 {
		return ""
	}
	v := query.Canonical(e.VR, ds.String(t))
	if e.VR == dicom.PN && v != "" {
		return "=" + v + "="
	}
	return v
}

// Merge adds to have the attributes that it lacks: what a study or series says is what its first instance said, and
// later ones fill the gaps. It reports whether that changed have.
func Merge(have, more *dicom.Dataset) bool {
	changed := false
	for e := range more.All() {
		if !have.Has(e.Tag) {
			have.Put(e)
			changed = true
		}
	}
	return changed
}

// Answer puts the attributes of one level into an answer to q: those of wanted (query.Query.Answers) that the level's data
// set knows, an element without a value for those that every answer has, and all if that is asked for.
func Answer(out *dicom.Dataset, q query.Query, wanted []tag.Tag, all bool, from *dicom.Dataset) {
	if all {
		for e := range from.All() {
			if e = held(e); e != nil {
				out.Put(e)
			}
		}
	}
	for _, t := range wanted {
		if t.Private() {
			for _, e := range q.Private(from, t) {
				if e = held(e); e != nil {
					out.Put(e)
				}
			}
		} else if e := held(from.Get(t)); e != nil {
			out.Put(e)
		} else if a, _ := query.Lookup(t); a.Answer == query.Always && !out.Has(t) {
			out.Set(t)
		}
	}
	if cs := from.Get(tag.SpecificCharacterSet); cs != nil {
		out.Put(cs)
	}
}

// held returns e without what was left in the file, at any depth; nil when that is all of it or e is nil.
func held(e *dicom.Element) *dicom.Element {
	switch {
	case e == nil || e.Deferred():
		return nil
	case !lacking(e):
		return e
	}
	c := &dicom.Element{Tag: e.Tag, VR: e.VR}
	for _, item := range e.Items {
		n := dicom.New()
		for child := range item.All() {
			if child = held(child); child != nil {
				n.Put(child)
			}
		}
		c.Items = append(c.Items, n)
	}
	return c
}

// lacking reports whether something inside e was left in the file.
func lacking(e *dicom.Element) bool {
	for _, item := range e.Items {
		for child := range item.All() {
			if child.Deferred() || lacking(child) {
				return true
			}
		}
	}
	return false
}

// NeedsHeader reports whether q can be decided and answered only with the instances' headers: their attributes
// outside the table are matched or wanted.
func NeedsHeader(q query.Query) bool {
	if q.Level == query.Instance && q.IncludeAll {
		return true
	}
	outside := func(t tag.Tag) bool { _, ok := query.Lookup(t); return !ok }
	for _, c := range q.On(query.Instance) {
		if outside(c.Path[0]) {
			return true
		}
	}
	for _, t := range q.Include {
		if q.Level == query.Instance && outside(t) {
			return true
		}
	}
	return false
}

// SetCount puts a computed number (an IS) into an answer.
func SetCount(ds *dicom.Dataset, t tag.Tag, n int) { ds.Set(t, strconv.Itoa(n)) }

// Revision counts the changes of a study that an analysis would have to look at: the sources that were newly stored
// or replaced in it.
type Revision struct {
	Study    string
	Revision int64
	Changed  time.Time // when the revision last advanced; zero for an unknown study
	// Answered is the revision that the study's own results answer, as far as the objects tell: when an index is
	// rebuilt from nothing, the sources that were received before the newest result. It stands in for what a queue
	// that was lost with the index knew, so that losing it does not analyse the whole archive again.
	Answered int64
}
