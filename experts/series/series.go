// Package series finds out what each series of a study is to the analysis, and why (PS3.3 C.8.3, C.8.13): the phases of
// the dynamic series in order of time, T2, the b-values of diffusion, the ADC map; then it reads their volumes. Sort
// looks at headers only and decides by attributes first: a description is evidence, not proof, and every attribute may
// be missing. What is not understood is called uncertain and left alone. Body part is never evidence.
package series

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
)

// Instance is one SOP Instance of a study.
type Instance struct {
	Header         *dicom.Dataset // its pixels are not looked at
	TransferSyntax string
}

// Frame names one image of the instances given to Sort.
type Frame struct {
	Instance int // index
	Number   int // from 1; 0 for a single-frame instance
	Tile     int // from 1 in an image of tiles (volume.Mosaic); 0 for the whole image
}

// Stack is one volume to be read: its slices in ascending order along the normal of the image plane (rows x columns),
// and for each slice the frames that make it. Several frames of one slice are averaged.
type Stack struct {
	SeriesUID string
	Slices    [][]Frame
	// Geometric asks for the geometric mean: that of several diffusion directions is the trace-weighted image.
	Geometric bool
}

// Phase is one time point of the dynamic series.
type Phase struct {
	Stack
	TimeS float64 // s since the first phase began
}

// BStack is the diffusion-weighted signal at one b-value.
type BStack struct {
	Stack
	BSPerMM2 float64
}

// Result is what Sort found. Absent roles are nil.
type Result struct {
	StudyUID   string
	Series     []experts.SeriesUse // every series, in order of Series Number
	DCE        []Phase             // in order of time, the pre-contrast phase first
	TimesKnown bool                // false: TimeS follows an assumption that a note states
	Reference  int                 // index into DCE: the phase that results refer to
	T2         *Stack
	DWI        []BStack // ascending b
	ADC        *Stack
	Companions []Companion // computed from DCE by the study's vendor, in order of Series Number; not read for the analysis
	Notes      []string    // assumptions and defects, for the report's reader
	// Side is the breast that DCE shows where each breast has a dynamic series of its own and it is known which is which;
	// "" otherwise.
	Side experts.Side
	// Other is the same study sorted for the other breast's dynamic series, nil where there is none. Assemble reads either.
	Other *Result
}

// Sort finds the role of every series of one study. The instances' order does not matter; the result is a function of
// the headers alone. It does not fail: what it cannot use is a SeriesUse that says so.
func Sort(instances []Instance) Result {
	s := sortFor(instances, nil)
	if s.other != nil {
		first := s.other.first()
		other := sortFor(instances, &first)
		s.Other = &other.Result
	}
	return s.Result
}

// sortFor sorts with the candidate that begins with a frame as the dynamic series; nil leaves the choice to the rules.
func sortFor(instances []Instance, first *Frame) sorter {
	s := sorter{first: first}
	all := gather(instances)
	var parts []*part
	for _, one := range all {
		if s.StudyUID == "" {
			s.StudyUID = one.header.String(tag.StudyInstanceUID)
		}
		one.classify()
		parts = append(parts, one.parts...)
	}
	s.chooseDynamic(parts)
	s.T2 = s.chooseOne(parts, contrastT2, experts.RoleT2, t2Preferences)
	s.chooseDiffusion(parts)
	s.ADC = s.chooseOne(parts, contrastADC, experts.RoleADC, adcPreferences)
	for _, one := range all {
		if one.repeated > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("%d instances of series %d were given more than once; the copies were left out", one.repeated, one.number))
		}
		s.Series = append(s.Series, one.use(instances))
	}
	s.Notes = sentences(s.Notes)
	return s
}

// sentences begins each note with a capital letter and ends it with a full stop, without repeats.
func sentences(notes []string) (out []string) {
	for _, n := range notes {
		if n = strings.ToUpper(n[:1]) + n[1:]; !strings.HasSuffix(n, ".") {
			n += "."
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// oneSeries is a series and the parts that it falls into.
type oneSeries struct {
	uid         string
	number      int
	description string
	header      *dicom.Dataset // of its first instance
	parts       []*part
	images      int
	repeated    int     // instances that were given more than once
	scattered   bool    // it falls into more than maxParts
	whole       verdict // set where the series as a whole was judged
}

// maxParts of one series: a Dixon series has four; radial projections and scrambled headers have as many as images.
const maxParts = 64

// part is a set of images of one series that could be volumes together: one geometry, one kind of image, one echo.
type part struct {
	series *oneSeries
	images []image
	verdict
	used   bool
	stacks []Stack // those that are read, for SeriesUse.Instances
}

// verdict is a role with its reason.
type verdict struct {
	role       experts.Role
	detail     string
	reason     string
	confidence float64 // an ordinal judgement of the rules, not a probability that was measured
}

func (v verdict) decided() bool { return v.role != "" }

// gather groups instances by series, in order of number and UID, and reads what the rules look at.
func gather(instances []Instance) []*oneSeries {
	byUID := map[string]*oneSeries{}
	seen := map[string]bool{} // SOP Instance UIDs
	var all []*oneSeries
	for i, in := range instances {
		uid := in.Header.String(tag.SeriesInstanceUID)
		s := byUID[uid]
		if s == nil {
			s = &oneSeries{uid: uid, header: in.Header, number: in.Header.IntOr(tag.SeriesNumber, 0), description: in.Header.String(tag.SeriesDescription)}
			byUID[uid] = s
			all = append(all, s)
		}
		if sop := in.Header.String(tag.SOPInstanceUID); sop != "" {
			if seen[sop] {
				s.repeated++
				continue
			}
			seen[sop] = true
		}
		s.add(imagesOf(i, in.Header))
	}
	slices.SortFunc(all, func(a, b *oneSeries) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.uid, b.uid))
	})
	for _, s := range all {
		for _, p := range s.parts {
			slices.SortFunc(p.images, func(a, b image) int {
				return cmp.Or(cmp.Compare(a.instanceNumber, b.instanceNumber), cmp.Compare(a.uid, b.uid), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Tile, b.Tile))
			})
		}
		slices.SortStableFunc(s.parts, func(a, b *part) int {
			x, y := &a.images[0], &b.images[0]
			return cmp.Or(cmp.Compare(x.instanceNumber, y.instanceNumber), cmp.Compare(x.uid, y.uid), cmp.Compare(x.Number, y.Number))
		})
	}
	return all
}

func (s *oneSeries) add(images []image) {
	s.images += len(images)
	for _, im := range images {
		i := slices.IndexFunc(s.parts, func(p *part) bool { return p.images[0].alike(&im) })
		if i < 0 && len(s.parts) == maxParts {
			s.scattered = true
			continue
		}
		if i < 0 {
			s.parts = append(s.parts, &part{series: s})
			i = len(s.parts) - 1
		}
		s.parts[i].images = append(s.parts[i].images, im)
	}
}

// use sums up what was made of the parts of a series: the part that is read speaks for it, else the one that the rules
// are surest of.
func (s *oneSeries) use(instances []Instance) experts.SeriesUse {
	u := experts.SeriesUse{
		SeriesUID:        s.uid,
		Number:           s.number,
		Description:      s.description,
		Modality:         s.header.String(tag.Modality),
		FrameOfReference: s.header.String(tag.FrameOfReferenceUID),
		SOPClassUID:      s.header.String(tag.SOPClassUID),
	}
	v := s.whole
	var first *part
	for _, p := range s.parts {
		if first == nil || p.used && !first.used || p.used == first.used && p.confidence > first.confidence {
			first = p
		}
		u.Used = u.Used || p.used
	}
	if !v.decided() && first != nil {
		v = first.verdict
	}
	if !v.decided() {
		v = verdict{role: experts.RoleUncertain, detail: "no image", reason: "no image could be read from its headers"}
	}
	u.Role, u.Detail, u.Reason, u.Confidence = v.role, v.detail, v.reason, v.confidence
	if n := len(s.parts); n > 1 && first.used {
		u.Reason += fmt.Sprintf(" The series holds %d kinds of images; this one was read.", n)
	}
	seen := map[int]bool{}
	for _, p := range s.parts {
		for _, stack := range p.stacks {
			for _, frames := range stack.Slices {
				for _, f := range frames {
					if f.Instance < len(instances) && !seen[f.Instance] {
						seen[f.Instance] = true
						u.Instances = append(u.Instances, instances[f.Instance].Header.String(tag.SOPInstanceUID))
					}
				}
			}
		}
	}
	return u
}
