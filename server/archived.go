package main

import (
	"context"
	"fmt"
	"io"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/server/analysis"
)

// archivedObjects returns the instances of a study as stored, without the node's own results, and the instances
// themselves.
func archivedObjects(ctx context.Context, a *archive.Archive, study string) (sources []analysis.Object, all []archive.Instance, err error) {
	all, err = a.Instances(ctx, dicomweb.Ref{Study: study})
	if err != nil {
		return nil, nil, fmt.Errorf("list study %s: %w", study, err)
	}
	for _, i := range all {
		if !i.Result {
			sources = append(sources, archived{ctx, a, i})
		}
	}
	return sources, all, nil
}

// archived is a stored instance.
type archived struct {
	ctx      context.Context
	archive  *archive.Archive
	instance archive.Instance
}

func (s archived) Open() (*dicom.File, io.Closer, error) {
	o, err := s.archive.Open(s.ctx, s.instance)
	if err != nil {
		return nil, nil, err
	}
	f, err := o.File()
	if err != nil {
		o.Close()
		return nil, nil, err
	}
	return f, o, nil
}
