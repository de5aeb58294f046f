package report

import (
	"fmt"
	"slices"
	"strconv"

	"mome/dicomweb/derived"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/pm"
	"mome/experts"
	"mome/fusion"
)

const (
	referenceSeriesNumber = 9005
	referenceDescription  = "AI reference phase for overlays [INVESTIGATIONAL]"
)

// copyReference lets the assessment refer to the copy of its reference phase, where there is to be one.
func (b *build) copyReference() {
	if b.part.ReferencePhase == nil {
		return
	}
	a := *b.a
	a.Reference = fusion.Reference{SeriesUID: uid.From("series", "reference phase", b.key), SOPClassUID: uid.MRImageStorage}
	for k := range b.a.Reference.Slices {
		a.Reference.Slices = append(a.Reference.Slices, experts.Slice{SOPInstanceUID: uid.From("instance", "reference phase", b.key, strconv.Itoa(k))})
	}
	b.a = &a
}

// referencePhase writes the copy: every slice in full, with what it was made from.
func (b *build) referencePhase() ([]*dicom.Dataset, error) {
	v := b.part.ReferencePhase
	if v == nil {
		return nil, nil
	}
	if !v.Grid.Same(&b.a.Grid) || len(v.Data) != v.Len() {
		return nil, fmt.Errorf("its voxels are not those of the assessment")
	}
	m := &pm.Map{
		Data: v.Data, Quantity: code.T1Signal, Unit: code.Dimensionless, Derivation: code.PixelCopy, Name: "SIGNAL", Label: "REFERENCE_PHASE",
		Description: "Signal of the dynamic phase that results refer to, as acquired", Creator: b.algorithm.Name, Laterality: b.laterality(),
		Lossy: b.lossy(), Whole: true, Grid: b.grid(), Source: sourceOf(b.part.Assessment.Reference),
	}
	n, fill, err := derived.Series(m, b.src.Headers.String(tag.PatientPosition))
	if err != nil {
		return nil, err
	}
	low, high := window(v.Data)
	out := make([]*dicom.Dataset, n)
	for k := range out {
		out[k] = b.header(iod.Instance{SOPClassUID: uid.MRImageStorage, SOPInstanceUID: b.a.Reference.Slices[k].SOPInstanceUID},
			iod.Series{Modality: "MR", UID: b.a.Reference.SeriesUID, Number: referenceSeriesNumber, Description: referenceDescription})
		b.declareScheme(out[k])
		fill(out[k], k)
		// Few voxels are as bright as the brightest, which the window of a map goes up to.
		world, _ := out[k].Item(tag.RealWorldValueMappingSequence).Float(tag.RealWorldValueSlope)
		shown, _ := out[k].Float(tag.RescaleSlope)
		out[k].Set(tag.WindowCenter, (low+high)/2*shown/world)
		out[k].Set(tag.WindowWidth, max((high-low)*shown/world, 1))
	}
	return out, nil
}

// window returns 0 and the signal that one voxel in 200 exceeds, of a hundred thousand of them.
func window(data []float32) (low, high float64) {
	const samples = 100_000
	var some []float32
	for at := 0; at < len(data); at += max(len(data)/samples, 1) {
		some = append(some, data[at])
	}
	slices.Sort(some)
	return 0, float64(some[len(some)*199/200])
}
