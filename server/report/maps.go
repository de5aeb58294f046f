package report

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"

	"mome/dicomweb/derived"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
	"mome/dicomweb/pm"
	"mome/dicomweb/sc"
	"mome/dicomweb/sr"
	"mome/experts/volume"
)

// MapKind is the quantity that a map holds.
type MapKind string

// Kinds of maps.
const (
	Explanation MapKind = "explanation" // log-odds per voxel that speak for malignancy, see fusion/explain
	PE          MapKind = "PE"          // percent enhancement of the early phase, %
	SER         MapKind = "SER"         // signal enhancement ratio
	ADC         MapKind = "ADC"         // 1e-6 mm2/s
)

// Map is a quantity per voxel. A volume on the grid of the assessment, or on a part of it, points to the slices of the
// reference series; one on a grid of its own stands for itself. Values that are 0 or no number are not written, and a map
// that has no others is left out.
type Map struct {
	Kind   MapKind
	Volume *volume.Volume
}

// Picture is what another package drew.
type Picture struct {
	Description string        // what is seen, at most 64 characters
	Frames      []image.Image // of one size
	// Grid is the plane that each frame lies on, one slice each; nil for pictures that are no planes.
	Grid *volume.Grid
	// Drawn reports whether text is drawn into the pictures.
	Drawn bool
}

// form is how a kind of map is written.
type form struct {
	name, label           string // LUT Label; Content Label
	series                string // Series Description
	description           string
	quantity, unit, maker code.Code
}

func (k MapKind) form() (form, bool) {
	switch k {
	case Explanation:
		return form{"ATTRIBUTION", "ATTRIBUTION", "AI explanation map [INVESTIGATIONAL]", "Attribution, log-odds of malignancy per voxel; 0 where none",
			code.Saliency, code.Dimensionless, code.VisualExplain}, true
	case PE:
		return form{"PE", "PERCENT_ENHANCE", "Percent enhancement map [INVESTIGATIONAL]", "Early percent enhancement; 0 where there is none",
			code.PEEarly, code.Percent, code.PerfusionImage}, true
	case SER:
		return form{"SER", "SER", "Signal enhancement ratio map [INVESTIGATIONAL]", "Signal enhancement ratio; 0 where there is none",
			code.SER, code.Ratio, code.PerfusionImage}, true
	case ADC:
		return form{"ADC", "ADC", "ADC map [INVESTIGATIONAL]", "Apparent diffusion coefficient; 0 where there is none",
			code.ADC, code.UM2PerS, code.DiffusionImage}, true
	}
	return form{}, false
}

// Series numbers of maps and pictures, to which their place is added.
const (
	mapSeriesNumber     = 9010
	derivedSeriesNumber = 9030
	pictureSeriesNumber = 9050
)

// mapObjects writes each map as a Parametric Map and, where asked for, as a series of derived MR images.
func (b *build) mapObjects() (out []*dicom.Dataset, err error) {
	for n, m := range b.part.Maps {
		f, _ := m.Kind.form()
		data, err := b.parametric(m, f)
		if err != nil {
			return nil, fmt.Errorf("%s map: %w", m.Kind, err)
		}
		i := b.mapInstance(m.Kind)
		d := b.header(i, iod.Series{Modality: "OT", UID: i.SeriesUID, Number: mapSeriesNumber + n, Description: f.series})
		b.declareScheme(d)
		if err := data.Fill(d, b.now); err != nil {
			return nil, fmt.Errorf("%s map: %w", m.Kind, err)
		}
		out = append(out, d)
		if !b.src.MapsAsMR {
			continue
		}
		images, err := b.derivedImages(data, m.Kind, f, derivedSeriesNumber+n)
		if err != nil {
			return nil, fmt.Errorf("%s map: %w", m.Kind, err)
		}
		out = append(out, images...)
	}
	return out, nil
}

func (b *build) parametric(m Map, f form) (*pm.Map, error) {
	out := &pm.Map{
		Data: m.Volume.Data, Quantity: f.quantity, Unit: f.unit, Derivation: f.maker, Name: f.name, Label: f.label, Description: f.description,
		Creator: b.algorithm.Name, Laterality: b.laterality(), Lossy: b.lossy(), Whole: b.src.WholeMaps,
	}
	at, ok := partOf(&b.a.Grid, &m.Volume.Grid)
	switch {
	case ok && b.src.WholeMaps:
		out.Grid, out.Source, out.Data = b.grid(), b.reference(), spread(m.Volume, &b.a.Grid, at)
	case b.src.WholeMaps:
		return nil, fmt.Errorf("lies on a grid of its own and cannot be written for all slices of the source")
	case ok:
		out.Grid, out.Source = planes(&m.Volume.Grid), b.reference()
		out.Grid.SliceThicknessMM, out.Grid.PositionReference = b.grid().SliceThicknessMM, b.grid().PositionReference
		out.Source.Slices = out.Source.Slices[at[2] : at[2]+m.Volume.Size[2]]
	default:
		out.Grid = planes(&m.Volume.Grid)
		out.Source = multiframe.Source{Slices: make([]multiframe.Slice, m.Volume.Size[2])}
	}
	return out, nil
}

// partOf returns the voxel of whole at which part begins; ok is false if its voxels are not voxels of whole.
func partOf(whole, part *volume.Grid) (at [3]int, ok bool) {
	x, y, z := whole.At(part.Origin)
	for a, v := range [3]float64{x, y, z} {
		at[a] = int(math.Round(v))
	}
	box := *whole
	box.Size = part.Size
	box.Origin = whole.Point(float64(at[0]), float64(at[1]), float64(at[2]))
	for a := range at {
		if at[a] < 0 || at[a]+part.Size[a] > whole.Size[a] {
			return at, false
		}
	}
	return at, box.Same(part)
}

// spread lays the values of a part of a grid onto the whole of it.
func spread(v *volume.Volume, whole *volume.Grid, at [3]int) []float32 {
	data := make([]float32, whole.Len())
	for k := range v.Size[2] {
		for j := range v.Size[1] {
			from := v.Index(0, j, k)
			copy(data[whole.Index(at[0], at[1]+j, at[2]+k):], v.Data[from:from+v.Size[0]])
		}
	}
	return data
}

// laterality returns the one breast that was read, "B" for both.
func (b *build) laterality() string {
	if len(b.a.Breasts) == 1 {
		return string(b.a.Breasts[0].Side)
	}
	return "B"
}

// derivedImages writes a map for viewers that know no Parametric Map.
func (b *build) derivedImages(m *pm.Map, kind MapKind, f form, number int) ([]*dicom.Dataset, error) {
	images, fill, err := derived.Series(m, b.src.Headers.String(tag.PatientPosition))
	if err != nil {
		return nil, err
	}
	series := iod.Series{Modality: "MR", UID: uid.From("series", "derived", string(kind), b.key), Number: number, Description: f.series}
	out := make([]*dicom.Dataset, images)
	for n := range out {
		out[n] = b.header(iod.Instance{
			SOPClassUID: uid.MRImageStorage, SOPInstanceUID: uid.From("instance", "derived", string(kind), b.key, strconv.Itoa(n)),
		}, series)
		b.declareScheme(out[n])
		fill(out[n], n)
	}
	return out, nil
}

// pictureObjects writes what was drawn, all in one series.
func (b *build) pictureObjects() (out []*dicom.Dataset, err error) {
	for n, p := range b.part.Pictures {
		c := sc.Capture{Images: p.Frames, Description: p.Description + ". " + Disclaimer, Laterality: b.laterality(), Drawn: p.Drawn}
		if p.Grid != nil {
			g := planes(p.Grid)
			c.Grid = &g
		}
		i := iod.Instance{SOPClassUID: c.Class(), SOPInstanceUID: uid.From("instance", "picture", p.Description, b.key, strconv.Itoa(n))}
		d := b.header(i, iod.Series{
			Modality: "OT", UID: uid.From("series", "picture", b.key, strconv.Itoa(n)), Number: pictureSeriesNumber + n,
			Description: short(p.Description, 64-len(investigational)) + investigational,
		})
		if err := c.Fill(d, n+1, b.now); err != nil {
			return nil, fmt.Errorf("picture %d: %w", n+1, err)
		}
		out = append(out, d)
	}
	return out, nil
}

// investigational ends every Series Description.
const investigational = " [INVESTIGATIONAL]"

// short cuts s to n characters.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// declareScheme names the local coding scheme, C.12.1.
func (b *build) declareScheme(d *dicom.Dataset) {
	d.SetItems(tag.CodingSchemeIdentificationSequence, iod.CodingScheme(b.src.Node.Manufacturer))
}

func (b *build) mapInstance(kind MapKind) iod.Instance {
	return b.instance("map "+string(kind), uid.ParametricMapStorage)
}

// explained points a lesion's group to the map that explains its probability.
func (b *build) explained(r *sr.ROI) {
	for _, m := range b.part.Maps {
		if m.Kind == Explanation {
			r.Images = append(r.Images, sr.Picture{Name: code.ExplanationMap, Ref: sr.Ref{Instance: b.mapInstance(m.Kind)}})
		}
	}
}

// checkMaps returns an error that names what cannot be written.
func checkMaps(p Part) error {
	seen := map[MapKind]bool{}
	for _, m := range p.Maps {
		if _, ok := m.Kind.form(); !ok || m.Volume == nil || len(m.Volume.Data) != m.Volume.Len() {
			return fmt.Errorf("map %q is not known or has no volume", m.Kind)
		}
		if seen[m.Kind] {
			return fmt.Errorf("two maps are of %q", m.Kind)
		}
		seen[m.Kind] = true
	}
	return nil
}

// valued leaves out maps without a value, which say nothing: such as SER in a study without a late phase.
func valued(all []Map) []Map {
	return slices.DeleteFunc(slices.Clone(all), func(m Map) bool {
		return !slices.ContainsFunc(m.Volume.Data, func(v float32) bool { return v != 0 && v-v == 0 })
	})
}

// instanceOf names an object that was made.
func instanceOf(d *dicom.Dataset) iod.Instance {
	return iod.Instance{
		StudyUID: d.String(tag.StudyInstanceUID), SeriesUID: d.String(tag.SeriesInstanceUID),
		SOPClassUID: d.String(tag.SOPClassUID), SOPInstanceUID: d.String(tag.SOPInstanceUID),
	}
}
