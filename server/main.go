// Command server is the node: it takes breast MRI studies by STOW-RS, reads them with MOME and stores the answer in
// the same study as DICOM SR and Segmentation. Its sub-commands try, feed, train and repair it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"mome/server/viewer"
)

// version is the software version that results name.
const version = "0.1.0"

const description = `A DICOMweb node that reads breast MRI by itself.

Push a study to http://ADDR/dicom-web/studies by STOW-RS. When it has been quiet for a while the node sorts its series,
lets one expert per modality (DCE, T2, DWI) read its own, fuses what they say, and stores a DICOM SR and a DICOM
Segmentation in the same study.

INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE. The built-in weights were trained on digital phantoms.

Start with:  server demo`

// commands is the command line. Every flag that sets something is also an environment variable, MOME_ and its name.
type commands struct {
	Serve       serveCommand       `cmd:"" default:"withargs" help:"Run the node (the default)."`
	Demo        demoCommand        `cmd:"" help:"Show everything once: start a node, push a phantom study, print what was found."`
	Push        pushCommand        `cmd:"" help:"Push the DICOM files of a folder to a node or PACS by STOW-RS."`
	Analyze     analyzeCommand     `cmd:"" help:"Read a study from a folder or the archive, without a server: SR, SEG and findings.json."`
	Explain     explainCommand     `cmd:"" help:"Tell which role each series of a study plays, and why."`
	Phantom     phantomCommand     `cmd:"" help:"Write a digital breast phantom study with known lesions as DICOM."`
	Train       trainCommand       `cmd:"" help:"Fit a model on labelled studies, or on digital phantoms, and write its weights."`
	Evaluate    evaluateCommand    `cmd:"" help:"Measure weights on labelled studies, or on digital phantoms: tables with intervals, by modality, vendor, site, age."`
	Reindex     reindexCommand     `cmd:"" help:"Rebuild the index of an archive from its files alone."`
	Token       tokenCommand       `cmd:"" help:"Make a token that lets a scanner, PACS or person in."`
	Conformance conformanceCommand `cmd:"" help:"Print the DICOM conformance statement."`
	Viewer      viewerCommand      `cmd:"" help:"Install the OHIF viewer for the node to serve, or remove it."`
	Weights     weightsCommand     `cmd:"" help:"Import, show, verify and export weights."`
	Model       modelCommand       `cmd:"" help:"Run the network on volumes from files."`
	Bench       benchCommand       `cmd:"" help:"Measure time and memory of the network and of reading a study, and detection on phantoms."`
	Doctor      doctorCommand      `cmd:"" help:"Tell what this machine offers: processor, memory, CUDA devices."`

	LogFormat string           `enum:"text,json" default:"text" help:"Log as text or json."`
	Verbose   bool             `short:"v" help:"Log every request too."`
	Version   kong.VersionFlag `env:"-" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run is main with its parts passed in; it returns the exit status: 0, 1 for a failure, 2 for a wrong command line.
func run(ctx context.Context, args []string) int {
	var c commands
	parser, err := kong.New(&c,
		kong.Name("server"),
		kong.Description(description),
		kong.DefaultEnvars("MOME"),
		kong.Vars{"version": version, "ohif": viewer.Version},
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "server: %v (see server --help)\n", err)
		return 2
	}
	if err := command.Run(newLogger(c.LogFormat, c.Verbose)); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "server:", err)
		return 1
	}
	return 0
}

func newLogger(format string, verbose bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		options.Level = slog.LevelDebug
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
