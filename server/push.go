package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"mome/dicomweb/client"
)

type pushCommand struct {
	Dir      string `arg:"" type:"existingdir" help:"Folder with DICOM files; other files are passed over."`
	To       string `default:"http://127.0.0.1:8080/dicom-web" placeholder:"URL" help:"Root of the DICOMweb services to push to."`
	Parallel int    `default:"4" help:"Uploads at the same time."`
	Token    string `placeholder:"TEXT" help:"Bearer token of the other side. Better given as MOME_TOKEN."`
}

// Help is the longer text of "server push --help".
func (pushCommand) Help() string {
	return `Each file is sent as it is. A server that is busy is tried again; what it refuses is listed with its reason, and the exit status is
1 then.`
}

// bearer is the header that presents a token; "" is none.
func bearer(token string) http.Header {
	if token == "" {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

// Run pushes the folder.
func (c *pushCommand) Run(ctx context.Context) error {
	remote, err := client.New(client.Config{URL: c.To, Parallel: c.Parallel, Header: bearer(c.Token)})
	if err != nil {
		return err
	}
	line, began := newProgressLine(os.Stderr), time.Now()
	files := 0
	for range client.Folder(c.Dir) {
		files++
	}
	done := 0
	report, err := remote.Store(ctx, client.Folder(c.Dir), client.StoreOptions{Progress: func(p client.Progress) {
		done++
		line.show("push", float64(done)/float64(max(files, 1)), fmt.Sprintf("%d of %d files", done, files))
	}})
	line.end()
	for _, p := range report.Warnings {
		fmt.Fprintln(os.Stderr, "warning:", p)
	}
	for _, p := range report.Failures {
		fmt.Fprintln(os.Stderr, "refused:", p)
	}
	took := time.Since(began)
	fmt.Printf("stored %d files, %.1f MB in %s; %d refused, %d not DICOM\n", report.Stored, float64(report.Bytes)/1e6,
		took.Round(10*time.Millisecond), len(report.Failures), len(report.Skipped))
	for _, s := range report.Studies {
		fmt.Printf("  %s/studies/%s\n", c.To, s)
	}
	switch {
	case err != nil:
		return err
	case len(report.Failures) > 0:
		return fmt.Errorf("%d files were refused", len(report.Failures))
	case report.Stored == 0:
		return errors.New("nothing was stored: the folder holds no DICOM file")
	}
	return nil
}
