// Package wado is the Retrieve transaction, WADO-RS (PS3.18 section 10.4): instances as they were received, in explicit
// VR little endian or compressed without loss, in parts or as a ZIP file; frames, bulk data, pixel data; and metadata.
// What goes out as stored goes out byte for byte; anything else is made on the way and never stored. It renders nothing.
package wado

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/mediatype"
)

// Archive holds the instances; *archive.Archive does.
type Archive interface {
	// Instances lists what lies below ref in a stable order; nothing is an error of kind dicomweb.NotFound.
	Instances(ctx context.Context, ref dicomweb.Ref) ([]archive.Instance, error)
	// Headers calls fn with each of them and its data set without long values.
	Headers(ctx context.Context, ref dicomweb.Ref, fn func(archive.Instance, *dicom.Dataset) error) error
	// Members lists them with little of each; Prepared calls fn for some, in their order, with their prepared metadata,
	// nil where there are none.
	Members(ctx context.Context, ref dicomweb.Ref) ([]index.Member, error)
	Prepared(ctx context.Context, members []index.Member, fn func(m index.Member, metadata []byte) error) error
	// Open opens the stored file.
	Open(ctx context.Context, i archive.Instance) (*archive.Object, error)
}

// Config wires a Service. Archive and BaseURL are needed.
type Config struct {
	Archive Archive
	BaseURL func(*http.Request) string // URL of the service root as the client reaches it, without a slash at its end
	Log     *slog.Logger               // objects that cannot be converted; default: nothing is logged
}

// Service answers retrievals. It is safe for concurrent use.
type Service struct {
	cfg   Config
	known frameCache
}

// New checks cfg.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Archive == nil:
		return nil, errors.New("wado: Config.Archive is missing")
	case cfg.BaseURL == nil:
		return nil, errors.New("wado: Config.BaseURL is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg}, nil
}

// explicitVRBigEndian is retired, so package uid has no name for it; objects in it still come.
const explicitVRBigEndian = "1.2.840.10008.1.2.2"

// one returns the instance that ref names.
func (s *Service) one(ctx context.Context, ref dicomweb.Ref) (archive.Instance, error) {
	list, err := s.cfg.Archive.Instances(ctx, ref)
	if err != nil {
		return archive.Instance{}, err
	}
	return list[0], nil
}

// scan opens an instance and scans it. The caller closes the object.
func (s *Service) scan(ctx context.Context, i archive.Instance) (*archive.Object, *dicom.File, error) {
	o, err := s.cfg.Archive.Open(ctx, i)
	if err != nil {
		return nil, nil, err
	}
	f, err := o.File()
	if err != nil {
		o.Close()
		return nil, nil, fmt.Errorf("wado: scan instance %s: %w", i.Instance, err)
	}
	return o, f, nil
}

// notAcceptable returns the error of a request whose Accept fits none of the offers.
func notAcceptable(offers []mediatype.Offer) error {
	return dicomweb.Errorf(dicomweb.NotAcceptable, "this can be had as: %s", mediatype.List(offers))
}

// both returns the offers as multipart and, where single says so, as single part.
func both(single bool, offers ...mediatype.Offer) []mediatype.Offer {
	out := make([]mediatype.Offer, 0, 2*len(offers))
	for _, o := range offers {
		o.Multipart = true
		out = append(out, o)
	}
	if single {
		out = append(out, offers...)
	}
	return out
}
