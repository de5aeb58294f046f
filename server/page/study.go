package page

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/query"
	"mome/fusion"
	"mome/server/analysis"
	"mome/server/delivery"
	"mome/server/jobs"
)

// busyRefreshS is how often a page is loaded anew while an analysis is on its way.
const busyRefreshS = 3

// studyPage is the page of one study.
type studyPage struct {
	layout
	Study   string
	Patient Patient

	Job     jobs.Status
	State   string // of the queue in words
	Percent int
	Ended   string // when the analysis did

	Tone     string   // class of the headline: found, none, notdone, busy, bad
	Headline string   // what there is to know first
	Sub      []string // sentences below it
	Advice   string   // what to do where nothing could be said
	Banner   string   // that what is shown is about to be replaced

	Readings  []readingView
	Objects   []objectView
	Sent      []delivery.Status // to PACS and programs
	Viewer    string            // with the lesions drawn
	ViewerSEG string            // with the segmentation over the images
	Old       bool              // read back from the SR: most of the page is missing
}

// objectView is a stored result.
type objectView struct {
	Name, Description string
	Main              bool // whether it is the result itself
	URL, Metadata     string
}

// Study answers GET /study/{study} with its page.
func (s *Service) Study(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	if path, _, _ := strings.Cut(r.RequestURI, "?"); strings.HasSuffix(path, "/") { // links on the page are relative
		w.Header().Set("Location", "../"+ref.Study)
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
	ctx := r.Context()
	job, jobErr := s.cfg.Jobs.Status(ctx, ref.Study)
	if jobErr != nil && dicomweb.KindOf(jobErr) != dicomweb.NotFound {
		return jobErr
	}
	stored, err := s.cfg.Archive.Instances(ctx, ref)
	if err != nil {
		return err
	}
	head, err := s.study(ctx, ref.Study)
	if err != nil {
		return err
	}
	record, err := s.record(ctx, ref.Study, stored)
	if err != nil {
		return err
	}
	descriptions, err := s.descriptions(r, ref)
	if err != nil {
		return err
	}
	p := s.reader(r, "../")
	d := &studyPage{layout: s.layout(p, p.Text("Breast MRI")), Study: ref.Study, Patient: patientOf(head), Job: job, Percent: percent(job.Progress)}
	if !job.Finished.IsZero() {
		d.Ended = job.Finished.In(s.cfg.Now().Location()).Format("2006-01-02 15:04 MST")
	}
	if jobErr == nil {
		d.State, _ = p.state(job.State)
		if !job.State.Final() {
			d.Refresh = busyRefreshS
		}
	}
	if record != nil {
		d.Readings = readings(p, record, descriptions)
		d.Old = record.old
	}
	d.head(p, record, jobErr == nil)
	d.objects(p, stored, descriptions)
	if s.cfg.Deliveries != nil {
		if d.Sent, err = s.cfg.Deliveries.Of(ctx, ref.Study); err != nil {
			return err
		}
	}
	if s.cfg.Viewer != nil {
		seg, drawn := newest(stored, uid.SegmentationStorage, uid.LabelMapSegmentationStorage), newest(stored, uid.ComprehensiveSRStorage)
		d.Viewer = s.cfg.Viewer(p.Root, ref.Study, cmp.Or(drawn, seg))
		if drawn != "" && seg != "" {
			d.ViewerSEG = s.cfg.Viewer(p.Root, ref.Study, seg)
		}
	}
	return s.answer(w, p.Language, "study", d)
}

// descriptions are those of the study's series, free text of their sender, by Series Instance UID.
func (s *Service) descriptions(r *http.Request, ref dicomweb.Ref) (map[string]string, error) {
	found, _, err := s.cfg.Archive.Find(r.Context(), query.Query{Level: query.Series, Ref: ref})
	if err != nil {
		return nil, fmt.Errorf("look up series: %w", err)
	}
	by := map[string]string{}
	for _, d := range found {
		by[d.String(tag.SeriesInstanceUID)] = d.String(tag.SeriesDescription)
	}
	return by, nil
}

// head says what there is to know first. Nothing that was not analysed reads like a negative result.
func (d *studyPage) head(p reader, record *Record, known bool) {
	state := d.Job.State
	busy := known && !state.Final()
	switch {
	case record == nil && busy:
		d.Tone, d.Headline = "busy", d.State
		d.Sub = append(d.Sub, p.Text("There is no result yet. This page loads itself anew."))
		if state == jobs.Retrying {
			d.Sub = append(d.Sub, p.Text("The last attempt failed: %s", d.Job.Reason))
		}
	case record == nil && known && state == jobs.Failed:
		d.Tone, d.Headline = "bad", p.Text("The analysis failed")
		d.Sub = append(d.Sub, p.Text("This is not a negative result."), d.Job.Reason)
		d.Advice = p.advice("ERROR")
	case record == nil && known:
		d.Tone, d.Headline = "notdone", p.Text("The results of this analysis are not kept")
		d.Sub = append(d.Sub, p.Text("This is not a negative result."))
	case record == nil:
		d.Tone, d.Headline = "notdone", p.Text("Not analysed")
		d.Sub = append(d.Sub, p.Text("This is not a negative result."), p.Text("The study holds nothing that this node analyses: it reads MR images."))
	default:
		d.headOf(p, all(record))
		if state == jobs.Failed {
			d.Tone, d.Headline = "bad", p.Text("The analysis failed")
			d.Sub = []string{p.Text("This is not a negative result."), d.Job.Reason}
			d.Advice = p.advice("ERROR")
		}
		if busy || state == jobs.Failed && record.Outcome != fusion.NotDone {
			d.Banner = p.Text("The study has changed, or is being analysed again: what follows is the earlier result.")
		}
	}
}

// all are the findings of the readings.
func all(record *Record) []*analysis.Findings {
	out := []*analysis.Findings{&record.Findings}
	if record.Other != nil {
		out = append(out, record.Other)
	}
	return out
}

func (d *studyPage) headOf(p reader, list []*analysis.Findings) {
	lesions, judged, called, missed, point := 0, 0, 0, 0, 0.0
	for _, f := range list {
		lesions += len(f.Lesions)
		point = f.Algorithm.OperatingPoint
		if f.Outcome == fusion.NotDone {
			missed++
			d.Sub = append(d.Sub, p.reason(f))
			d.Advice = p.advice(f.Code)
		}
		for _, l := range f.Lesions {
			if l.Probability != nil {
				judged++
			}
			if l.Called {
				called++
			}
		}
	}
	switch {
	case missed == len(list):
		d.Tone, d.Headline = "notdone", p.Text("Not analysed")
		d.Sub = append([]string{p.Text("This is not a negative result.")}, d.Sub...)
		return
	case lesions == 0 && missed > 0:
		d.Tone, d.Headline = "notdone", p.Text("One breast was not analysed; in the other no lesion was found")
		d.Sub = append([]string{p.Text("This is not a negative result.")}, d.Sub...)
	case lesions == 0:
		d.Tone, d.Headline = "none", p.Text("No enhancing lesion found")
		d.Sub = append(d.Sub, p.Text("This does not exclude cancer: what does not enhance, or less than the detection looks for, is not found."))
	default:
		d.Tone, d.Headline = "found", p.Text("Lesions found: %d", lesions)
		switch {
		case judged == 0:
			d.Sub = append(d.Sub, p.Text("No model judged them."))
		case called == 0:
			d.Sub = append(d.Sub, p.Text("None reaches the operating point, a probability of malignancy of %s.", percentage(point)))
		default:
			d.Sub = append(d.Sub, p.Text("At or above the operating point, a probability of malignancy of %s: %d.", percentage(point), called))
		}
		if missed > 0 {
			d.Sub = append(d.Sub, p.Text("One breast was not analysed."))
		}
	}
	for _, m := range missing(list) {
		d.Sub = append(d.Sub, p.Text("%s missing: no series of this kind was used; what needs it is left out.", m))
	}
}

// reason is why nothing could be said.
func (p reader) reason(f *analysis.Findings) string {
	if f.Code == "NODCE" {
		return p.Text("No usable DCE series in study")
	}
	text, _ := p.Translate(f.Reason)
	return text
}

// advice is what can be done about a reason.
func (p reader) advice(code string) string {
	switch code {
	case "NODCE":
		return p.Text("Send the dynamic series, at least one phase before contrast and one after, into the same study: the analysis begins again by itself. The table of series below says what each was taken for.")
	case "NOPIXEL":
		return p.Text("Send the images again, uncompressed or in a lossless form that the node lists among its transfer syntaxes.")
	case "GEOM":
		return p.Text("Check that the dynamic series is complete, evenly spaced and covers the breasts; then send it again.")
	}
	return p.Text("Ask who runs the node to look into its log, which tells the cause; then let the study be analysed again.")
}

// objects lists the stored results.
func (d *studyPage) objects(p reader, stored []archive.Instance, descriptions map[string]string) {
	count, size := map[string]int{}, map[string]int{} // by name, by series
	for _, i := range stored {
		size[i.Series]++
	}
	for _, i := range stored {
		if !i.Result || size[i.Series] == 0 {
			continue
		}
		ref := i.Ref
		if size[i.Series] > 1 { // images of one map: a line for all of them
			ref.Instance, size[i.Series] = "", 0
		}
		name, main := p.object(i)
		if count[name]++; count[name] > 1 {
			name = fmt.Sprintf("%s %d", name, count[name])
		}
		url := p.Root + "dicom-web/" + ref.Path()
		d.Objects = append(d.Objects, objectView{name, descriptions[i.Series], main, url, url + "/metadata?accept=application/json"})
	}
}

// object names a stored result, and tells whether it is the result itself: others repeat it for viewers.
func (p reader) object(i archive.Instance) (name string, main bool) {
	switch {
	case i.SOPClass == uid.ComprehensiveSRStorage:
		return p.Text("Measurements for viewers (SR)"), false
	case i.Modality == "SR":
		return p.Text("Report (SR)"), true
	case i.Modality == "SEG":
		return p.Text("Segmentation (SEG)"), true
	case i.SOPClass == uid.ParametricMapStorage:
		return p.Text("Parametric map"), false
	case i.SOPClass == uid.MRImageStorage:
		return p.Text("Derived MR images"), false
	case i.Modality == "OT":
		return p.Text("Picture"), false
	}
	return i.Modality, false
}

// newest is the series of the newest result of some SOP classes, "" without one.
func newest(stored []archive.Instance, classes ...string) string {
	var found archive.Instance
	for _, i := range stored {
		if i.Result && slices.Contains(classes, i.SOPClass) && !i.Received.Before(found.Received) {
			found = i
		}
	}
	return found.Series
}

func answerJSON(w http.ResponseWriter, v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return errors.Join(errors.New("write the findings"), err)
	}
	w.Header().Set("Content-Type", mediatype.JSON)
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(append(body, '\n'))
	return err
}
