// Package report turns an Assessment into the DICOM objects that are stored in the study: one Comprehensive 3D SR
// (TID 1500), always; a Segmentation where there is something to outline; and as asked for a second SR that viewers draw,
// Parametric Maps, the same as derived MR images, pictures. The same analysis gives the same UIDs and, with the same
// Source.Now, the same bytes, so that a result is stored once however often it is made. Results are marked as
// investigational, unverified and preliminary; a study that could not be analysed gets a report that says so and never
// reads as negative.
package report

import (
	"fmt"
	"slices"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/seg"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/words"
)

// Disclaimer stands in every result.
const Disclaimer = "INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE"

// Series of the results.
const (
	srSeriesNumber     = 9001
	segSeriesNumber    = 9002
	viewerSeriesNumber = 9003
	srDescription      = "AI breast MRI result [INVESTIGATIONAL]"
	segDescription     = "AI breast MRI segmentation [INVESTIGATIONAL]"
	viewerDescription  = "AI lesion measurements for viewers [INVESTIGATIONAL]"
)

// Source is what a result takes from elsewhere.
type Source struct {
	// Headers is an instance of the study; of the reference series if possible, whose slice thickness and compression
	// are then known. Patient and study attributes are copied from it, in any character set.
	Headers *dicom.Dataset
	Node    iod.Equipment // the machine, not the algorithm
	// Now is when the result was made. It is written to the second into every date and time of the result and into
	// nothing else: pass a time that is stored with the job (not the clock) and an analysis that runs again after a
	// crash gives the same bytes. The UIDs do not depend on it. It is written in the zone that the study states
	// (Timezone Offset From UTC) or, as most state none, in its own: pass the site's local time.
	Now time.Time
	// Digests tells by SOP Instance UID what identifies an input's content, such as the SHA-256 of the stored bytes: an
	// instance that was replaced under its own UID then leads to a new result. It may be nil or lack instances.
	Digests map[string]string
	// Predecessors are earlier SRs of this node on the study, of whatever SOP class, each of which is replaced by the one of
	// its class in this result. The result itself is skipped if it is among them.
	Predecessors []iod.Instance
	// NoCenter leaves the centre of each lesion (SCOORD3D) out of the SR, for viewers that fail on it.
	NoCenter bool
	// Language is that of sentences, labels and the meanings of this project's own codes.
	Language words.Language
	// ViewerSR asks for the second SR, with the lesions as drawings.
	ViewerSR bool
	// LabelMap asks for the SEG as a label map, in which lesions lie over tissue over breasts: the volumes of the SR are
	// then more than its voxels.
	LabelMap bool
	// MapsAsMR asks for each map as a series of derived MR images too, for viewers that know no Parametric Map.
	MapsAsMR bool
	// WholeMaps writes every slice of a map in full and not only what has values, as viewers built on Cornerstone need it;
	// a map then takes the space of its whole volume.
	WholeMaps bool
}

// Objects are the data sets of a result, nil where there is nothing to say.
type Objects struct {
	SR        *dicom.Dataset // always there
	SEG       *dicom.Dataset
	ViewerSR  *dicom.Dataset   // see Source.ViewerSR
	Reference []*dicom.Dataset // see Part.ReferencePhase
	Maps      []*dicom.Dataset // Parametric Maps, and derived MR images where these were asked for
	Pictures  []*dicom.Dataset
}

// InOrder returns all objects in the order in which they must be stored: the SRs, which refer to the rest, come last, so
// that a result whose SRs are there is complete.
func InOrder(all []Objects) (out []*dicom.Dataset) {
	add := func(of func(Objects) []*dicom.Dataset) {
		for _, o := range all {
			for _, d := range of(o) {
				if d != nil {
					out = append(out, d)
				}
			}
		}
	}
	add(func(o Objects) []*dicom.Dataset { return o.Reference })
	add(func(o Objects) []*dicom.Dataset { return []*dicom.Dataset{o.SEG} })
	add(func(o Objects) []*dicom.Dataset { return o.Maps })
	add(func(o Objects) []*dicom.Dataset { return o.Pictures })
	add(func(o Objects) []*dicom.Dataset { return []*dicom.Dataset{o.ViewerSR} })
	add(func(o Objects) []*dicom.Dataset { return []*dicom.Dataset{o.SR} })
	return out
}

// build is one call of Build.
type build struct {
	part      Part
	a         *fusion.Assessment // of part
	src       Source
	now       time.Time // in the zone of the study
	lang      words.Language
	algorithm iod.Algorithm
	key       string // identifies the analysis
	segments  segments

	sr, seg, viewer iod.Instance // the objects to be made
}

// Build makes the objects of an assessment. It fails when the assessment contradicts itself or when something that
// DICOM demands is missing; the error names it. a is not changed and not kept; the SEG's frames are packed copies.
func Build(a *fusion.Assessment, src Source) (Objects, error) {
	all, err := BuildAll([]Part{{Assessment: a, Headers: src.Headers}}, src)
	if err != nil {
		return Objects{}, err
	}
	return all[0], nil
}

// Part is one assessment of a study that has several, such as one for each breast, and the headers that its objects take
// theirs from, with what is shown beside it.
type Part struct {
	Assessment *fusion.Assessment
	Headers    *dicom.Dataset
	Maps       []Map // at most one of each kind
	// ReferencePhase, if not nil, is the phase that the assessment refers to: it is written as a series of its own, and results
	// refer to that. Where all phases share a series, viewers lay a segmentation over the wrong one, or none.
	ReferencePhase *volume.Volume
	Pictures       []Picture
}

// BuildAll makes the objects of every part, as Build does. None of their SRs replaces another.
func BuildAll(parts []Part, src Source) ([]Objects, error) {
	builds, own := make([]*build, len(parts)), map[string]bool{}
	for n, p := range parts {
		src.Headers = p.Headers
		b, err := newBuild(p, src)
		if err != nil {
			return nil, fmt.Errorf("report on study %s: %w", p.Assessment.StudyUID, err)
		}
		builds[n], own[b.sr.SOPInstanceUID], own[b.viewer.SOPInstanceUID] = b, true, true
	}
	out := make([]Objects, len(parts))
	for n, b := range builds {
		b.src.Predecessors = slices.DeleteFunc(slices.Clone(src.Predecessors), func(i iod.Instance) bool { return own[i.SOPInstanceUID] })
		var err error
		if out[n], err = b.objects(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *build) objects() (o Objects, err error) {
	if o.Reference, err = b.referencePhase(); err != nil {
		return o, fmt.Errorf("reference phase of study %s: %w", b.a.StudyUID, err)
	}
	if len(b.segments.list) > 0 {
		if o.SEG, err = b.segmentation(); err != nil {
			return o, fmt.Errorf("segmentation of study %s: %w", b.a.StudyUID, err)
		}
	}
	if o.Maps, err = b.mapObjects(); err != nil {
		return o, fmt.Errorf("maps of study %s: %w", b.a.StudyUID, err)
	}
	if o.Pictures, err = b.pictureObjects(); err != nil {
		return o, fmt.Errorf("pictures of study %s: %w", b.a.StudyUID, err)
	}
	var shown []iod.Instance
	for _, d := range slices.Concat(o.Maps, o.Pictures) {
		shown = append(shown, instanceOf(d))
	}
	if o.SR, err = b.report(shown); err != nil {
		return o, fmt.Errorf("report on study %s: %w", b.a.StudyUID, err)
	}
	if b.src.ViewerSR {
		if o.ViewerSR, err = b.viewerReport(); err != nil {
			return o, fmt.Errorf("viewers' report on study %s: %w", b.a.StudyUID, err)
		}
	}
	return o, nil
}

func newBuild(p Part, src Source) (*build, error) {
	a := p.Assessment
	b := &build{part: p, a: a, src: src, now: iod.Zone(src.Headers, src.Now), lang: src.Language, algorithm: algorithm(a)}
	switch {
	case src.Headers.String(tag.StudyInstanceUID) != a.StudyUID || !uid.Valid(a.StudyUID):
		return nil, fmt.Errorf("source headers are of study %q", src.Headers.String(tag.StudyInstanceUID))
	case src.Now.IsZero():
		return nil, fmt.Errorf("source has no time")
	case a.Outcome != fusion.WithFindings && a.Outcome != fusion.WithoutFindings && a.Outcome != fusion.NotDone:
		return nil, fmt.Errorf("outcome is %q", a.Outcome)
	case a.Outcome == fusion.WithFindings && len(a.Findings) == 0:
		return nil, fmt.Errorf("outcome is %q, but there are none", a.Outcome)
	}
	if err := src.Node.Validate(); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	if err := b.algorithm.Validate(); err != nil {
		return nil, err
	}
	if err := checkMaps(p); err != nil {
		return nil, err
	}
	b.part.Maps = valued(p.Maps)
	b.key = key(b.part, src)
	b.sr = b.instance("SR", uid.Comprehensive3DSRStorage)
	b.seg = b.instance("SEG", (&seg.Segmentation{LabelMap: src.LabelMap}).Class())
	b.viewer = b.instance("viewer SR", uid.ComprehensiveSRStorage)
	if a.Outcome == fusion.NotDone {
		b.part.ReferencePhase = nil
		return b, nil
	}
	b.copyReference()
	var err error
	b.segments, err = b.collect()
	return b, err
}

// header starts an object with the modules that both have.
func (b *build) header(i iod.Instance, s iod.Series) *dicom.Dataset {
	d := dicom.New()
	iod.PatientStudy(d, b.src.Headers)
	iod.SOPCommon(d, i.SOPClassUID, i.SOPInstanceUID, b.now)
	s.General(d, b.now)
	b.src.Node.Enhanced(d)
	b.algorithm.Contributing(d, b.warning(), b.now)
	return d
}

// segmentation makes the SEG.
func (b *build) segmentation() (*dicom.Dataset, error) {
	d := b.header(b.seg, iod.Series{
		Modality: "SEG", UID: b.seg.SeriesUID, Number: segSeriesNumber, Description: segDescription, Code: code.Segmentation,
	})
	return d, b.segments.object(b).Fill(d, b.now)
}
