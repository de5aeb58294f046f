package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
	"mome/experts/nn"
	"mome/fixtures/phantom"
	"mome/fusion/train"
	"mome/server/analysis"
	"mome/server/training"
)

// dataFlags choose what train and evaluate work on: studies with a label table, or else digital phantoms.
type dataFlags struct {
	Archive string `type:"existingdir" placeholder:"DIR" help:"Take studies from a node's archive; the node must not be running."`
	Dicom   string `type:"existingdir" placeholder:"DIR" help:"Take studies from a folder of DICOM files."`
	Labels  string `type:"existingfile" placeholder:"CSV" help:"Labels of the studies; needed with --archive and --dicom. The columns are listed above."`
	Cache   string `type:"path" placeholder:"DIR" help:"Keep prepared samples here, so that a run that is killed or repeated does not analyse again; without it they fill the memory. They are image data of the studies."`
	HeldOut int    `default:"100" help:"Phantoms to measure on; they are never trained on."`
	Seed    uint64 `default:"1" help:"Seed of weights, order, split and phantoms."`
}

const dataHelp = `
Without --archive and --dicom the data are digital phantoms. What is measured on them says nothing of patients.

The label table is CSV with a header line, separated by commas or semicolons. Columns, of which label and one of study and
patient_id are needed:
  study, patient_id  Study Instance UID, or Patient ID where the patient has one study only
  label              class by name or number: benign, malignant (0, 1), or those of the task
  split              train, validation or test
  side               L or R
  x, y, z            a place within the lesion, mm in patient coordinates (+x left, +y posterior, +z head), such as
                     centre_mm of a finding that "server analyze" wrote
  lesion             instead: number of the candidate by conspicuity, from 1; "server evaluate --csv" lists them
  birads, site, vendor, age
  menopause          premenopausal, perimenopausal, postmenopausal
  family_history     none, second-degree, first-degree, mutation
  indication         screening, problem-solving, staging, response, follow-up
  prior              none, benign, high-risk, cancer
A label means the candidate that reaches its place (half its long axis and 5 mm), else the most conspicuous candidate on its
side. A study can have several lines. Vendor and age are read from the images where the table has none.`

// phantoms reports whether the data are digital phantoms.
func (f *dataFlags) phantoms() bool { return f.Archive == "" && f.Dicom == "" }

// check refuses flags that contradict each other.
func (f *dataFlags) check() error {
	switch {
	case f.Archive != "" && f.Dicom != "":
		return errors.New("--archive and --dicom exclude each other")
	case f.phantoms() && f.Labels != "":
		return errors.New("--labels needs --archive or --dicom: phantoms have labels of their own")
	case !f.phantoms() && f.Labels == "":
		return errors.New("--archive and --dicom need --labels")
	case f.HeldOut < 0:
		return fmt.Errorf("--held-out %d is less than 0", f.HeldOut)
	case f.Seed > math.MaxInt64/seedsApart-1:
		return fmt.Errorf("--seed %d is too large", f.Seed)
	}
	return nil
}

// preparer makes samples for boxes.
func (f *dataFlags) preparer(ctx context.Context, boxes nn.Boxes) (*training.Preparer, error) {
	panel, err := panel()
	if err != nil {
		return nil, err
	}
	analyzer, err := analysis.New(analysis.Config{Panel: panel, Version: version})
	if err != nil {
		return nil, err
	}
	cfg := training.Config{Analyzer: analyzer, Boxes: boxes, Version: version, Progress: preparing(os.Stderr)}
	if f.Cache != "" {
		if cfg.Cache, err = training.OpenCache(f.Cache, time.Now()); err != nil {
			return nil, err
		}
	}
	if !f.phantoms() {
		cfg.Parallel = 2 // clinical volumes fill gigabytes, and one reading uses several cores
	}
	return training.NewPreparer(ctx, cfg)
}

// preparing prints how far the preparation is, at most every twentieth part.
func preparing(w io.Writer) func(training.Progress) {
	next := 0
	return func(p training.Progress) {
		if p.Done < next && p.Done < p.Total {
			return
		}
		next = p.Done + max(1, p.Total/20)
		line := fmt.Sprintf("%s: %d of %d studies (%d from the cache)", p.What, p.Done, p.Total, p.FromCache)
		if p.Left > 0 {
			line += fmt.Sprintf(", about %s left", p.Left.Round(time.Second))
		}
		fmt.Fprintln(w, line)
		if p.Done == p.Total {
			next = 0
		}
	}
}

// seedsApart is the distance between the phantoms of two seeds; those held out begin half way.
const seedsApart = 1_000_000

// phantomConfigs are n phantoms from a seed on: vendors in turn, three amounts of motion. Mixed resolutions are one in
// three standard, the others small.
func phantomConfigs(first int64, n int, resolution string) []phantom.Config {
	vendors := phantom.Vendors()
	configs := make([]phantom.Config, n)
	for i := range configs {
		configs[i] = phantom.Config{
			Seed: first + int64(i), Vendor: vendors[i%len(vendors)], MotionMM: float64(i%3) * 0.5, Resolution: phantom.Resolution(resolution),
		}
		if resolution == "mixed" {
			configs[i].Resolution = [...]phantom.Resolution{phantom.Standard, phantom.Small, phantom.Small}[i/len(vendors)%3]
		}
	}
	return configs
}

// trainingPhantoms and heldOutPhantoms never share a seed.
func (f *dataFlags) trainingPhantoms(n int, resolution string) []phantom.Config {
	return phantomConfigs(int64(f.Seed)*seedsApart, n, resolution)
}

func (f *dataFlags) heldOutPhantoms(resolution string) []phantom.Config {
	return phantomConfigs(int64(f.Seed)*seedsApart+seedsApart/2, f.HeldOut, resolution)
}

// labelled opens the studies and joins them with the label table. use chooses the rows that count; where it chooses none
// there are no examinations. What the table and the data lack of each other is told on w, by line and Study Instance UID.
// closeData ends the use of the studies.
func (f *dataFlags) labelled(ctx context.Context, log *slog.Logger, task train.Task, use func([]training.Row) []training.Row, w io.Writer) (exams []training.LabelledExam, closeData func() error, err error) {
	table, err := os.Open(f.Labels)
	if err != nil {
		return nil, nil, err
	}
	defer table.Close()
	rows, err := training.ReadLabels(table, task)
	if err != nil {
		return nil, nil, err
	}
	if rows = use(rows); len(rows) == 0 {
		return nil, nil, nil
	}
	all, complete, closeData, err := f.exams(ctx, log, w)
	if err != nil {
		return nil, nil, err
	}
	joined := training.Join(rows, all)
	tell(w, joined.Problems)
	fmt.Fprintf(w, "%d labels mean %d studies; %d labels mean none, %d studies are meant by none\n",
		len(rows)-len(joined.Problems), len(joined.Exams), len(joined.Problems), joined.Without)
	if len(joined.Exams) == 0 {
		return nil, nil, errors.Join(errors.New("no label belongs to a study of the data"), closeData())
	}
	for n := range joined.Exams {
		if err := complete(&joined.Exams[n].Exam); err != nil {
			return nil, nil, errors.Join(err, closeData())
		}
	}
	return joined.Exams, closeData, nil
}

// ofSplit chooses the rows of some splits.
func ofSplit(rows []training.Row, use func(training.Split) bool) []training.Row {
	return slices.DeleteFunc(rows, func(r training.Row) bool { return !use(r.Split) })
}

// tell prints problems, not more than anybody reads.
func tell(w io.Writer, problems []string) {
	const most = 20
	for i, p := range problems {
		if i == most {
			fmt.Fprintf(w, "  ... and %d more\n", len(problems)-most)
			return
		}
		fmt.Fprintln(w, "  "+p)
	}
}

// exams lists the studies of the archive or folder. complete adds what is costly to know to those that labels mean.
func (f *dataFlags) exams(ctx context.Context, log *slog.Logger, w io.Writer) (all []training.Exam, complete func(*training.Exam) error, closeData func() error, err error) {
	if f.Dicom != "" {
		exams, passedOver, err := training.FromFolder(ctx, f.Dicom, isSource)
		if err != nil {
			return nil, nil, nil, err
		}
		if passedOver > 0 {
			fmt.Fprintf(w, "passed over %d files that are no MR images to read\n", passedOver)
		}
		return exams, func(*training.Exam) error { return nil }, func() error { return nil }, nil
	}
	a, err := openArchive(ctx, nodeFlags{Data: f.Archive, MaxInstance: 4096}, log, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	found, _, err := a.Find(ctx, query.Query{Level: query.Study})
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("list the archive's studies: %w", err), a.Close())
	}
	for _, s := range found {
		all = append(all, training.Exam{StudyUID: s.String(tag.StudyInstanceUID), Patient: training.PatientDigest(s.String(tag.PatientID))})
	}
	slices.SortFunc(all, func(a, b training.Exam) int { return strings.Compare(a.StudyUID, b.StudyUID) })
	return all, func(e *training.Exam) error { return fromArchive(ctx, a, e) }, a.Close, nil
}

// fromArchive adds the instances of a study, what makes them different from others, and what their headers say.
func fromArchive(ctx context.Context, a *archive.Archive, e *training.Exam) error {
	objects, instances, err := archivedObjects(ctx, a, e.StudyUID)
	if err != nil {
		return err
	}
	var content []string
	for _, i := range instances {
		if !i.Source {
			continue
		}
		if content == nil {
			err := a.Headers(ctx, i.Ref, func(_ archive.Instance, h *dicom.Dataset) error {
				e.Facts = training.FactsOf(h)
				return nil
			})
			if err != nil {
				return fmt.Errorf("read a header of study %s: %w", e.StudyUID, err)
			}
		}
		content = append(content, i.Instance+" "+i.SHA256)
	}
	slices.Sort(content)
	e.Objects, e.Fingerprint = objects, strings.Join(content, "\n")
	return nil
}
