// Package archive keeps the instances that the node received. The received bytes are the truth; the index beside them
// answers searches and can be rebuilt from the bytes alone (Reindex). An instance is acknowledged only when its bytes
// and its index row would survive a power cut. It knows nothing of HTTP: stow, qido and wado are its callers.
package archive

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/query"
)

// Config tells where the archive is and how it decides. Dir alone is enough.
type Config struct {
	Dir              string // one file system: objects, temporary files, the index
	MaxInstanceBytes int64  // of one instance's file; default 16 GiB
	Limits           dicom.Limits
	IsSource         func(*dicom.Dataset) bool // instances whose arrival changes what an analysis would say; default: all but results
	IsResult         func(*dicom.Dataset) bool // recognises the node's own results when the index is rebuilt; default: none
	Replace          bool                      // other content under a stored SOP Instance UID replaces it, instead of being kept out
	Now              func() time.Time          // default time.Now
	OnStored         func(study string)        // called after a study's revision advanced; must not block
	Log              *slog.Logger              // what start-up repaired; default: nothing is logged
}

// Instance is what the archive knows of a stored instance.
type Instance = index.Instance

// PutOptions qualifies one Put.
type PutOptions struct {
	Study  string // when set, instances of another study are refused with ErrOtherStudy
	Result bool   // the node's own result: never advances the study's revision
	// Taken is called when the reader is at its end and will not be read again; the instance is not stored yet. Who has
	// several instances in one stream goes on with the next meanwhile, so that they share what a durable write costs.
	Taken func()
}

// Outcome is what became of an instance.
type Outcome int

// Outcomes.
const (
	Failed   Outcome = iota // Put returned an error
	Stored                  // new
	Same                    // the same bytes were stored already
	Kept                    // other content is stored under this UID and was kept
	Replaced                // other content was stored under this UID and was replaced
)

// Receipt tells what Put did. On an error it carries the UIDs that could be read.
type Receipt struct {
	Ref      dicomweb.Ref
	SOPClass string
	Outcome  Outcome
}

// Errors of Put, beside *dicom.FormatError for bytes that are no acceptable DICOM object, an error of kind
// dicomweb.TooLarge, and *ReadError.
var (
	ErrOtherStudy = errors.New("archive: the instance belongs to another study")
	ErrNoSpace    = errors.New("archive: no space left")
	ErrSOPClass   = errors.New("archive: instances of the SOP class are not stored")
)

// ReadError is the error of the reader that was given to Put: nothing is known against the archive or the instance.
type ReadError struct{ Err error }

func (e *ReadError) Error() string { return "archive: receive an instance: " + e.Err.Error() }

// Unwrap returns the reader's error.
func (e *ReadError) Unwrap() error { return e.Err }

// Objects keeps received bytes under keys: slash-separated names of letters, digits, dots and hyphens. All methods may
// be called concurrently. Errors wrap fs.ErrNotExist and syscall.ENOSPC where they mean that.
type Objects interface {
	// Stage takes in an object of at most limit bytes that has no key yet. An error of r ends it; more than
	// limit bytes are an error of kind dicomweb.TooLarge. The caller commits or discards what it gets.
	Stage(ctx context.Context, r io.Reader, limit int64) (Staged, error)
	// Open returns the object under key.
	Open(ctx context.Context, key string) (Blob, error)
	// Remove deletes the object under key; that there is none is no error.
	Remove(ctx context.Context, key string) error
	// Walk calls fn for every object whose key lies in the folder under, "" for all, in no particular order, until fn
	// returns an error. A folder that is not there holds nothing.
	Walk(ctx context.Context, under string, fn func(Found) error) error
}

// Found is an object that Walk came across.
type Found struct {
	Key      string
	Size     int64
	Received time.Time // as given to Commit
}

// Staged is an object that was taken in and has no key yet.
type Staged interface {
	io.ReaderAt
	Size() int64
	SHA256() string // lower-case hexadecimal
	// Commit gives the object its key, durably: when it returns nil, the object survives a power cut. An object that
	// had the key is replaced in one step.
	Commit(ctx context.Context, key string, received time.Time) error
	// Discard frees what was taken in, unless it was committed.
	Discard() error
}

// Blob is a stored object, open for reading. It stays readable when it is removed or replaced meanwhile.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Index answers searches over the stored instances. All methods may be called concurrently; what a method returned
// belongs to the caller. Times are in whole microseconds.
type Index interface {
	// Add enters e, in place of an entry under the same SOP Instance UID, and returns when that is durable. Unless the
	// same bytes were entered before, a source advances its study's revision in the same step.
	Add(ctx context.Context, e *index.Entry) error
	// Remove takes instances out by their SOP Instance UIDs; one that is not there is no error. Revisions stay.
	Remove(ctx context.Context, instanceUIDs ...string) error
	// Instance returns the instance with this SOP Instance UID; ok is false when there is none.
	Instance(ctx context.Context, instanceUID string) (i Instance, ok bool, err error)
	// Instances returns what lies below ref, ordered by series number, series, instance number, instance.
	Instances(ctx context.Context, ref dicomweb.Ref) ([]Instance, error)
	// Headers calls fn with the header of each instance below ref, in the order of Instances.
	Headers(ctx context.Context, ref dicomweb.Ref, fn func(Instance, *dicom.Dataset) error) error
	// Members is Instances with little of each. Prepared calls fn for some members, in their order, with what was made
	// of their metadata (index.Entry.Metadata), nil for none and for one that is gone; the bytes are fn's until it returns.
	Members(ctx context.Context, ref dicomweb.Ref) ([]index.Member, error)
	Prepared(ctx context.Context, members []index.Member, fn func(m index.Member, metadata []byte) error) error
	// Each calls fn for every instance in no particular order.
	Each(ctx context.Context, fn func(Instance) error) error
	// Find answers q, see Archive.Find. It calls whole when only an instance's file can tell whether it matches.
	Find(ctx context.Context, q query.Query, whole func(context.Context, Instance) (*dicom.Dataset, error)) (results []*dicom.Dataset, remaining int, err error)
	// Revision returns the study's revision, zero for an unknown study; Revisions calls fn for every study.
	Revision(ctx context.Context, study string) (index.Revision, error)
	Revisions(ctx context.Context, fn func(index.Revision) error) error
	// Rebuild replaces all entries by those that fill adds, in one step at its end; searches see the old ones until
	// then, and what Add enters meanwhile is kept. Fill adds entries in the order in which they were received. Revisions
	// stay; they advance by the sources that were not entered before. A study that has none gets one, see
	// index.Revision.
	Rebuild(ctx context.Context, fill func(add func(*index.Entry) error) error) error
	// Update runs fn in a transaction that writes, View in one that reads a snapshot: the home of what must live in
	// the same database, such as a queue of jobs. An error of fn rolls back.
	Update(ctx context.Context, fn func(*sql.Tx) error) error
	View(ctx context.Context, fn func(*sql.Tx) error) error
	Close() error
}
