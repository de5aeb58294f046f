package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/fusion"
	"mome/server/analysis"
	"mome/server/delivery"
	"mome/server/jobs"
	"mome/server/page"
	"mome/server/report"
)

// reader is what the queue runs: it reads a stored study and stores the answer beside it.
type reader struct {
	archive  *archive.Archive
	analyzer *analysis.Analyzer
	outbox   *delivery.Outbox
	node     iod.Equipment
	results  *resultFlags
	attempts int // after which an error becomes the answer
	log      *slog.Logger
}

// run analyses the study of a job. Doing it twice for one revision stores the same objects, so they are stored once.
func (r *reader) run(ctx context.Context, job jobs.Job, progress func(stage string, fraction float64)) (jobs.Result, error) {
	sources, stored, err := archivedObjects(ctx, r.archive, job.Study)
	if err != nil {
		return jobs.Result{}, err
	}
	reading, err := r.analyzer.Read(ctx, sources, func(stage string, fraction float64) { progress(stage, 0.97*fraction) })
	switch {
	case ctx.Err() != nil:
		return jobs.Result{}, ctx.Err()
	case err != nil && job.Attempt < r.attempts:
		return jobs.Result{}, err
	case err != nil:
		// The last attempt: a study without an answer must not look like one without findings.
		failed := fmt.Errorf("analysis failed: %w", err)
		reading = &analysis.Reading{Assessment: r.analyzer.NotDone(job.Study, "ERROR", "the analysis failed; the node's log tells why")}
		result, err := r.store(ctx, job, reading, stored, progress)
		if err != nil {
			return jobs.Result{}, errors.Join(failed, err)
		}
		return result, jobs.Permanent(failed)
	}
	return r.store(ctx, job, reading, stored, progress)
}

// store writes SR and SEG of a reading into the study.
func (r *reader) store(ctx context.Context, job jobs.Job, reading *analysis.Reading, stored []archive.Instance, progress func(string, float64)) (jobs.Result, error) {
	progress("report", 0.97)
	source := r.results.source(r.node, lastReceived(stored))
	source.Digests = map[string]string{}
	for _, i := range stored {
		switch {
		case !i.Result:
			source.Digests[i.Instance] = i.SHA256
		case i.SOPClass == uid.Comprehensive3DSRStorage, i.SOPClass == uid.ComprehensiveSRStorage:
			source.Predecessors = append(source.Predecessors, iod.Instance{StudyUID: i.Study, SeriesUID: i.Series, SOPClassUID: i.SOPClass, SOPInstanceUID: i.Instance})
		}
	}
	if len(reading.Headers) == 0 {
		var err error
		if source.Headers, err = r.anyHeader(ctx, stored); err != nil {
			return jobs.Result{}, err
		}
	}
	objects, err := r.results.build(ctx, reading, source)
	if err != nil {
		return jobs.Result{}, err
	}
	if err := page.Keep(ctx, r.archive, job.Study, reading, report.Disclaimer); err != nil {
		if ctx.Err() != nil {
			return jobs.Result{}, ctx.Err()
		}
		r.log.Error("the page of a study lacks something", "study", job.Study, "err", err) // the results do not
	}
	progress("store", 0.99)
	result := jobs.Result{Summary: summary(reading), NotDone: notDone(reading)}
	item := delivery.Item{Study: job.Study, Revision: job.Revision, Outcome: string(reading.Assessment.Outcome)}
	for _, ds := range report.InOrder(objects) {
		var part10 bytes.Buffer
		if err := dicom.Write(&part10, ds, uid.ExplicitVRLittleEndian); err != nil {
			return jobs.Result{}, fmt.Errorf("write %s: %w", ds.String(tag.Modality), err)
		}
		receipt, err := r.archive.Put(ctx, &part10, archive.PutOptions{Study: job.Study, Result: true})
		if err != nil {
			return jobs.Result{}, fmt.Errorf("store %s: %w", ds.String(tag.Modality), err)
		}
		if receipt.Outcome == archive.Kept {
			r.log.Info("the result of these inputs and this model was stored before and is kept", "study", job.Study)
		}
		item.Objects = append(item.Objects, receipt.Ref)
		switch {
		case ds.String(tag.SOPClassUID) == uid.Comprehensive3DSRStorage:
			result.SR = append(result.SR, receipt.Ref)
		case ds.String(tag.Modality) == "SEG":
			result.SEG = append(result.SEG, receipt.Ref)
		}
	}
	return result, r.outbox.Enqueue(ctx, item)
}

// lastReceived is when the last source came. Results are dated by it and not by the clock, so that the same inputs give
// the same bytes whenever they are read.
func lastReceived(stored []archive.Instance) (last time.Time) {
	for _, i := range stored {
		if !i.Result && i.Received.After(last) {
			last = i.Received
		}
	}
	return last
}

// anyHeader returns the header of a stored instance, for the patient and study attributes of a result.
func (r *reader) anyHeader(ctx context.Context, stored []archive.Instance) (*dicom.Dataset, error) {
	for _, i := range stored {
		f, c, err := archived{ctx, r.archive, i}.Open()
		if err != nil {
			continue
		}
		c.Close()
		return f.Dataset, nil
	}
	return nil, errors.New("no instance of the study can be read")
}

// summary is the answer in one line, without patient data.
func summary(reading *analysis.Reading) string {
	var parts []string
	for _, r := range reading.All() {
		parts = append(parts, outcome(r.Assessment))
	}
	return strings.Join(parts, "; other breast: ")
}

func outcome(a *fusion.Assessment) string {
	switch a.Outcome {
	case fusion.NotDone:
		return "not analysed: " + a.Reason.Text
	case fusion.WithoutFindings:
		return "no enhancing lesion found"
	}
	f := a.Findings[0]
	text := fmt.Sprintf("%d lesion(s); the most suspicious: side %s, %.0f mm", len(a.Findings), f.Side, f.LongAxisMM)
	if f.Probability.Known {
		text += fmt.Sprintf(", malignant %.0f %%", 100*f.Probability.Value)
	}
	return text
}

// stagesText lists stages with their times.
func stagesText(stages []jobs.StageTime) string {
	var b bytes.Buffer
	for n, s := range stages {
		if n > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", s.Stage, time.Duration(s.Seconds*float64(time.Second)).Round(10*time.Millisecond))
	}
	return b.String()
}
