package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"mome/server/access"
)

type serveCommand struct {
	nodeFlags
	ProfileAddr string `hidden:"" env:"-" help:"Loopback address of profiles, see profileListener."`
}

// Help is the longer text of "server serve --help".
func (serveCommand) Help() string {
	return `Serves DICOMweb under /dicom-web, a list of studies under /, a page with the findings and pictures of each under /study/UID, and
the state of every analysis as JSON under /jobs. Nothing else needs to
run: the archive is a folder of DICOM files with an index beside it, which "server reindex" can rebuild from the files.

Without further flags everyone who reaches the node may do everything, and it listens on loopback alone. Beyond that it starts with
access control (--access-file, which "server token" writes, or --oidc-issuer) and TLS, or with flags that say that neither is wanted.
Programs send "Authorization: Bearer TOKEN"; browsers ask for the token's name and the token, and pages and viewer work with them. A
token in a URL is refused. Scopes: read for searches, retrieval and pages, write for storing, workitems and storage commitment,
delete, admin for /metrics; /healthz, OPTIONS and /dicom-web/conformance are open.

Ctrl-C ends it; what was acknowledged is kept, and an analysis that was cut off starts again with the next start.`
}

// Run serves until it is told to end.
func (c *serveCommand) Run(ctx context.Context, log *slog.Logger) error {
	n, err := openNode(ctx, c.nodeFlags, log)
	if err != nil {
		return err
	}
	if c.ProfileAddr != "" {
		if err := listenForProfiles(ctx, c.ProfileAddr); err != nil {
			return errors.Join(err, n.close())
		}
	}
	announce(os.Stdout, n, c.nodeFlags)
	err = n.serve(ctx)
	if e := n.close(); err == nil {
		err = e
	}
	return err
}

// announce says where everything is.
func announce(w io.Writer, n *node, f nodeFlags) {
	fmt.Fprintf(w, `MOME node %s
  status page  %s/
  DICOMweb     %s/dicom-web   (STOW-RS, QIDO-RS, WADO-RS)
  analyses     %s/jobs
  archive      %s
  model        %s
INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE
`, version, n.url(), n.url(), n.url(), f.Data, modelLine(n.analyzer))
	if host, _, err := net.SplitHostPort(n.listener.Addr().String()); err == nil && !access.Loopback(host) && !f.controlled() {
		fmt.Fprintln(w, "This node has no access control: whoever reaches its address can read and store studies.")
	}
}
