package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/client"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/server/jobs"
	"mome/server/report"
)

type demoCommand struct {
	phantomFlags
	modelFlags
	resultFlags
	Addr                 string `default:"127.0.0.1:8080" help:"Address to listen on; port 0 picks a free one and prints it."`
	Data                 string `name:"demo-data" type:"path" placeholder:"DIR" help:"Folder of the archive; default: a new temporary one, removed at the end."`
	WithoutAccessControl bool   `help:"Listen beyond loopback though everyone who reaches the node may then read and store studies, over plain HTTP."`
	Once                 bool   `help:"End when the answer is there; exit status 1 if a planted lesion was missed."`
}

// Help is the longer text of "server demo --help".
func (demoCommand) Help() string {
	return `Starts a node, makes a phantom study, pushes it through STOW-RS over the network as a scanner would, waits for the analysis,
fetches SR and SEG back by WADO-RS, and prints what they say beside what was planted. Then it goes on serving.`
}

// Run shows everything once.
func (c *demoCommand) Run(ctx context.Context, log *slog.Logger) (err error) {
	began := time.Now()
	data := c.Data
	if data == "" {
		if data, err = os.MkdirTemp("", "mome-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(data)
	}
	study, err := phantom.New(c.config())
	if err != nil {
		return err
	}
	flags := nodeFlags{
		modelFlags: c.modelFlags, resultFlags: c.resultFlags, Addr: c.Addr, Data: filepath.Clean(data), Settle: 2 * time.Second,
		Workers: 1, Attempts: 1, MaxInstance: 4096, Serial: "demo", Explain: true,
		accessFlags: accessFlags{WithoutAccessControl: c.WithoutAccessControl, WithoutTLS: c.WithoutAccessControl},
		Viewer:      true, ViewerDir: viewerDir("data"), // where server viewer install puts it unless told otherwise
	}
	n, err := openNode(ctx, flags, quiet(log))
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- n.serve(serving) }()
	announce(os.Stdout, n, flags)
	found, err := c.show(ctx, n, study)
	if err == nil {
		fmt.Printf("\nall of it took %s\n", time.Since(began).Round(100*time.Millisecond))
		if !c.Once {
			fmt.Println("serving; Ctrl-C ends it")
			<-ctx.Done()
		} else if !found {
			err = errors.New("a planted lesion was missed")
		}
	}
	stop()
	return errors.Join(err, <-served, n.close())
}

// quiet leaves the demo's own lines readable: warnings only.
func quiet(log *slog.Logger) *slog.Logger {
	if log.Enabled(context.Background(), slog.LevelDebug) {
		return log
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// show pushes the study, waits for the answer and prints it beside the truth. It reports whether all was found.
func (c *demoCommand) show(ctx context.Context, n *node, study *phantom.Study) (bool, error) {
	fmt.Printf("\nA phantom study: %d instances in the way of %s, with\n", study.Len(), study.Truth.Vendor)
	for k, l := range study.Truth.Lesions {
		fmt.Printf("  planted %d: %s\n", k+1, describePlanted(l))
	}
	remote, err := client.New(client.Config{URL: n.url() + "/dicom-web"})
	if err != nil {
		return false, err
	}
	line, done := newProgressLine(os.Stderr), 0
	sent, err := remote.Store(ctx, instances(study), client.StoreOptions{Progress: func(client.Progress) {
		done++
		line.show("push", float64(done)/float64(study.Len()), fmt.Sprintf("%d of %d instances", done, study.Len()))
	}})
	if err == nil && len(sent.Failures) > 0 {
		err = fmt.Errorf("%d instances were refused, the first: %v", len(sent.Failures), sent.Failures[0])
	}
	if err != nil {
		line.end()
		return false, err
	}
	status, err := await(ctx, n.queue, study.Truth.StudyInstanceUID, line)
	line.end()
	if err != nil {
		return false, err
	}
	answer, err := fetch(ctx, remote, status.Results)
	if err != nil {
		return false, fmt.Errorf("fetch the results: %w", err)
	}
	fmt.Printf("\nThe node's answer, read back from its SR and SEG (analysis: %s):\n", stagesText(status.Stages))
	for _, f := range answer.Findings {
		fmt.Println("  " + describeAnswer(f))
	}
	all := compare(study.Truth.Lesions, answer.Findings)
	fmt.Printf("  page of the study: %s/study/%s\n", n.url(), study.Truth.StudyInstanceUID)
	for _, ref := range append(status.Results.SR, status.Results.SEG...) {
		fmt.Printf("  %s/dicom-web/%s\n", n.url(), ref.Path())
	}
	overlay := ""
	if len(status.Results.SEG) > 0 {
		overlay = status.Results.SEG[0].Series
	}
	if link := n.viewer.Link(n.url()+"/", status.Study, overlay); link != "" {
		fmt.Printf("  in the viewer: %s\n", link)
	}
	fmt.Printf("%s; the weights were trained on %s.\n", report.Disclaimer, n.analyzer.Algorithm().TrainedOn)
	return all, nil
}

// instances yields the phantom's objects as files.
func instances(study *phantom.Study) iter.Seq2[client.Source, error] {
	return func(yield func(client.Source, error) bool) {
		for name, ds := range study.Instances() {
			var b bytes.Buffer
			err := dicom.Write(&b, ds, uid.ExplicitVRLittleEndian)
			if !yield(client.Bytes(name, b.Bytes()), err) || err != nil {
				return
			}
		}
	}
}

// await follows the analysis of a study to its end.
func await(ctx context.Context, q *jobs.Queue, study string, line *progressLine) (jobs.Status, error) {
	for {
		changed := q.Watch()
		s, err := q.Status(ctx, study)
		switch {
		case err != nil && dicomweb.KindOf(err) != dicomweb.NotFound:
			return s, err
		case s.State == jobs.Failed:
			return s, fmt.Errorf("the analysis was given up: %s", s.Reason)
		case s.State == jobs.Done:
			return s, nil
		case s.Stage != "":
			line.show(s.Stage, s.Progress, "")
		default:
			line.show(string(s.State), s.Progress, "")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// fetch retrieves SR and SEG and reads them.
func fetch(ctx context.Context, remote *client.Client, results jobs.Results) (*fusion.Assessment, error) {
	if len(results.SR) == 0 {
		return nil, errors.New("the analysis stored no SR")
	}
	sr, _, err := object(ctx, remote, results.SR[0])
	if err != nil {
		return nil, err
	}
	if len(results.SEG) == 0 {
		return report.Read(sr, nil, nil)
	}
	seg, pixels, err := object(ctx, remote, results.SEG[0])
	if err != nil {
		return nil, err
	}
	return report.Read(sr, seg, pixels)
}

// object retrieves one instance with its Pixel Data, if it has any.
func object(ctx context.Context, remote *client.Client, ref dicomweb.Ref) (ds *dicom.Dataset, pixels []byte, err error) {
	err = remote.Retrieve(ctx, ref, func(p client.Part) error {
		part10, err := io.ReadAll(p)
		if err != nil {
			return err
		}
		f, err := dicom.Scan(bytes.NewReader(part10), int64(len(part10)), dicom.Limits{})
		if err != nil {
			return err
		}
		ds = f.Dataset
		if e := ds.Get(tag.PixelData); e != nil {
			pixels, err = f.Value(e)
		}
		return err
	})
	if err == nil && ds == nil {
		err = errors.New("the answer holds no instance")
	}
	return ds, pixels, err
}

// compare prints which planted lesion each finding is and reports whether all were found. A lesion counts as found when
// a finding's centre lies within half the lesion's long axis of the planted centre, 5 mm at least. Cysts do not
// enhance and are not looked for.
func compare(planted []phantom.Lesion, found []fusion.Finding) bool {
	all := true
	for k, l := range planted {
		best, nearestMM := -1, max(5, l.LongAxisMM/2)
		for n, f := range found {
			if d := f.CentreMM.Sub(volume.Vec(l.CentreMM)).Norm(); d <= nearestMM {
				best, nearestMM = n, d
			}
		}
		switch {
		case best >= 0:
			fmt.Printf("  planted %d (%s) is %s, %.1f mm away\n", k+1, l.Kind, found[best].Label, nearestMM)
		case l.Kind == phantom.Cyst:
			fmt.Printf("  planted %d (cyst) does not enhance and was rightly not called\n", k+1)
		default:
			fmt.Printf("  planted %d (%s) was MISSED\n", k+1, l.Kind)
			all = false
		}
	}
	return all
}

func describeAnswer(f fusion.Finding) string {
	text := fmt.Sprintf("%s: side %s, %.0f mm, %.2f cm3 at (%.0f, %.0f, %.0f) mm", f.Label, f.Side, f.LongAxisMM, f.VolumeCM3,
		f.CentreMM[0], f.CentreMM[1], f.CentreMM[2])
	if f.Probability.Known {
		text += fmt.Sprintf(", malignant %.0f %%", 100*f.Probability.Value)
	}
	for _, c := range f.Contributions {
		text += fmt.Sprintf(", %s %.0f %%", c.Modality, 100*c.Share)
	}
	return text + fmt.Sprintf(", curve %s", f.WorstCurve)
}
