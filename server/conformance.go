package main

import (
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"mome/dicomweb/dicom/uid"
	"mome/server/viewer"
	"mome/server/web"
)

// conformanceCommand prints the conformance statement.
type conformanceCommand struct {
	Format string `enum:"markdown,html" default:"markdown" help:"markdown or html."`
}

// Help is the longer text of "server conformance --help".
func (conformanceCommand) Help() string {
	return `Prints what a node with the default settings conforms to, from the program's own tables: resources, parameters and the tests
that cover them, attributes of searches, SOP classes, transfer syntaxes, limits. A running node has its own statement, with
its settings, at /dicom-web/conformance.`
}

// Run prints it.
func (c *conformanceCommand) Run() error {
	var f nodeFlags
	if err := kong.ApplyDefaults(&f, kong.Vars{"version": version, "ohif": viewer.Version}); err != nil {
		return err
	}
	document := web.Statement(f.site(nil))
	if c.Format == "html" {
		return document.WriteHTML(os.Stdout)
	}
	if err := document.WriteMarkdown(os.Stdout); err != nil {
		return fmt.Errorf("print the statement: %w", err)
	}
	return nil
}

// classesRead are the SOP Classes that an analysis reads.
func classesRead() []string {
	return []string{uid.MRImageStorage, uid.EnhancedMRImageStorage}
}

// classesMade are the SOP Classes of results, some of them by flags only.
func classesMade() []string {
	return []string{
		uid.Comprehensive3DSRStorage, uid.ComprehensiveSRStorage, uid.SegmentationStorage, uid.LabelMapSegmentationStorage, uid.ParametricMapStorage,
		uid.MRImageStorage, uid.SecondaryCaptureImageStorage, uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
	}
}
