package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/stow"
	"mome/dicomweb/ups"
	"mome/server/access"
	"mome/server/analysis"
	"mome/server/delivery"
	"mome/server/jobs"
	"mome/server/viewer"
	"mome/server/web"
	"mome/server/words"
)

// node is a running node: archive, queue and HTTP side.
type node struct {
	archive  *archive.Archive
	analyzer *analysis.Analyzer
	queue    *jobs.Queue
	outbox   *delivery.Outbox
	worklist *ups.Worklist // nil without --workitems
	workitem *performer    // the same
	web      *web.Server
	audit    *access.Audit
	scheme   string // http or https
	viewer   *viewer.Viewer
	listener net.Listener
	log      *slog.Logger
}

// openNode listens, opens the archive and starts queue and outbox, which tell clients where the node is. Serve answers; close ends it.
func openNode(ctx context.Context, f nodeFlags, log *slog.Logger) (n *node, err error) {
	n = &node{log: log, scheme: "http"}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	if err = f.permit(f.Addr); err != nil {
		return n, err
	}
	site := f.site(log)
	if err = f.protect(&site, log); err != nil {
		return n, err
	}
	if n.audit = site.Audit; site.TLS != nil {
		n.scheme = "https"
	}
	if n.listener, err = net.Listen("tcp", f.Addr); err != nil {
		return n, fmt.Errorf("listen on %s: %w (another port: --addr; port 0 picks a free one)", f.Addr, err)
	}
	if n.analyzer, err = newAnalyzer(f.modelFlags, f.Workers, log); err != nil {
		return n, err
	}
	if f.Explain {
		if n.analyzer, err = explaining(n.analyzer); err != nil {
			return n, err
		}
	}
	// The queue is started after the archive that tells it of changes; nothing is stored before both are there.
	changed := func(study string) { n.queue.Changed(study) }
	if n.archive, err = openArchive(ctx, f, log, changed); err != nil {
		return n, err
	}
	if n.outbox, err = delivery.New(delivery.Config{
		Archive: n.archive, Targets: f.targets(), Secret: f.WebhookSecret, Version: version, Log: log,
		Link: func(study string) (page, findings string) {
			page = n.root(f.PublicURL) + "/study/" + study
			return page, page + "/findings.json"
		},
	}); err != nil {
		return n, err
	}
	work := &reader{archive: n.archive, analyzer: n.analyzer, outbox: n.outbox, node: nodeEquipment(f.Serial), results: &f.resultFlags, attempts: f.Attempts, log: log}
	queue := jobs.Config{Archive: n.archive, Settle: f.Settle, Attempts: f.Attempts, Workers: f.Workers, Run: work.run, Log: log}
	if f.Workitems {
		if n.workitem, err = openWorklist(ctx, n.archive, f, &queue); err != nil {
			return n, err
		}
		n.worklist = n.workitem.worklist
	}
	if n.queue, err = jobs.New(queue); err != nil {
		return n, err
	}
	if n.workitem != nil {
		if err = n.workitem.start(n.queue); err != nil {
			return n, err
		}
	}
	if n.viewer, err = viewer.New(f.viewer()); err != nil {
		return n, err
	}
	site.Archive, site.Jobs, site.Deliveries, site.Viewer, site.Model = n.archive, n.queue, n.outbox, n.viewer, modelLine(n.analyzer)
	site.Worklist, site.Forget = n.worklist, n.queue.Forget
	if n.web, err = web.New(site); err != nil {
		return n, err
	}
	n.audit.Started()
	return n, nil
}

// site is what the flags say of the HTTP side, before the node's parts are there.
func (f *nodeFlags) site(log *slog.Logger) web.Config {
	return web.Config{
		Version: version, PublicURL: f.PublicURL, Log: log, Language: words.Language(f.Language),
		AllowDelete: f.AllowDelete, Origins: f.CORSOrigin, TrustForwarded: f.TrustForwarded, MaxRequestBytes: f.MaxRequest << 20,
		Store: stow.Config{MaxParts: f.MaxParts, RefuseDuplicates: f.Duplicates == "refuse", SpoolDir: filepath.Join(f.Data, "incoming")},
		Reads: classesRead(), Makes: classesMade(), MaxInstanceBytes: f.MaxInstance << 20,
	}
}

// openArchive opens the archive of a node; changed may be nil.
func openArchive(ctx context.Context, f nodeFlags, log *slog.Logger, changed func(study string)) (*archive.Archive, error) {
	a, err := archive.Open(ctx, archive.Config{
		Dir: f.Data, MaxInstanceBytes: f.MaxInstance << 20, IsSource: isSource, IsResult: isResult, Replace: f.Duplicates == "replace",
		OnStored: changed, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("open the archive in %s: %w", f.Data, err)
	}
	return a, nil
}

// isSource reports whether an instance is something to read: an MR image that this node did not make.
func isSource(d *dicom.Dataset) bool { return d.String(tag.Modality) == "MR" && !isResult(d) }

// isResult recognises the node's own results, also when they come back from elsewhere.
func isResult(d *dicom.Dataset) bool {
	for _, e := range d.Items(tag.ContributingEquipmentSequence) {
		if e.String(tag.Manufacturer) == analysis.Manufacturer && e.String(tag.ManufacturerModelName) == analysis.Name {
			return true
		}
	}
	return false
}

// url is where the node answers.
func (n *node) url() string { return n.scheme + "://" + n.listener.Addr().String() }

// root is the node's root as clients reach it.
func (n *node) root(publicURL string) string {
	if publicURL == "" {
		return n.url()
	}
	return strings.TrimSuffix(strings.TrimRight(publicURL, "/"), "/dicom-web")
}

// serve answers until ctx ends, then lets requests and analyses come to their end.
func (n *node) serve(ctx context.Context) error { return n.web.Serve(ctx, n.listener) }

// close stops the queue, giving a running analysis a few seconds, and closes the archive.
func (n *node) close() error {
	var err error
	if n.queue != nil {
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if e := n.queue.Stop(grace); e != nil && !errors.Is(e, context.DeadlineExceeded) {
			err = errors.Join(err, e)
		}
	}
	if n.workitem != nil {
		n.workitem.stop()
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, n.worklist.Close(grace))
	}
	if n.outbox != nil {
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, n.outbox.Stop(grace))
	}
	if n.listener != nil {
		n.listener.Close()
	}
	if n.archive != nil {
		err = errors.Join(err, n.archive.Close())
	}
	if n.web != nil {
		n.audit.Stopped()
	}
	return errors.Join(err, n.audit.Close())
}

// modelLine describes the model in one line.
func modelLine(a *analysis.Analyzer) string {
	g := a.Algorithm()
	return fmt.Sprintf("%s %s, weights %s, trained on %s", g.Name, g.Version, g.WeightsSHA256[:12], g.TrainedOn)
}
