package stow

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/related"
)

// report gathers what became of the parts of one request.
type report struct {
	study   string // that the request's path names
	results []*result

	mu     sync.Mutex // of what parts that are stored at the same time set
	broken error      // what ended the body before its end
	full   bool       // the archive has no space
}

// add returns the result of the next part, to be filled by who stores it.
func (r *report) add() *result {
	res := &result{}
	r.results = append(r.results, res)
	return res
}

// end notes that no further part is to be read, and why.
func (r *report) end(broken error, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.broken = broken
	}
	r.full = r.full || full
}

func (r *report) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken != nil || r.full
}

// result is what became of one part. Reason 0 is success; a reason beside an outcome of success is a warning.
type result struct {
	ref      dicomweb.Ref
	class    string
	outcome  archive.Outcome
	reason   dicomweb.FailureReason
	comment  string // at most 64 characters, PS3.5 LO
	tooLarge bool
	internal bool // the node's own fault
}

// failure notes why the archive refused a part: PS3.18 table I.2-2.
func (r *result) failure(err error, partType string) {
	r.outcome = archive.Failed
	var format *dicom.FormatError
	switch {
	case errors.Is(err, archive.ErrOtherStudy):
		r.reason, r.comment = dicomweb.ProcessingFailure, "the instance belongs to another study than the request"
	case errors.Is(err, archive.ErrNoSpace):
		r.reason, r.comment = dicomweb.OutOfResources, "no space left, try again later"
	case errors.As(err, &format):
		r.format(format, partType)
	case dicomweb.KindOf(err) == dicomweb.TooLarge:
		r.reason, r.comment, r.tooLarge = dicomweb.OutOfResources, "larger than this node takes", true
	case dicomweb.KindOf(err) == dicomweb.Unavailable:
		r.reason, r.comment = dicomweb.OutOfResources, "try again later"
	default:
		r.reason, r.comment, r.internal = dicomweb.ProcessingFailure, "the node failed to store it", true
	}
}

// format notes why bytes are no acceptable DICOM object.
func (r *result) format(err *dicom.FormatError, partType string) {
	r.reason, r.comment = dicomweb.CannotUnderstand, err.Reason
	switch {
	case err.Limit():
		r.reason, r.tooLarge = dicomweb.OutOfResources, true
	case err.Reason == dicom.ReasonTransferSyntax:
		r.reason = dicomweb.TransferSyntaxNotSupported
	case err.Reason == dicom.ReasonNotDICOM:
		r.comment = "not a DICOM file"
		if partType != "" && !strings.HasPrefix(strings.ToLower(partType), "application/dicom") {
			r.comment += ", but " + printable(partType)
		}
	case err.Reason == dicom.ReasonMismatch:
		r.comment = "File Meta Information and data set differ in SOP Class"
	case err.Tag.Keyword() != "" && len(err.Tag.Keyword()+err.Reason) <= 62:
		r.comment = err.Tag.Keyword() + ": " + err.Reason
	}
}

// reasonOf words what broke a body for the client.
func reasonOf(err error) string {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, related.ErrCut), errors.Is(err, io.ErrUnexpectedEOF):
		return "the body was cut short"
	case errors.As(err, &tooLarge), dicomweb.KindOf(err) == dicomweb.TooLarge:
		return "the body is too large"
	case errors.Is(err, related.ErrMalformed):
		return "no part begins where the boundary says"
	}
	return "the body broke off"
}

// status returns the HTTP status, PS3.18 table 10.5.3-1.
func (r *report) status() int {
	stored, failed, warned, tooLarge, internal := 0, 0, 0, 0, 0
	for _, res := range r.results {
		switch {
		case res.outcome == archive.Failed:
			failed++
		case res.warning() != 0:
			warned++
			fallthrough
		default:
			stored++
		}
		if res.tooLarge {
			tooLarge++
		}
		if res.internal {
			internal++
		}
	}
	var maxBytes *http.MaxBytesError
	switch {
	case r.full:
		return http.StatusServiceUnavailable
	case errors.As(r.broken, &maxBytes) || dicomweb.KindOf(r.broken) == dicomweb.TooLarge:
		return http.StatusRequestEntityTooLarge
	case r.broken != nil:
		return http.StatusBadRequest
	case stored == 0 && internal > 0:
		return http.StatusInternalServerError
	case stored == 0 && tooLarge == failed:
		return http.StatusRequestEntityTooLarge
	case stored == 0:
		return http.StatusConflict
	case failed > 0 || warned > 0:
		return http.StatusAccepted
	}
	return http.StatusOK
}

// warning returns the WarningReason of an instance that is stored, 0 for none.
func (r *result) warning() dicomweb.FailureReason {
	if r.outcome == archive.Kept || r.outcome == archive.Replaced {
		return dicomweb.CoercedElements
	}
	return 0
}

// errorComment is ErrorComment (0000,0902), PS3.7 annex C.1: a command element, which package tag does not list and
// which no data set holds; the Store Instances Response borrows it.
const errorComment tag.Tag = 0x00000902

// object is a data set in the DICOM JSON Model; keys are tags in hexadecimal, which encoding/json sorts.
type object map[string]attribute

type attribute struct {
	VR    dicom.VR `json:"vr"`
	Value []any    `json:"Value,omitempty"`
}

func (o object) set(t tag.Tag, vr dicom.VR, values ...any) { o[t.Hex()] = attribute{vr, values} }

// json returns the Store Instances Response Module, PS3.18 annex I.2, as DICOM JSON.
func (r *report) json(base string) ([]byte, error) {
	var referenced, failed, other []any
	study, mixed := "", false
	for _, res := range r.results {
		item := res.item()
		if res.outcome == archive.Failed {
			failed = append(failed, item)
			if res.ref.Instance == "" {
				other = append(other, item)
			}
			continue
		}
		item.set(tag.RetrieveURL, dicom.UR, base+"/"+res.ref.Path())
		referenced = append(referenced, item)
		mixed = mixed || study != "" && study != res.ref.Study
		study = res.ref.Study
	}
	answer := object{}
	if study != "" && !mixed {
		answer.set(tag.RetrieveURL, dicom.UR, base+"/"+dicomweb.Ref{Study: study}.Path())
	}
	for _, s := range []struct {
		t     tag.Tag
		items []any
	}{{tag.FailedSOPSequence, failed}, {tag.ReferencedSOPSequence, referenced}, {tag.OtherFailuresSequence, other}} {
		if len(s.items) > 0 {
			answer.set(s.t, dicom.SQ, s.items...)
		}
	}
	return json.Marshal(answer)
}

// item returns the part's item of ReferencedSOPSequence or FailedSOPSequence. A part whose UIDs could not be read
// belongs into OtherFailuresSequence and stands in FailedSOPSequence as well, without UIDs, since many clients look
// nowhere else.
func (r *result) item() object {
	item, comment := object{}, r.comment
	if r.ref.Instance != "" {
		item.set(tag.ReferencedSOPClassUID, dicom.UI, r.class)
		item.set(tag.ReferencedSOPInstanceUID, dicom.UI, r.ref.Instance)
	}
	switch r.outcome {
	case archive.Failed:
		item.set(tag.FailureReason, dicom.US, r.reason)
	case archive.Kept:
		comment = "other content is stored under this UID and was kept"
	case archive.Replaced:
		comment = "other content was stored under this UID and was replaced"
	}
	if w := r.warning(); w != 0 {
		item.set(tag.WarningReason, dicom.US, w)
	}
	if comment != "" {
		item.set(errorComment, dicom.LO, printable(comment))
	}
	return item
}

// printable returns at most 64 characters of s, whole words where it has any, that are safe in a text value and a
// message.
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '\\' {
			return -1
		}
		return c
	}, s)
	if len(s) <= 64 {
		return s
	}
	if space := strings.LastIndexByte(s[:65], ' '); space > 0 {
		return s[:space]
	}
	return s[:64]
}
