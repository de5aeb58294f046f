package series_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/series"
	"mome/fixtures/phantom"
)

// removal takes one kind of evidence from a header, as anonymisers, archives and exports do.
type removal struct {
	name   string
	remove func(h *dicom.Dataset)
}

func without(tags ...tag.Tag) func(h *dicom.Dataset) {
	return func(h *dicom.Dataset) {
		visit(h, func(d *dicom.Dataset) {
			for _, t := range tags {
				d.Delete(t)
			}
		})
	}
}

// visit calls edit with a header and all items in it: the functional groups of enhanced objects.
func visit(h *dicom.Dataset, edit func(d *dicom.Dataset)) {
	edit(h)
	for e := range h.All() {
		for _, item := range e.Items {
			visit(item, edit)
		}
	}
}

// deepClone returns a header that shares no item with h.
func deepClone(h *dicom.Dataset) *dicom.Dataset {
	c := h.Clone()
	for e := range h.All() {
		if len(e.Items) == 0 {
			continue
		}
		items := make([]*dicom.Dataset, len(e.Items))
		for i, item := range e.Items {
			items[i] = deepClone(item)
		}
		c.SetItems(e.Tag, items...)
	}
	return c
}

// typesUpTo cuts Image Type and Frame Type after n values.
func typesUpTo(n int) func(h *dicom.Dataset) {
	return func(h *dicom.Dataset) {
		visit(h, func(d *dicom.Dataset) {
			for _, t := range []tag.Tag{tag.ImageType, tag.FrameType} {
				var kept []any
				for _, v := range d.Strings(t)[:min(n, len(d.Strings(t)))] {
					kept = append(kept, v)
				}
				if d.Has(t) {
					d.Set(t, kept...)
				}
			}
		})
	}
}

var removals = []removal{
	{"Acquisition Time", without(tag.AcquisitionTime, tag.AcquisitionDateTime)},
	{"Content Time", without(tag.ContentTime)},
	{"Trigger Time", without(tag.TriggerTime)},
	{"Series Time", without(tag.SeriesTime)},
	{"Frame Acquisition DateTime", without(tag.FrameAcquisitionDateTime)},
	{"Acquisition Number", without(tag.AcquisitionNumber, tag.FrameAcquisitionNumber)},
	{"Temporal Position", without(tag.TemporalPositionIdentifier, tag.TemporalPositionIndex)},
	{"Frame Content", without(tag.FrameContentSequence)},
	{"Number of Temporal Positions", without(tag.NumberOfTemporalPositions)},
	{"private groups", func(h *dicom.Dataset) {
		var private []tag.Tag
		for e := range h.All() {
			if e.Tag.Private() {
				private = append(private, e.Tag)
			}
		}
		without(private...)(h)
	}},
	{"Series Description", without(tag.SeriesDescription)},
	{"Protocol Name", without(tag.ProtocolName)},
	{"Sequence Name", without(tag.SequenceName, tag.PulseSequenceName)},
	{"Image Type", without(tag.ImageType, tag.FrameType)},
	{"Image Type after its second value", typesUpTo(2)},
	{"Scanning Sequence", without(tag.ScanningSequence, tag.EchoPulseSequence)},
	{"Scan Options", without(tag.ScanOptions, tag.SpectrallySelectedSuppression)},
	{"Repetition Time", without(tag.RepetitionTime)},
	{"Echo Time", without(tag.EchoTime, tag.EffectiveEchoTime)},
	{"Inversion Time", without(tag.InversionTime, tag.InversionTimes, tag.InversionRecovery)},
	{"Flip Angle", without(tag.FlipAngle)},
	{"Manufacturer", without(tag.Manufacturer)},
	{"Diffusion b-value", without(tag.DiffusionBValue)},
	{"Diffusion Directionality", without(tag.DiffusionDirectionality)},
	{"Echo Planar Pulse Sequence", without(tag.EchoPlanarPulseSequence)},
	{"calculation technique", without(tag.VolumeBasedCalculationTechnique)},
	{"contrast agent", without(tag.ContrastBolusAgent, tag.ContrastBolusVolume, tag.ContrastBolusStartTime)},
	{"Instance Number", without(tag.InstanceNumber)},
	{"Series Number", without(tag.SeriesNumber)},
	{"Image Position", without(tag.ImagePositionPatient)},
	{"Frame of Reference", without(tag.FrameOfReferenceUID)},
	{"rescale", without(tag.RescaleSlope, tag.RescaleIntercept, tag.RescaleType)},
}

// known is a study whose sorting is right with all its attributes: what it says then is the truth when some are gone.
type known struct {
	headers []*dicom.Dataset
	roles   map[string]experts.Role // by Series Instance UID
	phase   map[string]int          // by frame, from 1; of DCE images
	b       map[string]float64      // by frame; of DWI images
	timesS  []float64
}

// knownPhantom is a vendor's study with distractors, six slices of each stack.
func knownPhantom(t *testing.T, vendor phantom.Vendor) known {
	t.Helper()
	p, err := phantom.New(phantom.Config{Vendor: vendor, Resolution: phantom.Tiny, Phases: 4, Distractors: true, Lesions: []phantom.Lesion{}})
	if err != nil {
		t.Fatal(err)
	}
	k := known{roles: map[string]experts.Role{}, phase: map[string]int{}, b: map[string]float64{}}
	places := map[string][]string{}
	for _, h := range p.Instances() {
		uid, at := h.String(tag.SeriesInstanceUID), strings.Join(h.Strings(tag.ImagePositionPatient), " ")
		if !slices.Contains(places[uid], at) {
			if len(places[uid]) == 6 && !strings.Contains(strings.ToLower(h.String(tag.SeriesDescription)), "loc") {
				continue
			}
			places[uid] = append(places[uid], at)
		}
		h.Delete(tag.PixelData)
		if groups := h.Items(tag.PerFrameFunctionalGroupsSequence); len(groups) > 15 { // more than a localizer
			h.SetItems(tag.PerFrameFunctionalGroupsSequence, slices.DeleteFunc(slices.Clone(groups), func(g *dicom.Dataset) bool {
				return g.Item(tag.FrameContentSequence).IntOr(tag.InStackPositionNumber, 0) > 6
			})...)
		}
		k.headers = append(k.headers, h)
	}
	r := series.Sort(k.instances(nil))
	for _, u := range r.Series {
		k.roles[u.SeriesUID] = u.Role
	}
	for n, p := range r.DCE {
		k.timesS = append(k.timesS, p.TimeS)
		for _, f := range p.Slices {
			k.phase[k.name(f[0])] = n + 1
		}
	}
	for _, b := range r.DWI {
		for _, f := range b.Slices {
			k.b[k.name(f[0])] = b.BSPerMM2
		}
	}
	if len(k.timesS) != 4 || len(r.DWI) != 3 || r.T2 == nil || r.ADC == nil {
		t.Fatalf("the whole study is not understood:\n%s", summary(r))
	}
	return k
}

// name tells a frame from all others of the study.
func (k *known) name(f series.Frame) string {
	return fmt.Sprint(k.headers[f.Instance].String(tag.SOPInstanceUID), " ", f.Number)
}

// instances returns copies of the headers that edit has changed.
func (k *known) instances(edit func(h *dicom.Dataset)) []series.Instance {
	var in []series.Instance
	for _, h := range k.headers {
		c := deepClone(h)
		if edit != nil {
			edit(c)
		}
		in = append(in, series.Instance{Header: c, TransferSyntax: explicit})
	}
	return in
}

// wrong lists what a result claims that is not true. Uncertain and absent are no claims.
func (k *known) wrong(r series.Result) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, u := range r.Series {
		if want := k.roles[u.SeriesUID]; u.Role != want && u.Role != experts.RoleUncertain {
			say("series %d (%s) is %s (%s: %s), was %s", u.Number, u.Description, u.Role, u.Detail, u.Reason, want)
		}
	}
	last := 0
	for n, p := range r.DCE {
		of := k.phase[k.name(p.Slices[0][0])]
		for _, f := range p.Slices {
			if len(f) != 1 || k.phase[k.name(f[0])] != of || of == 0 {
				say("phase %d holds images of phases %d and %d", n+1, of, k.phase[k.name(f[0])])
				break
			}
		}
		if of < last {
			say("phase %d follows phase %d", of, last)
		}
		last = of
		if of > 0 && r.TimesKnown && math.Abs(p.TimeS-(k.timesS[of-1]-k.timesS[max(k.phase[k.name(r.DCE[0].Slices[0][0])], 1)-1])) > 12 {
			say("phase %d is said to be at %g s, was at %g s", of, p.TimeS, k.timesS[of-1])
		}
	}
	for _, b := range r.DWI {
		for _, f := range b.Slices {
			if want, ok := k.b[k.name(f[0])]; !ok || math.Abs(want-b.BSPerMM2) > 5 {
				say("b %g, was %g (%v)", b.BSPerMM2, want, ok)
				break
			}
		}
	}
	return out
}

// idle are the removals that no pattern's phases, T2 or ADC may hang on.
var idle = []string{"Acquisition Time", "Content Time", "Trigger Time", "Series Time", "Frame Acquisition DateTime", "Acquisition Number",
	"Number of Temporal Positions", "private groups", "Protocol Name", "Sequence Name", "Scan Options", "Flip Angle", "Diffusion b-value",
	"Diffusion Directionality", "Echo Planar Pulse Sequence", "calculation technique", "contrast agent", "rescale"}

// TestStrippedHeaders takes attributes away, one and two at a time, from a whole study of each vendor: the less there
// is, the less is claimed, but nothing wrong is.
func TestStrippedHeaders(t *testing.T) {
	for _, vendor := range phantom.AllVendors() {
		t.Run(string(vendor), func(t *testing.T) {
			k := knownPhantom(t, vendor)
			try := func(name string, edit func(h *dicom.Dataset)) {
				for _, text := range k.wrong(series.Sort(k.instances(edit))) {
					t.Errorf("without %s: %s", name, text)
				}
			}
			for i, a := range removals {
				try(a.name, a.remove)
				if r := series.Sort(k.instances(a.remove)); slices.Contains(idle, a.name) && (len(r.DCE) != 4 || r.T2 == nil || r.ADC == nil) {
					t.Errorf("without %s: %d phases, T2 %v, ADC %v\n%s", a.name, len(r.DCE), r.T2 != nil, r.ADC != nil, summary(r))
				}
				for _, b := range removals[i+1:] {
					try(a.name+" and "+b.name, func(h *dicom.Dataset) { a.remove(h); b.remove(h) })
				}
			}
		})
	}
}

// TestStrippedSeries takes attributes away from one series at a time: it then differs from those that it belongs with.
func TestStrippedSeries(t *testing.T) {
	for _, vendor := range phantom.AllVendors() {
		t.Run(string(vendor), func(t *testing.T) {
			k := knownPhantom(t, vendor)
			for uid, role := range k.roles {
				for _, a := range removals {
					r := series.Sort(k.instances(func(h *dicom.Dataset) {
						if h.String(tag.SeriesInstanceUID) == uid {
							a.remove(h)
						}
					}))
					for _, text := range k.wrong(r) {
						t.Errorf("a series of role %s without %s: %s", role, a.name, text)
					}
				}
			}
		})
	}
}
