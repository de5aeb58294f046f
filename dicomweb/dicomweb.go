// Package dicomweb holds the nouns that the DICOMweb services share (PS3.18): the reference to a study, series or
// instance, the kinds of error with their HTTP status, and the failure reasons of the Store transaction.
package dicomweb

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mome/dicomweb/dicom/uid"
)

// Ref names a study, series or instance by its UIDs; the levels below what is meant are empty.
type Ref struct{ Study, Series, Instance string }

// Path returns the resource path below the service root: "studies/1.2/series/1.3/instances/1.4".
func (r Ref) Path() string {
	var b strings.Builder
	b.WriteString("studies/" + r.Study)
	if r.Series != "" {
		b.WriteString("/series/" + r.Series)
	}
	if r.Instance != "" {
		b.WriteString("/instances/" + r.Instance)
	}
	return b.String()
}

// Validate returns an error of kind BadRequest when a UID that is given is malformed.
func (r Ref) Validate() error {
	for _, u := range []struct{ level, value string }{{"study", r.Study}, {"series", r.Series}, {"instance", r.Instance}} {
		if u.value != "" && !uid.Valid(u.value) {
			return Errorf(BadRequest, "%s UID is malformed: digits and dots expected, at most 64 characters", u.level)
		}
	}
	return nil
}

// Kind is what a caller can do about an error; each has one HTTP status.
type Kind int

// Kinds of error.
const (
	Internal         Kind = iota // 500, the node's own fault
	BadRequest                   // 400
	NotFound                     // 404
	NotAcceptable                // 406, no representation that the Accept header allows
	Conflict                     // 409
	TooLarge                     // 413
	UnsupportedMedia             // 415
	Unavailable                  // 503, try again later
	Unauthorized                 // 401, no credentials that this node knows
	Forbidden                    // 403, the credentials do not allow it, or a setting does not
	TooMany                      // 429, try again after a while
	Gone                         // 410, was there once
)

// Status returns the HTTP status of the kind.
func (k Kind) Status() int {
	return [...]int{
		http.StatusInternalServerError, http.StatusBadRequest, http.StatusNotFound, http.StatusNotAcceptable,
		http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusServiceUnavailable,
		http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests,
		http.StatusGone,
	}[k]
}

// Error is an error with its kind. Text is for the caller: what is wrong and what to do, without patient data.
type Error struct {
	Kind Kind
	Text string
	Err  error // the cause, if any; not shown to the caller
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an error of kind k.
func Errorf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Text: fmt.Sprintf(format, args...)}
}

// KindOf returns the kind of err, Internal for an error that names none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// FailureReason is a value of FailureReason (0008,1197), PS3.18 annex I.2.2 and PS3.4 table B.2-1.
type FailureReason uint16

// Failure reasons of the Store transaction.
const (
	ProcessingFailure          FailureReason = 0x0110
	DuplicateInstance          FailureReason = 0x0111
	ClassNotSupported          FailureReason = 0x0122
	OutOfResources             FailureReason = 0xA700
	DataSetMismatch            FailureReason = 0xA900 // data set does not match SOP class
	CannotUnderstand           FailureReason = 0xC000
	TransferSyntaxNotSupported FailureReason = 0xC122
	CoercedElements            FailureReason = 0xB000 // a warning reason
	ElementsDiscarded          FailureReason = 0xB006 // a warning reason
	DataSetMismatchWarning     FailureReason = 0xB007 // a warning reason
)
