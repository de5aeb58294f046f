package stow

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/related"
)

// report gathers what became of the parts of one request.
type report struct {
	study   string // that the request's path names
	refuse  bool   // other content under a stored UID is a failure
	results []result
	broken  error // what ended the body before its end
	full    bool  // nothing more can be stored: no space, or the archive takes nothing now
}

// result is what became of one part. Reason 0 is success; a reason beside an outcome of success is a warning.
type result struct {
	ref      dicomweb.Ref
	class    string
	outcome  archive.Outcome
	reason   dicomweb.FailureReason
	comment  string // at most 64 characters, PS3.5 LO
	tooLarge bool
	syntax   bool // metadata that are malformed
	internal bool // the node's own fault
}

func (r *report) add(res result) {
	if res.outcome == archive.Kept && r.refuse {
		res.outcome, res.reason, res.comment = archive.Failed, dicomweb.DuplicateInstance, "other content is stored under this UID"
	}
	r.results = append(r.results, res)
}

// take notes what became of a part.
func (r *report) take(v verdict) {
	if r.broken == nil {
		r.broken = v.broken
	}
	r.full = r.full || v.full
	r.add(v.result)
}

// unread reports whether nothing was recognised at all.
func (r *report) unread() bool {
	return len(r.results) == 1 && r.results[0].ref.Instance == "" && r.results[0].reason == dicomweb.CannotUnderstand
}

// failure notes why the archive refused a part: PS3.18 table I.2-2.
func (r *result) failure(err error, partType string) {
	r.outcome = archive.Failed
	var format *dicom.FormatError
	switch {
	case errors.Is(err, archive.ErrOtherStudy):
		r.reason, r.comment = dicomweb.ProcessingFailure, "the instance belongs to another study than the request"
	case errors.Is(err, archive.ErrSOPClass):
		r.reason, r.comment = dicomweb.ClassNotSupported, "instances of this SOP class are not stored"
	case errors.Is(err, archive.ErrNoSpace):
		r.reason, r.comment = dicomweb.OutOfResources, "no space left, try again later"
	case errors.As(err, &format):
		r.format(format, partType)
	case dicomweb.KindOf(err) == dicomweb.TooLarge:
		r.reason, r.comment, r.tooLarge = dicomweb.OutOfResources, textOf(err, "larger than this node takes"), true
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
		r.reason = dicomweb.DataSetMismatch
		r.comment = "File Meta Information and data set differ in SOP Class"
	case err.Tag.Keyword() != "" && len(err.Tag.Keyword()+err.Reason) <= 62:
		r.comment = err.Tag.Keyword() + ": " + err.Reason
	}
}

// textOf returns what an error tells the caller, or otherwise.
func textOf(err error, otherwise string) string {
	var known *dicomweb.Error
	if errors.As(err, &known) {
		return known.Text
	}
	return otherwise
}

// overLimit reports whether a body ended since it passed a limit.
func overLimit(err error) bool {
	var maxBytes *http.MaxBytesError
	return errors.As(err, &maxBytes) || dicomweb.KindOf(err) == dicomweb.TooLarge || errors.Is(err, related.ErrParts)
}

// limit names the limit that a body passed.
func (s *Service) limit(err error) string {
	var maxBytes *http.MaxBytesError
	switch {
	case errors.As(err, &maxBytes):
		return fmt.Sprintf("the body is larger than the %d bytes that this node takes", maxBytes.Limit)
	case errors.Is(err, related.ErrParts):
		return fmt.Sprintf("the body has more than the %d parts that this node takes", s.cfg.MaxParts)
	}
	return textOf(err, "the body is larger than this node takes")
}

// reasonOf words what broke a body for the client.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, related.ErrCut), errors.Is(err, io.ErrUnexpectedEOF):
		return "the body was cut short"
	case errors.Is(err, related.ErrParts):
		return "the body has too many parts"
	case overLimit(err):
		return "the body is too large"
	case errors.Is(err, related.ErrMalformed):
		return "no part begins where the boundary says"
	}
	return "the body broke off"
}

// tally counts results.
type tally struct{ stored, failed, kept, replaced, tooLarge, syntax, internal int }

func (r *report) tally() (t tally) {
	for _, res := range r.results {
		if res.outcome == archive.Failed {
			t.failed++
		} else {
			t.stored++
		}
		for _, c := range []struct {
			is bool
			n  *int
		}{
			{res.outcome == archive.Kept, &t.kept}, {res.outcome == archive.Replaced, &t.replaced},
			{res.tooLarge, &t.tooLarge}, {res.syntax, &t.syntax}, {res.internal, &t.internal},
		} {
			if c.is {
				*c.n++
			}
		}
	}
	return t
}

// status returns the HTTP status, PS3.18 table 10.5.3-1.
func (r *report) status() int {
	t := r.tally()
	switch {
	case r.full:
		return http.StatusServiceUnavailable
	case overLimit(r.broken):
		return http.StatusRequestEntityTooLarge
	case r.broken != nil:
		return http.StatusBadRequest
	case t.stored == 0 && t.internal > 0:
		return http.StatusInternalServerError
	case t.stored == 0 && t.tooLarge == t.failed:
		return http.StatusRequestEntityTooLarge
	case t.stored == 0 && t.syntax == t.failed:
		return http.StatusBadRequest
	case t.stored == 0:
		return http.StatusConflict
	case t.failed+t.kept+t.replaced > 0:
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
