package render_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// slice is an MR image of 512 x 512 pixels of 16 bits: air with noise around tissue.
func slice() *dicom.Dataset {
	const n = 512
	random := rand.New(rand.NewPCG(1, 2))
	var values []int
	for i := range n * n {
		x, y := float64(i%n-n/2), float64(i/n-n/2)
		v := math.Abs(8 * random.NormFloat64())
		if math.Hypot(x, y) < 0.4*n {
			v = 600 + 300*math.Sin(x/9)*math.Cos(y/14) + 20*random.NormFloat64()
			if math.Sin(x/17+y/23) > 0.7 {
				v += 300
			}
		}
		values = append(values, int(v))
	}
	return object(n, n, words(values...), func(d *dicom.Dataset) {
		ref := inSeries("bench", "bench")
		d.Set(tag.StudyInstanceUID, ref.Study)
		d.Set(tag.SeriesInstanceUID, ref.Series)
		d.Set(tag.SOPInstanceUID, ref.Instance)
		d.Set(tag.BitsStored, 12)
		d.Set(tag.HighBit, 11)
		window(d, 600, 1200, "")
	})
}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkRendered is one request for a rendered instance, from the archive's file to the JPEG's last byte.
func BenchmarkRendered(b *testing.B) {
	s := service(b, slice())
	for _, c := range []struct {
		name  string
		query string
		h     func(http.ResponseWriter, *http.Request, dicomweb.Ref) error
	}{
		{"jpeg", "", s.Rendered}, {"png", "accept=image/png", s.Rendered}, {"viewport 256", "viewport=256,256", s.Rendered},
		{"own window from the pixels", "window=600,1200,sigmoid", s.Rendered}, {"thumbnail, kept", "", s.Thumbnail},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/x?"+c.query, nil)
			b.ReportAllocs()
			b.SetBytes(512 * 512 * 2)
			for b.Loop() {
				if err := c.h(discard{http.Header{}}, r, inSeries("bench", "bench")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFrame is the frame alone, without archive and JPEG.
func BenchmarkFrame(b *testing.B) {
	var buf bytes.Buffer
	if err := dicom.Write(&buf, slice(), uid.ExplicitVRLittleEndian); err != nil {
		b.Fatal(err)
	}
	f := archivetest.Scan(b, buf.Bytes())
	b.ReportAllocs()
	b.SetBytes(512 * 512 * 2)
	for b.Loop() {
		if _, err := frame(f, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
}
