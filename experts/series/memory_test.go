package series_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/experts/series"
)

// A dynamic series of the full size.
const fullPhases, fullSlices, fullSide = 6, 160, 352

// virtual is a file whose header is held and whose pixels are one frame over and over.
type virtual struct {
	header, frame []byte
	size          int64
}

func (v *virtual) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && at < v.size {
		from := v.header
		if at >= int64(len(v.header)) {
			from = v.frame[(at-int64(len(v.header)))%int64(len(v.frame)):]
		} else {
			from = from[at:]
		}
		k := copy(p[n:], from[:min(int64(len(from)), v.size-at)])
		n, at = n+k, at+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// fullHeader is a T1-weighted gradient echo of one phase.
func fullHeader(phase int) *dicom.Dataset {
	h := dicom.New()
	h.Set(tag.SOPClassUID, mrImage)
	h.Set(tag.StudyInstanceUID, "1.2")
	h.Set(tag.SeriesInstanceUID, "1.2.3")
	h.Set(tag.FrameOfReferenceUID, "1.2.0")
	h.Set(tag.Modality, "MR")
	h.Set(tag.ImageType, "ORIGINAL", "PRIMARY", "M")
	h.Set(tag.ScanningSequence, "GR")
	h.Set(tag.RepetitionTime, 4.5)
	h.Set(tag.EchoTime, 1.7)
	h.Set(tag.FlipAngle, 10)
	h.Set(tag.TemporalPositionIdentifier, phase+1)
	h.Set(tag.Rows, fullSide)
	h.Set(tag.Columns, fullSide)
	h.Set(tag.PixelSpacing, 1, 1)
	h.Set(tag.SliceThickness, 1)
	h.Set(tag.ImageOrientationPatient, 1, 0, 0, 0, 1, 0)
	h.Set(tag.SamplesPerPixel, 1)
	h.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	h.Set(tag.BitsAllocated, 16)
	h.Set(tag.BitsStored, 16)
	h.Set(tag.HighBit, 15)
	h.Set(tag.PixelRepresentation, 0)
	return h
}

// file makes a virtual file of a header and so many times the frame, which is one item where it is encapsulated.
func file(t *testing.T, h *dicom.Dataset, frame []byte, times int, syntax string) (*virtual, *dicom.Dataset) {
	t.Helper()
	var b bytes.Buffer
	if err := dicom.Write(&b, h, explicit); err != nil {
		t.Fatal(err)
	}
	length := uint32(times * len(frame))
	if syntax != explicit {
		length = 0xFFFFFFFF
	}
	head := bytes.Replace(b.Bytes(), []byte(explicit), []byte(syntax), 1) // of the same length
	head = append(head, 0xE0, 0x7F, 0x10, 0x00, 'O', 'W', 0, 0)
	head = binary.LittleEndian.AppendUint32(head, length)
	v := &virtual{header: head, frame: frame}
	v.size = int64(len(head)) + int64(times*len(frame))
	f, err := dicom.Scan(v, v.size, dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	header, err := dicom.Header(f)
	if err != nil {
		t.Fatal(err)
	}
	return v, header
}

// rle is a frame as an empty offset table, an item of two byte planes of runs (PS3.5 annex G), and the delimiter.
func rle() []byte {
	const run = 64
	segment := bytes.Repeat([]byte{257 - run, 7}, fullSide*fullSide/run)
	data := make([]byte, 64)
	binary.LittleEndian.PutUint32(data, 2)
	binary.LittleEndian.PutUint32(data[4:], 64)
	binary.LittleEndian.PutUint32(data[8:], uint32(64+len(segment)))
	data = append(append(data, segment...), segment...)
	out := []byte{0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0x00, 0xE0}
	out = binary.LittleEndian.AppendUint32(out, uint32(len(data)))
	out = append(out, data...)
	return append(out, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0)
}

// TestMemory reads a dynamic series of 6 x 352 x 352 x 160 voxels and measures what the heap holds beside the headers and
// the float32 volumes, garbage included.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a study of full size")
	}
	native := make([]byte, 2*fullSide*fullSide)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range native {
		native[i] = byte(rng.Uint32())
	}
	classic := func(frame []byte, syntax string) func(t *testing.T) (files []*virtual, in []series.Instance) {
		return func(t *testing.T) (files []*virtual, in []series.Instance) {
			for n := range fullPhases * fullSlices {
				h := fullHeader(n / fullSlices)
				h.Set(tag.SOPInstanceUID, fmt.Sprintf("1.2.3.%d", n+1))
				h.Set(tag.InstanceNumber, n+1)
				h.Set(tag.ImagePositionPatient, 0, 0, n%fullSlices)
				v, header := file(t, h, frame, 1, syntax)
				files, in = append(files, v), append(in, series.Instance{Header: header, TransferSyntax: syntax})
			}
			return files, in
		}
	}
	for _, tc := range []struct {
		name string
		make func(t *testing.T) ([]*virtual, []series.Instance)
	}{
		{"classic", classic(native, explicit)},
		{"classic, RLE", classic(rle(), uid.RLELossless)},
		{"enhanced, all in one", func(t *testing.T) (files []*virtual, in []series.Instance) {
			h := fullHeader(0)
			h.Delete(tag.TemporalPositionIdentifier)
			h.Set(tag.SOPClassUID, enhancedMR)
			h.Set(tag.SOPInstanceUID, "1.2.3.1")
			h.Set(tag.NumberOfFrames, fullPhases*fullSlices)
			var groups []*dicom.Dataset
			for n := range fullPhases * fullSlices {
				content, place, g := dicom.New(), dicom.New(), dicom.New()
				content.Set(tag.TemporalPositionIndex, n/fullSlices+1)
				place.Set(tag.ImagePositionPatient, 0, 0, n%fullSlices)
				g.SetItems(tag.FrameContentSequence, content)
				g.SetItems(tag.PlanePositionSequence, place)
				for sequence, t := range map[tag.Tag]tag.Tag{ // as many groups as scanners write
					tag.PlaneOrientationSequence: tag.ImageOrientationPatient, tag.PixelMeasuresSequence: tag.PixelSpacing, tag.MREchoSequence: tag.EchoTime,
					tag.MRTimingAndRelatedParametersSequence: tag.RepetitionTime, tag.MRImageFrameTypeSequence: tag.ImageType,
					tag.MRAveragesSequence: tag.FlipAngle, tag.FrameAnatomySequence: tag.Modality,
				} {
					item := dicom.New()
					item.Copy(h, t)
					g.SetItems(sequence, item)
				}
				groups = append(groups, g)
			}
			h.SetItems(tag.PerFrameFunctionalGroupsSequence, groups...)
			v, header := file(t, h, native, fullPhases*fullSlices, explicit)
			return []*virtual{v}, []series.Instance{{Header: header, TransferSyntax: explicit}}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files, in := tc.make(t)
			r := series.Sort(in)
			if len(r.DCE) != fullPhases || len(r.DCE[0].Slices) != fullSlices {
				t.Fatalf("%d phases\n%s", len(r.DCE), summary(r))
			}
			open := func(_ context.Context, i int) (*dicom.File, io.Closer, error) {
				f, err := dicom.Scan(files[i], files[i].size, dicom.Limits{})
				return f, io.NopCloser(nil), err
			}
			runtime.GC()
			before, peak := heapBytes(), uint64(0)
			s, err := series.Assemble(t.Context(), in, r, open, func(float64) { peak = max(peak, heapBytes()) })
			if err != nil {
				t.Fatal(err)
			}
			volumes := 4 * fullPhases * s.DCE[0].Volume.Len()
			over := int64(peak) - int64(before) - int64(volumes)
			t.Logf("%.1f MiB beside volumes of %.0f MiB", float64(over)/(1<<20), float64(volumes)/(1<<20))
			if over > 64<<20 {
				t.Errorf("%.1f MiB beside the volumes, want 64 at most", float64(over)/(1<<20))
			}
		})
	}
}

// heapBytes is what objects on the heap take, dead ones that were not swept yet included.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
