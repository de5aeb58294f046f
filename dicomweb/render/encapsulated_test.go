package render_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// encapsulated writes d with fragments as its pixel data, in a transfer syntax that dicom.Write does not write.
func encapsulated(t testing.TB, d *dicom.Dataset, syntax string, fragments ...[]byte) []byte {
	t.Helper()
	d.Delete(tag.PixelData)
	var buf bytes.Buffer
	if err := dicom.Write(&buf, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	element := func(dst []byte, group, number uint16, vr, value string) []byte {
		dst = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(dst, group), number)
		value += strings.Repeat("\x00", len(value)%2)
		return append(binary.LittleEndian.AppendUint16(append(dst, vr...), uint16(len(value))), value...)
	}
	meta := element(nil, 2, 2, "UI", d.String(tag.SOPClassUID))
	meta = element(meta, 2, 3, "UI", d.String(tag.SOPInstanceUID))
	meta = element(meta, 2, 0x10, "UI", syntax)
	const group = 128 + 4 + 8 // where the group length's value stands
	file := append(buf.Bytes()[:group:group], binary.LittleEndian.AppendUint32(nil, uint32(len(meta)))...)
	file = append(append(file, meta...), buf.Bytes()[group+4+int(binary.LittleEndian.Uint32(buf.Bytes()[group:])):]...)
	file = append(file, "\xE0\x7F\x10\x00OB\x00\x00\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\x00\x00\x00\x00"...)
	for _, f := range fragments {
		f = append(f, make([]byte, len(f)%2)...)
		file = append(binary.LittleEndian.AppendUint32(append(file, "\xFE\xFF\x00\xE0"...), uint32(len(f))), f...)
	}
	return append(file, "\xFE\xFF\xDD\xE0\x00\x00\x00\x00"...)
}

const baseline = uid.JPEGBaseline8Bit

// TestLossyJPEG decodes what image/jpeg wrote, grey and coloured.
func TestLossyJPEG(t *testing.T) {
	const n = 32
	level := func(x, y int) color.RGBA {
		return color.RGBA{uint8(40 + 5*x), uint8(200 - 5*y), uint8(60 + 2*x + 2*y), 255}
	}
	grey, rgb := image.NewGray(image.Rect(0, 0, n, n)), image.NewRGBA(image.Rect(0, 0, n, n))
	for i := range n * n {
		rgb.SetRGBA(i%n, i/n, level(i%n, i/n))
		grey.SetGray(i%n, i/n, color.Gray{Y: level(i%n, i/n).R})
	}
	for _, c := range []struct {
		name, photometric string
		samples           int
		img               image.Image
	}{
		{"grey", "MONOCHROME2", 1, grey}, {"YBR_FULL_422", "YBR_FULL_422", 3, rgb}, {"YBR_FULL", "YBR_FULL", 3, rgb},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stream bytes.Buffer
			if err := jpeg.Encode(&stream, c.img, &jpeg.Options{Quality: 98}); err != nil {
				t.Fatal(err)
			}
			d := object(n, n, nil, bits8)
			d.Set(tag.SamplesPerPixel, c.samples)
			d.Set(tag.PhotometricInterpretation, c.photometric)
			d.Set(tag.PlanarConfiguration, 0)
			got, err := frame(archivetest.Scan(t, encapsulated(t, d, baseline, stream.Bytes())), 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n * n {
				a, b := color.RGBAModel.Convert(got.At(i%n, i/n)).(color.RGBA), color.RGBAModel.Convert(c.img.At(i%n, i/n)).(color.RGBA)
				if math.Abs(float64(a.R)-float64(b.R)) > 8 || math.Abs(float64(a.G)-float64(b.G)) > 8 || math.Abs(float64(a.B)-float64(b.B)) > 8 {
					t.Fatalf("pixel %d, %d is %v, want about %v", i%n, i/n, a, b)
				}
			}
		})
	}
}

func TestLossyJPEGRefuses(t *testing.T) {
	var stream bytes.Buffer
	if err := jpeg.Encode(&stream, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		size   int
		sample int
		stream []byte
	}{
		{"another size", 16, 1, stream.Bytes()}, {"other samples", 8, 3, stream.Bytes()},
		{"cut", 8, 1, stream.Bytes()[:stream.Len()/2]}, {"no JPEG", 8, 1, []byte("nothing of it")},
	} {
		d := object(c.size, c.size, nil, bits8)
		d.Set(tag.SamplesPerPixel, c.sample)
		d.Set(tag.PlanarConfiguration, 0)
		if _, err := frame(archivetest.Scan(t, encapsulated(t, d, baseline, c.stream)), 0, nil); dicomweb.KindOf(err) != dicomweb.NotAcceptable {
			t.Errorf("%s: %v, want an error of kind not acceptable", c.name, err)
		}
	}
}

// TestVideoAndUndecodable: a video goes out as it is, in ranges too; what there is no decoder for is 406, a thumbnail of it too.
func TestVideoAndUndecodable(t *testing.T) {
	a := open(t)
	video := picture(videoRef, 1, 8, 8, 30)
	putFile(t, a, encapsulated(t, video, uid.MPEG4HP41, []byte("ftyp..moov"), []byte("..mdat")))
	empty := inSeries("video", "empty")
	putFile(t, a, encapsulated(t, picture(empty, 1, 8, 8, 30), uid.MPEG4HP41))
	undecodable := inSeries("ll", "undecodable")
	putFile(t, a, encapsulated(t, picture(undecodable, 1, 8, 8, 1), uid.JPEGXLLossless, []byte("\xFF\x0A")))
	s := serve(t, a)
	w, status, err := call("GET", s.Rendered, videoRef, "")
	if err != nil || status != 200 || w.Header().Get("Content-Type") != "video/mp4" || w.Body.String() != "ftyp..moov..mdat" {
		t.Errorf("video: %d %v %s %q", status, err, w.Header().Get("Content-Type"), w.Body)
	}
	if w, status, err = call("GET", s.Rendered, videoRef, "", "Range: bytes=8-12"); err != nil || status != 206 || w.Body.String() != "ov..m" {
		t.Errorf("range over two fragments: %d %v %q, want ov..m", status, err, w.Body)
	}
	for _, c := range []struct {
		name   string
		h      handler
		ref    dicomweb.Ref
		header []string
		status int
	}{
		{"frame of a video", s.Rendered, videoRef, []string{"frames: 1"}, 406},
		{"video of no fragments", s.Rendered, empty, nil, 404},
		{"video as an image", s.Rendered, videoRef, []string{"Accept: image/jpeg"}, 406},
		{"thumbnail of a video", s.Thumbnail, videoRef, nil, 406},
		{"no decoder", s.Rendered, undecodable, nil, 406},
		{"thumbnail, no decoder", s.Thumbnail, undecodable, nil, 406},
	} {
		if _, status, err := call("GET", c.h, c.ref, "", c.header...); status != c.status {
			t.Errorf("%s: %d %v, want %d", c.name, status, err, c.status)
		}
	}
}
