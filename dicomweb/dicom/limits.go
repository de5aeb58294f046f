package dicom

import (
	"fmt"

	"mome/dicomweb/dicom/tag"
)

// Limits bounds what reading one object may cost. A zero field takes its default.
type Limits struct {
	FileSize    int64 // bytes of the file; default 16 GiB
	HeaderBytes int64 // bytes held in memory: values and what describes them; default 128 MiB
	InlineValue int64 // a binary value longer than this stays in the file; default 64 KiB
	TextValue   int64 // any other value longer than this stays in the file; default 4 MiB
	Deferred    int64 // the longest value that File.Value reads into memory; default 2 GiB
	Elements    int   // default 1,000,000
	Depth       int   // of sequences; default 64
	Items       int   // default 500,000
	Fragments   int   // of all encapsulated values; default 1,000,000
	Inflated    int64 // bytes of a deflated data set once inflated, all in memory; default 256 MiB
}

func (l Limits) withDefaults() Limits {
	size := func(n *int64, otherwise int64) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	count := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	size(&l.FileSize, 16<<30)
	size(&l.HeaderBytes, 128<<20)
	size(&l.InlineValue, 64<<10)
	size(&l.TextValue, 4<<20)
	size(&l.Deferred, 2<<30)
	count(&l.Elements, 1_000_000)
	count(&l.Depth, 64)
	count(&l.Items, 500_000)
	count(&l.Fragments, 1_000_000)
	size(&l.Inflated, 256<<20)
	return l
}

// FormatError tells why bytes are no acceptable DICOM object. It never holds a value, so it can be logged.
type FormatError struct {
	Offset int64   // in bytes from the start of File.Body
	Tag    tag.Tag // the attribute concerned, 0 where none is
	Reason string  // one of the Reason constants
}

func (e *FormatError) Error() string {
	if e.Tag == 0 {
		return fmt.Sprintf("dicom: byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("dicom: byte %d: %v %s: %s", e.Offset, e.Tag, e.Tag.Keyword(), e.Reason)
}

// Limit reports whether the object may be sound but costs more than Limits allows.
func (e *FormatError) Limit() bool {
	switch e.Reason {
	case ReasonFileSize, ReasonHeaderBytes, ReasonElements, ReasonDepth, ReasonItems, ReasonFragments,
		ReasonInflated, ReasonDeferred:
		return true
	}
	return false
}

// Reasons of a FormatError.
const (
	ReasonNotDICOM       = "not a DICOM file: neither a preamble with DICM nor File Meta Information"
	ReasonTruncated      = "the file ends inside a data element"
	ReasonLength         = "the length exceeds what contains it"
	ReasonVR             = "no such value representation"
	ReasonUndefined      = "undefined length is not allowed here"
	ReasonDelimiter      = "a delimiter where none belongs"
	ReasonNoDelimiter    = "an undefined length without its delimiter"
	ReasonNoItem         = "a sequence holds something that is no item"
	ReasonDuplicate      = "the attribute occurs twice in one data set"
	ReasonOrder          = "an attribute stands after the pixel data that belongs before it"
	ReasonGroup          = "the group does not belong in a data set"
	ReasonOffsetTable    = "the offset table does not suit the fragments"
	ReasonPixels         = "the pixel data are not encoded as the transfer syntax tells"
	ReasonMeta           = "the File Meta Information is not as PS3.10 tells"
	ReasonTransferSyntax = "the transfer syntax is missing or not one that can be stored"
	ReasonDeflate        = "the deflated data set cannot be inflated"
	ReasonFit            = "longer than its VR can tell"
	ReasonMissing        = "a UID that identifies the object is missing"
	ReasonUID            = "not a valid UID"
	ReasonMismatch       = "the File Meta Information names another SOP Class than the data set"

	ReasonFileSize    = "the file is larger than the limit"
	ReasonHeaderBytes = "the data set needs more memory than the limit"
	ReasonElements    = "more data elements than the limit"
	ReasonDepth       = "sequences nested deeper than the limit"
	ReasonItems       = "more sequence items than the limit"
	ReasonFragments   = "more fragments than the limit"
	ReasonInflated    = "the data set inflates to more than the limit"
	ReasonDeferred    = "the value is longer than the limit"
)
