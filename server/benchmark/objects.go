package benchmark

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// object is one synthetic instance as it is stored.
type object struct {
	ref    dicomweb.Ref
	part10 []byte
	pixels [sha256.Size]byte // SHA-256 of its one frame
	size   int               // of the frame, bytes
	side   int               // rows and columns
}

// series is a synthetic series.
type series struct {
	ref     dicomweb.Ref
	objects []object
}

// study is a synthetic study.
type study struct {
	ref    dicomweb.Ref
	series []series
}

func (s study) objects() (all []object) {
	for _, e := range s.series {
		all = append(all, e.objects...)
	}
	return all
}

// Sides of the large study's images: four series of 512 x 512 and four of 256 x 256, as dynamic and diffusion series
// come.
var sides = [...]int{512, 512, 512, 512, 256, 256, 256, 256}

// Bytes of the two private elements that hold a Siemens scanner's protocol and image header (CSA) in every image.
const csaImage, csaSeries = 9216, 8192

// maker makes objects out of a template's header.
type maker struct {
	template *dicom.Dataset
	seed     string
}

// study makes the large study: as many slices in each of its eight series.
func (m maker) study(slices int) (study, error) {
	s := study{ref: dicomweb.Ref{Study: m.uid("large")}}
	for k, side := range sides {
		e := series{ref: dicomweb.Ref{Study: s.ref.Study, Series: m.uid("large", k)}}
		pixels := image(side, uint64(k))
		for i := range slices {
			d := m.header(e.ref, k, i)
			d.Set(tag.PatientName, "Benchmark^Large")
			d.Set(tag.PatientID, "BENCH-LARGE")
			o, err := finish(d, side, pixels, i)
			if err != nil {
				return s, err
			}
			e.objects = append(e.objects, o)
		}
		s.series = append(s.series, e)
	}
	return s, nil
}

// small makes study n of a list: nSeries series of nObjects instances each, of 16 x 16 pixels and without the large
// private elements.
func (m maker) small(n, nSeries, nObjects int) (study, error) {
	s := study{ref: dicomweb.Ref{Study: m.uid("small", n)}}
	pixels := image(16, 99)
	for k := range nSeries {
		e := series{ref: dicomweb.Ref{Study: s.ref.Study, Series: m.uid("small", n, k)}}
		for i := range nObjects {
			d := m.header(e.ref, k, i)
			d.Delete(tag.New(0x0029, 0x1010))
			d.Delete(tag.New(0x0029, 0x1020))
			d.Set(tag.PatientName, fmt.Sprintf("Benchmark^Small %d", n))
			d.Set(tag.PatientID, fmt.Sprintf("BENCH-%05d", n))
			d.Set(tag.AccessionNumber, fmt.Sprintf("A%d", n))
			d.Set(tag.StudyDate, fmt.Sprintf("20%02d%02d%02d", 10+n/336%15, 1+n/28%12, 1+n%28))
			o, err := finish(d, 16, pixels, i)
			if err != nil {
				return s, err
			}
			e.objects = append(e.objects, o)
		}
		s.series = append(s.series, e)
	}
	return s, nil
}

func (m maker) uid(parts ...any) string { return uid.From("benchmark", m.seed, fmt.Sprint(parts...)) }

// header is the header of instance i of series k.
func (m maker) header(ref dicomweb.Ref, k, i int) *dicom.Dataset {
	d := m.template.Clone()
	d.Set(tag.StudyInstanceUID, ref.Study)
	d.Set(tag.SeriesInstanceUID, ref.Series)
	d.Set(tag.SOPInstanceUID, uid.From("benchmark", ref.Series, fmt.Sprint(i)))
	d.Set(tag.SeriesNumber, k+1)
	d.Set(tag.InstanceNumber, i+1)
	d.Set(tag.ImagePositionPatient, -180, -180, float64(i)-75)
	d.Set(tag.SliceLocation, float64(i)-75)
	d.SetVR(tag.New(0x0029, 0x0010), dicom.LO, "SIEMENS CSA HEADER")
	d.SetVR(tag.New(0x0029, 0x1010), dicom.OB, filler(csaImage, uint64(i)))
	d.SetVR(tag.New(0x0029, 0x1020), dicom.OB, filler(csaSeries, uint64(k)))
	return d
}

// filler is n bytes that compress about as names and numbers do.
func filler(n int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 29))
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789. -abcdefghijklmnopqrs"[random.IntN(32)]
	}
	return b
}

// finish gives the object its pixels, different ones for each i.
func finish(d *dicom.Dataset, side int, pixels []byte, i int) (object, error) {
	turn := i * side * 2 % len(pixels) // by a row each
	mine := append(bytes.Clone(pixels[turn:]), pixels[:turn]...)
	d.Set(tag.Rows, side)
	d.Set(tag.Columns, side)
	d.Set(tag.BitsAllocated, 16)
	d.Set(tag.BitsStored, 12)
	d.Set(tag.HighBit, 11)
	d.Set(tag.PixelRepresentation, 0)
	d.Set(tag.WindowCenter, 1000)
	d.Set(tag.WindowWidth, 2000)
	d.SetVR(tag.PixelData, dicom.OW, mine)
	var b bytes.Buffer
	if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
		return object{}, fmt.Errorf("make an instance to store: %w", err)
	}
	ref := dicomweb.Ref{Study: d.String(tag.StudyInstanceUID), Series: d.String(tag.SeriesInstanceUID), Instance: d.String(tag.SOPInstanceUID)}
	return object{ref: ref, part10: b.Bytes(), pixels: sha256.Sum256(mine), size: len(mine), side: side}, nil
}

// image is a bright ellipse with texture on a dark ground, 12 of 16 bits, with noise in all of it as MR images have it:
// little endian.
func image(side int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 16))
	b := make([]byte, 0, side*side*2)
	for y := range side {
		for x := range side {
			u, v := 2*float64(x)/float64(side)-1, 2*float64(y)/float64(side)-1
			value := 30.0
			if r := u*u/0.8 + v*v/0.5; r < 1 {
				value = 700 + 500*math.Sin(9*u)*math.Cos(7*v) + 300*(1-r)
			}
			p := uint16(min(max(value+25*random.NormFloat64(), 0), 4095))
			b = append(b, byte(p), byte(p>>8))
		}
	}
	return b
}
