package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"mome/dicomweb/dicom/uid"
	"mome/server/analysis"
)

// studyFlags name one study.
type studyFlags struct {
	Study string `arg:"" help:"Folder with the DICOM files of one study, or Study Instance UID of a study in the archive."`
	Data  string `default:"data" type:"path" help:"Folder of the archive, for a Study Instance UID; the node must not be running."`
}

// open returns the study's instances. done ends their use.
func (f *studyFlags) open(ctx context.Context, log *slog.Logger) (objects []analysis.Object, done func() error, err error) {
	none := func() error { return nil }
	if info, err := os.Stat(f.Study); err == nil && info.IsDir() {
		objects, err := objectsOf(f.Study)
		return objects, none, err
	}
	if !uid.Valid(f.Study) {
		return nil, none, fmt.Errorf("%s is neither a folder nor a Study Instance UID", f.Study)
	}
	if _, err := os.Stat(f.Data); err != nil {
		return nil, none, fmt.Errorf("no archive in %s (another folder: --data)", f.Data)
	}
	a, err := openArchive(ctx, nodeFlags{Data: f.Data}, log, nil)
	if err != nil {
		return nil, none, err
	}
	objects, _, err = archivedObjects(ctx, a, f.Study)
	if err == nil && len(objects) == 0 {
		err = fmt.Errorf("the archive in %s has no study %s", f.Data, f.Study)
	}
	if err != nil {
		return nil, none, errors.Join(err, a.Close())
	}
	return objects, a.Close, nil
}

// objectsOf lists the DICOM files of dir and says how many files are something else.
func objectsOf(dir string) ([]analysis.Object, error) {
	objects, passedOver, err := analysis.FromDir(dir)
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("%s holds no DICOM file", dir)
	}
	if passedOver > 0 {
		fmt.Fprintf(os.Stderr, "passed over %d files that are not DICOM\n", passedOver)
	}
	return objects, nil
}
