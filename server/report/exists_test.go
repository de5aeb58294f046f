package report_test

import (
	"fmt"
	"slices"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/server/report"
)

// target is an instance that others may point to.
type target struct {
	iod.Instance
	frames, segments int
}

func targetOf(d *dicom.Dataset) target {
	return target{
		Instance: iod.Instance{
			StudyUID: d.String(tag.StudyInstanceUID), SeriesUID: d.String(tag.SeriesInstanceUID),
			SOPClassUID: d.String(tag.SOPClassUID), SOPInstanceUID: d.String(tag.SOPInstanceUID),
		},
		frames: d.IntOr(tag.NumberOfFrames, 1), segments: len(d.Items(tag.SegmentSequence)),
	}
}

// reference is what an object says of another instance: class and UID always, the rest where the place asks for it.
type reference struct {
	iod.Instance
	frames, segments []int
	inTree           bool // below Content Sequence
}

// references calls visit for each reference of d, however deep. Study and series are those of the items around it.
func references(d *dicom.Dataset, visit func(reference)) {
	var walk func(item *dicom.Dataset, around reference)
	walk = func(item *dicom.Dataset, around reference) {
		if s := item.String(tag.StudyInstanceUID); s != "" && item != d {
			around.StudyUID = s
		}
		if s := item.String(tag.SeriesInstanceUID); s != "" && item != d {
			around.SeriesUID = s
		}
		if item.Has(tag.ReferencedSOPInstanceUID) {
			r := around
			r.SOPClassUID, r.SOPInstanceUID = item.String(tag.ReferencedSOPClassUID), item.String(tag.ReferencedSOPInstanceUID)
			r.frames, r.segments = numbers(item, tag.ReferencedFrameNumber), numbers(item, tag.ReferencedSegmentNumber)
			visit(r)
		}
		for e := range item.All() {
			below := around
			below.inTree = below.inTree || e.Tag == tag.ContentSequence
			for _, i := range e.Items {
				walk(i, below)
			}
		}
	}
	walk(d, reference{})
}

func numbers(d *dicom.Dataset, t tag.Tag) (out []int) {
	for _, f := range d.Floats(t) {
		out = append(out, int(f))
	}
	return out
}

// contradicts returns what of a reference is not so, "" if all is.
func (r reference) contradicts(known map[string]target) string {
	to, ok := known[r.SOPInstanceUID]
	beyond := func(numbers []int, last int) bool {
		return slices.ContainsFunc(numbers, func(n int) bool { return n < 1 || n > last })
	}
	switch {
	case !ok:
		return "there is no such instance"
	case r.SOPClassUID != to.SOPClassUID:
		return "its class is " + to.SOPClassUID
	case r.StudyUID != "" && r.StudyUID != to.StudyUID, r.SeriesUID != "" && r.SeriesUID != to.SeriesUID:
		return fmt.Sprintf("it is of study %s, series %s", to.StudyUID, to.SeriesUID)
	case beyond(r.frames, to.frames):
		return fmt.Sprintf("it has %d frames", to.frames)
	case beyond(r.segments, to.segments):
		return fmt.Sprintf("it has %d segments", to.segments)
	}
	return ""
}

// everyReferenceExists: what an object of the result points to is one of sources or another object of the result, as it
// says, with the frame and the segment that it names; what a tree points to is in the evidence beside it; the main report
// tells of every object but the viewers' report, which tells of it.
func everyReferenceExists(t *testing.T, o report.Objects, sources []target) {
	t.Helper()
	known, series := map[string]target{}, map[string]bool{}
	for _, s := range sources {
		known[s.SOPInstanceUID], series[s.SeriesUID] = s, true
	}
	for _, d := range inOrder(o) {
		to := targetOf(d)
		if _, ok := known[to.SOPInstanceUID]; ok {
			t.Errorf("two objects have the UID %s", to.SOPInstanceUID)
		}
		known[to.SOPInstanceUID], series[to.SeriesUID] = to, true
	}
	for _, d := range inOrder(o) {
		evidence := slices.Concat(iod.ReadHierarchical(d.Items(tag.CurrentRequestedProcedureEvidenceSequence)),
			iod.ReadHierarchical(d.Items(tag.PertinentOtherEvidenceSequence)))
		n := 0
		references(d, func(r reference) {
			n++
			if problem := r.contradicts(known); problem != "" {
				t.Errorf("%s points to %+v: %s", kind(d), r, problem)
			}
			if r.inTree && !slices.Contains(evidence, known[r.SOPInstanceUID].Instance) {
				t.Errorf("%s: its evidence does not tell of %s, which its tree points to", kind(d), r.SOPInstanceUID)
			}
		})
		if k := kind(d); n == 0 && (k == "sr" && len(known) > 1 || k == "viewer" || k == "seg" || k == "labelmap") {
			t.Errorf("%s points to nothing", k)
		}
	}
	for _, g := range content(t, o.SR).Groups {
		if g.SourceSeriesUID != "" && !series[g.SourceSeriesUID] {
			t.Errorf("%s was drawn on series %s, which does not exist", g.TrackingID, g.SourceSeriesUID)
		}
	}
	told := map[string]bool{o.SR.String(tag.SOPInstanceUID): true}
	for _, i := range iod.ReadHierarchical(o.SR.Items(tag.CurrentRequestedProcedureEvidenceSequence)) {
		told[i.SOPInstanceUID] = true
	}
	for _, d := range inOrder(o) {
		if reference := slices.Contains(o.Reference, d); kind(d) != "viewer" && !reference && !told[d.String(tag.SOPInstanceUID)] {
			t.Errorf("the report does not tell of the %s", kind(d))
		}
	}
}

// TestEveryReferenceExists holds it for a made-up result with every kind of object; TestSources for studies of phantoms.
func TestEveryReferenceExists(t *testing.T) {
	for _, labelMap := range []bool{false, true} {
		p, src := withMaps(), source()
		src.MapsAsMR, src.LabelMap = true, labelMap
		var sources []target
		for _, s := range p.Assessment.Series {
			for _, i := range s.Instances {
				sources = append(sources, target{iod.Instance{StudyUID: studyUID, SeriesUID: s.SeriesUID, SOPClassUID: s.SOPClassUID, SOPInstanceUID: i}, 1, 0})
			}
		}
		everyReferenceExists(t, mustBuildPart(t, p, src), sources)
	}
}

// TestReferenceContradicts: each kind of wrong reference is seen.
func TestReferenceContradicts(t *testing.T) {
	right := iod.Instance{StudyUID: "1.1", SeriesUID: "1.2", SOPClassUID: uid.EnhancedMRImageStorage, SOPInstanceUID: "1.3"}
	known := map[string]target{"1.3": {right, 4, 2}}
	for name, change := range map[string]func(*reference){
		"instance": func(r *reference) { r.SOPInstanceUID = "1.4" },
		"class":    func(r *reference) { r.SOPClassUID = uid.MRImageStorage },
		"no class": func(r *reference) { r.SOPClassUID = "" },
		"series":   func(r *reference) { r.SeriesUID = "1.5" },
		"study":    func(r *reference) { r.StudyUID = "1.5" },
		"frame":    func(r *reference) { r.frames = []int{4, 5} },
		"frame 0":  func(r *reference) { r.frames = []int{0} },
		"segment":  func(r *reference) { r.segments = []int{3} },
	} {
		r := reference{Instance: right, frames: []int{1, 4}, segments: []int{2}}
		if problem := r.contradicts(known); problem != "" {
			t.Fatalf("the right one: %s", problem)
		}
		if change(&r); r.contradicts(known) == "" {
			t.Errorf("another %s is not seen", name)
		}
	}
}
