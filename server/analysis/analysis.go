// Package analysis reads one study: from stored instances to an assessment and the DICOM objects that say it. It joins
// series, volumes, lesions, experts and fusion, and knows neither HTTP nor the queue.
package analysis

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/crosscheck"
	"mome/experts/lesion"
	"mome/experts/registration"
	"mome/experts/series"
	"mome/experts/volume"
	"mome/fusion"
	"mome/fusion/explain"
)

// Name and Manufacturer identify the algorithm in results.
const (
	Name         = "MOME"
	Manufacturer = "MOME node project"
)

// Progress is told the stage that begins and how much of the whole is done, 0..1.
type Progress func(stage string, fraction float64)

// Config is what an Analyzer works with. The Panel is needed.
type Config struct {
	Panel   []experts.Expert
	Model   *fusion.Model   // nil: lesions are measured and not judged
	Further []*fusion.Model // of other tasks, such as subtype
	Lesions lesion.Config
	Motion  registration.Settings
	Version string           // of the software
	Now     func() time.Time // for stage times; default time.Now
}

// Analyzer reads studies. It is safe for concurrent use.
type Analyzer struct {
	cfg       Config
	algorithm fusion.Algorithm
	explainer *explain.Explainer // nil: findings are not explained
	keeping   bool               // readings keep the volumes as acquired
}

// New returns an Analyzer.
func New(cfg Config) (*Analyzer, error) {
	if len(cfg.Panel) == 0 {
		return nil, errors.New("analysis: Config.Panel is needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Analyzer{cfg: cfg, algorithm: fusion.Algorithm{Name: Name, Version: cfg.Version, Manufacturer: Manufacturer}}
	if m := cfg.Model; m != nil {
		a.algorithm.WeightsSHA256 = m.SHA256()
		a.algorithm.OperatingPoint = m.OperatingPoint()
		a.algorithm.TrainedOn = m.TrainedOn()
		a.algorithm.Parameters = map[string]string{"calibration": fmt.Sprintf("temperature %.4g", m.Temperature())}
		if way := m.Options().Arithmetic(); way != "" {
			a.algorithm.Parameters["arithmetic"] = way
		}
	}
	made := []string{"mome device", Name, cfg.Version, a.algorithm.WeightsSHA256}
	for _, m := range cfg.Further {
		made = append(made, m.SHA256())
	}
	a.algorithm.DeviceUID = uid.From(made...)
	return a, nil
}

// Keeping is an Analyzer whose readings also hold the volumes as acquired, which takes their memory twice.
func (a *Analyzer) Keeping() *Analyzer {
	also := *a
	also.keeping = true
	return &also
}

// Algorithm is what results name as their maker.
func (a *Analyzer) Algorithm() fusion.Algorithm { return a.algorithm }

// Reading is an assessment with all that led to it.
type Reading struct {
	Assessment *fusion.Assessment
	Headers    []*dicom.Dataset // of the instances read, in the order given
	Study      *experts.Study   // as analysed, motion corrected; nil where no volumes could be built
	Acquired   *experts.Study   // as acquired, of a Keeping analyzer only
	Opinions   []*experts.Opinion
	Lesions    []*experts.Lesion // candidates, as measured
	Stages     []Stage

	// Other is the reading of the other breast where each has a dynamic series of its own, with its own results; else nil.
	Other *Reading

	Explanations []*Explanation // of Assessment.Findings, in their order; of an Explaining analyzer only
	Attribution  *volume.Volume // their heat maps combined on Assessment.Grid, log-odds per voxel; see explain.Combine
}

// Channels are what the network reads of the study: the opinions' channels by modality.
func (r *Reading) Channels() map[experts.Modality][]*volume.Volume {
	c := map[experts.Modality][]*volume.Volume{}
	for _, o := range r.Opinions {
		c[o.Modality] = o.Channels
	}
	return c
}

// All returns the reading and, where the other breast has its own, that one.
func (r *Reading) All() []*Reading {
	if r.Other == nil {
		return []*Reading{r}
	}
	return []*Reading{r, r.Other}
}

// Stage is how long a part of the work took.
type Stage struct {
	Name string
	Took time.Duration
}

// Read reads the study that objects hold. What a study lacks or a scanner got wrong ends in an assessment that says so;
// an error means that the node failed, or ctx was cancelled, and that trying again can help.
func (a *Analyzer) Read(ctx context.Context, objects []Object, progress Progress) (r *Reading, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("analysis panicked: %v\n%s", cause, debug.Stack())
		}
	}()
	w := &work{Analyzer: a, reading: &Reading{}, progress: progress}
	if progress == nil {
		w.progress = func(string, float64) {}
	}
	return w.read(ctx, objects)
}

// work is one study on its way.
type work struct {
	*Analyzer
	reading  *Reading
	progress Progress
	began    time.Time
}

// stage ends the stage before and begins the next; fraction is how much of the whole is done by then.
func (w *work) stage(name string, fraction float64) {
	now := w.cfg.Now()
	if n := len(w.reading.Stages); n > 0 {
		w.reading.Stages[n-1].Took = now.Sub(w.began)
	}
	w.began = now
	if name != "" {
		w.reading.Stages = append(w.reading.Stages, Stage{Name: name})
		w.progress(name, fraction)
	}
}

func (w *work) read(ctx context.Context, objects []Object) (*Reading, error) {
	defer w.stage("", 1)

	w.stage("headers", 0)
	instances, err := headers(ctx, objects)
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		w.reading.Headers = append(w.reading.Headers, i.Header)
	}

	sorted := series.Sort(instances)
	if sorted.Other == nil {
		return w.dynamic(ctx, objects, instances, sorted)
	}
	// Each breast has a dynamic series of its own: two readings.
	whole := w.progress
	w.progress = func(stage string, fraction float64) { whole(stage, fraction/2) }
	if _, err := w.dynamic(ctx, objects, instances, sorted); err != nil {
		return nil, err
	}
	other := &work{Analyzer: w.Analyzer, reading: &Reading{Headers: w.reading.Headers}}
	other.progress = func(stage string, fraction float64) { whole(stage, 0.5+fraction/2) }
	defer other.stage("", 1)
	w.reading.Other, err = other.dynamic(ctx, objects, instances, *sorted.Other)
	return w.reading, err
}

// dynamic reads the dynamic series that was chosen, and what belongs to it.
func (w *work) dynamic(ctx context.Context, objects []Object, instances []series.Instance, sorted series.Result) (*Reading, error) {
	w.stage("volumes", 0.1)
	study, err := series.Assemble(ctx, instances, sorted, opener(objects), func(done float64) {
		w.progress("volumes", 0.1+0.18*done)
	})
	var broken *series.Error
	if err != nil && !errors.As(err, &broken) {
		return nil, fmt.Errorf("build volumes: %w", err)
	}
	w.reading.Assessment = &fusion.Assessment{
		StudyUID: sorted.StudyUID, Series: study.Series, Notes: study.Notes, Algorithm: w.algorithm,
		Present: map[experts.Modality]bool{}, Settings: map[experts.Modality][]experts.Setting{},
	}
	if broken != nil {
		// What the study holds is told although nothing was read of it.
		w.reading.Assessment.Present[experts.T2] = sorted.T2 != nil
		w.reading.Assessment.Present[experts.DWI] = len(sorted.DWI) > 1 || sorted.ADC != nil
		return w.notDone(broken.Code, broken.Text), nil
	}
	for _, m := range experts.Modalities {
		w.reading.Assessment.Present[m] = study.Has(m)
	}
	if len(sorted.Companions) > 0 {
		w.stage("checks", 0.28)
		open := opener(objects)
		checks, err := crosscheck.Companions(ctx, study, sorted.Companions, func(ctx context.Context, c series.Companion) (*volume.Volume, error) {
			return series.ReadStack(ctx, instances, c.Stack, open)
		})
		if err != nil {
			return nil, err
		}
		w.reading.Assessment.Checks = checks
	}
	study, breasts, err := w.still(ctx, study)
	if err != nil {
		return nil, err
	}
	w.reading.Study = study
	if len(breasts) == 0 {
		return w.notDone("GEOM", "no breast was found in the dynamic series"), nil
	}

	w.stage("lesions", 0.6)
	lesions, notes, err := lesion.Detect(ctx, study, breasts, w.cfg.Lesions)
	if err != nil {
		return nil, fmt.Errorf("find lesions: %w", err)
	}
	w.note(notes)
	w.reading.Lesions = lesions

	for n, e := range w.cfg.Panel {
		if !study.Has(e.Modality()) {
			continue
		}
		w.stage(string(e.Modality())+" expert", 0.7+0.05*float64(n))
		opinion, err := e.Read(ctx, study, breasts, lesions)
		if err != nil {
			return nil, fmt.Errorf("%s expert: %w", e.Modality(), err)
		}
		w.note(opinion.Notes)
		a := w.reading.Assessment
		a.Checks = append(a.Checks, opinion.Checks...)
		a.Settings[e.Modality()] = opinion.Settings
		if e.Modality() == experts.DCE {
			a.Asymmetry = opinion.Asymmetry
		}
		w.reading.Opinions = append(w.reading.Opinions, opinion)
	}

	w.note(crosscheck.Notes(w.reading.Assessment.Checks))

	w.stage("fusion", 0.85)
	if err := w.fuse(ctx, breasts); err != nil {
		return nil, err
	}
	return w.reading, w.explain(ctx)
}

// still finds the breasts and takes the motion out of the study. Where the phase before contrast was moved, its anatomy
// is found again.
func (w *work) still(ctx context.Context, acquired *experts.Study) (*experts.Study, []experts.Breast, error) {
	if w.keeping {
		w.reading.Acquired = acquired
	}
	w.stage("breasts", 0.3)
	breasts, notes, err := lesion.Breasts(ctx, acquired)
	if err != nil {
		return nil, nil, fmt.Errorf("find the breasts: %w", err)
	}
	w.stage("registration", 0.35)
	settings := w.cfg.Motion
	settings.DiffusionAlong = phaseEncoding(w.reading.Headers, acquired)
	study, err := registration.Align(ctx, acquired, breasts, settings, func(done float64) {
		w.progress("registration", 0.35+0.25*done)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("register: %w", err)
	}
	if len(breasts) > 0 && study.DCE[0].Volume != acquired.DCE[0].Volume {
		if breasts, notes, err = lesion.Breasts(ctx, study); err != nil {
			return nil, nil, fmt.Errorf("find the breasts: %w", err)
		}
	}
	if err := w.checkAcquired(ctx, acquired, study.Motion); err != nil {
		return nil, nil, err
	}
	w.note(notes)
	w.note(experts.MotionNotes(study.Motion))
	w.reading.Assessment.Motion = study.Motion
	return study, breasts, nil
}

// acquiredChecker is an expert that compares with the scanner's own maps, which follow the images as acquired: where its
// images were moved it cannot do so when it reads them.
type acquiredChecker interface {
	Check(ctx context.Context, acquired *experts.Study) (*experts.Check, error)
}

func (w *work) checkAcquired(ctx context.Context, acquired *experts.Study, motion []experts.Motion) error {
	for _, e := range w.cfg.Panel {
		c, ok := e.(acquiredChecker)
		if !ok || !slices.ContainsFunc(motion, func(m experts.Motion) bool { return m.Corrected && m.Name == string(e.Modality()) }) {
			continue
		}
		check, err := c.Check(ctx, acquired)
		if err != nil {
			return fmt.Errorf("check of %s: %w", e.Modality(), err)
		}
		if check != nil {
			w.reading.Assessment.Checks = append(w.reading.Assessment.Checks, *check)
		}
	}
	return nil
}

// phaseEncoding returns the direction along which the diffusion-weighted images were phase-encoded (PS3.3 C.8.3.1.1.1,
// C.8.13.5.2), the zero vector if their headers do not tell it.
func phaseEncoding(headers []*dicom.Dataset, s *experts.Study) volume.Vec {
	if len(s.DWI) == 0 {
		return volume.Vec{}
	}
	b := s.DWI[0]
	for _, h := range headers {
		if h.String(tag.SeriesInstanceUID) != b.SeriesUID {
			continue
		}
		from := volume.FunctionalGroup(h, 1, tag.MRFOVGeometrySequence)
		if !from.Has(tag.InPlanePhaseEncodingDirection) {
			from = h
		}
		switch from.String(tag.InPlanePhaseEncodingDirection) {
		case "ROW":
			return b.Volume.Axis[0]
		case "COL", "COLUMN":
			return b.Volume.Axis[1]
		}
		return volume.Vec{}
	}
	return volume.Vec{}
}

// note adds sentences for the report's reader.
func (w *work) note(sentences []string) {
	w.reading.Assessment.Notes = append(w.reading.Assessment.Notes, sentences...)
}

// notDone ends the reading with a reason; that is an answer, not an error.
func (w *work) notDone(code, text string) *Reading {
	w.reading.Assessment.Outcome = fusion.NotDone
	w.reading.Assessment.Reason = fusion.NotDoneReason{Code: code, Text: text}
	return w.reading
}

// NotDone is the assessment for a study whose analysis was given up: what the series are is not told.
func (a *Analyzer) NotDone(study, code, text string) *fusion.Assessment {
	return &fusion.Assessment{
		StudyUID: study, Outcome: fusion.NotDone, Reason: fusion.NotDoneReason{Code: code, Text: text},
		Present: map[experts.Modality]bool{}, Algorithm: a.algorithm,
	}
}

// headers reads what the series are sorted by. A stored object that cannot be opened is an error, since that may pass.
func headers(ctx context.Context, objects []Object) ([]series.Instance, error) {
	instances, errs := make([]series.Instance, len(objects)), make([]error, len(objects))
	read := func(n int) error {
		f, closer, err := objects[n].Open()
		if err != nil {
			return fmt.Errorf("open instance: %w", err)
		}
		defer closer.Close()
		header, err := dicom.Header(f)
		instances[n] = series.Instance{Header: header, TransferSyntax: f.TransferSyntax}
		return err
	}
	if err := experts.EachSlice(ctx, len(objects), func(n int) { errs[n] = read(n) }); err != nil {
		return nil, err
	}
	return instances, errors.Join(errs...)
}

// SourceHeader returns the header that patient and study attributes are copied from: of the series that results point
// to, else of the first MR instance, else of any.
func (r *Reading) SourceHeader() *dicom.Dataset {
	var best *dicom.Dataset
	for _, h := range r.Headers {
		switch {
		case r.Assessment.Reference.SeriesUID != "" && h.String(tag.SeriesInstanceUID) == r.Assessment.Reference.SeriesUID:
			return h
		case best == nil, best.String(tag.Modality) != "MR" && h.String(tag.Modality) == "MR":
			best = h
		}
	}
	return best
}

// Explain sorts the series of the study that objects hold, from their headers alone.
func Explain(ctx context.Context, objects []Object) (series.Result, error) {
	instances, err := headers(ctx, objects)
	if err != nil {
		return series.Result{}, err
	}
	return series.Sort(instances), nil
}

// Assemble builds the volumes of the study that objects hold, as acquired.
func Assemble(ctx context.Context, objects []Object) (*experts.Study, error) {
	instances, err := headers(ctx, objects)
	if err != nil {
		return nil, err
	}
	return series.Assemble(ctx, instances, series.Sort(instances), opener(objects), nil)
}
