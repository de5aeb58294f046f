package wado_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/pixel"
)

// shape is an image to be compressed.
type shape struct {
	name                   string
	rows, columns, frames  int
	samples, alloc, stored int
	signed, planar         bool
	value                  func(i int) int // of sample i
}

func shapes() []shape {
	r := rand.New(rand.NewPCG(5, 6))
	noise := func(bits int) func(int) int { return func(int) int { return r.IntN(1 << bits) } }
	wave := func(top int) func(int) int { return func(i int) int { return (i*i/97 + i/5) % top } }
	return []shape{
		{"MR of 12 bits", 61, 47, 3, 1, 16, 12, false, false, wave(4096)},
		{"noise of 16 bits", 31, 29, 1, 1, 16, 16, false, false, noise(16)},
		{"signed of 16 bits", 33, 20, 2, 1, 16, 16, true, false, func(i int) int { return i%401 - 200 }},
		{"signed of 12 bits", 33, 20, 1, 1, 16, 12, true, false, func(i int) int { return i%401 - 200 }},
		{"8 bits, odd frames", 7, 9, 5, 1, 8, 8, false, false, noise(8)},
		{"8 bits in words", 16, 16, 1, 1, 16, 8, false, false, wave(256)},
		{"5 bits", 19, 21, 1, 1, 8, 5, false, false, wave(32)},
		{"one row", 1, 999, 1, 1, 16, 10, false, false, wave(1024)},
		{"one column", 999, 1, 1, 1, 8, 8, false, false, wave(256)},
		{"constant", 64, 130, 2, 1, 16, 12, false, false, func(int) int { return 77 }},
		{"colour", 23, 37, 2, 3, 8, 8, false, false, wave(256)},
		{"colour by plane", 23, 37, 1, 3, 8, 8, false, true, wave(256)},
	}
}

func (s shape) dataset() *dicom.Dataset {
	var raw []byte
	for i := range s.rows * s.columns * s.frames * s.samples {
		if v := s.value(i); s.alloc == 8 {
			raw = append(raw, byte(v))
		} else {
			raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
		}
	}
	vr := dicom.OW
	if s.alloc == 8 {
		vr = dicom.OB
	}
	d := image(s.rows, s.columns, s.frames, s.alloc, vr, raw)
	if s.alloc == 8 {
		d.Set(tag.SOPClassUID, uid.SecondaryCaptureImageStorage)
	}
	d.Set(tag.BitsStored, s.stored)
	d.Set(tag.HighBit, s.stored-1)
	if s.signed {
		d.Set(tag.PixelRepresentation, 1)
	}
	if d.Set(tag.SamplesPerPixel, s.samples); s.samples == 3 {
		d.Set(tag.PhotometricInterpretation, "RGB")
		d.Set(tag.PlanarConfiguration, 0)
		if s.planar {
			d.Set(tag.PlanarConfiguration, 1)
		}
	}
	return d
}

// samples decodes every frame of an object.
func samples(t *testing.T, f *dicom.File) []int32 {
	t.Helper()
	frames, err := pixel.Frames(f)
	if err != nil {
		t.Fatal(err)
	}
	l, err := pixel.LayoutOf(f.Dataset)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int32, 0, l.Samples()*frames.Count())
	for i := range frames.Count() {
		one := make([]int32, l.Samples())
		if err := new(pixel.Decoder).Frame(frames, l, f.TransferSyntax, i, one); err != nil {
			t.Fatalf("frame %d: %v", i+1, err)
		}
		out = append(out, one...)
	}
	return out
}

func scanned(t *testing.T, b []byte) *dicom.File {
	t.Helper()
	f, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestCompressed asks for each lossless transfer syntax and decodes what comes, with this project's decoders and, where
// they are installed, with DCMTK and GDCM.
func TestCompressed(t *testing.T) {
	programs := map[string][][]string{
		uid.RLELossless:     {{"dcmdrle"}, {"gdcmconv", "--raw"}},
		uid.JPEGLosslessSV1: {{"dcmdjpeg", "+cn"}, {"gdcmconv", "--raw"}},
		uid.JPEGLSLossless:  {{"dcmdjpls"}, {"gdcmconv", "--raw"}},
	}
	dir := t.TempDir()
	for n, shape := range shapes() {
		d := shape.dataset()
		stored := encode(d, uid.ExplicitVRLittleEndian)
		want := samples(t, scanned(t, stored))
		s := service(t, stored)
		for _, syntax := range pixel.EncodedSyntaxes() {
			t.Run(shape.name+"/"+syntax, func(t *testing.T) {
				w, status := call(s.Instances, ref, "application/dicom; transfer-syntax="+syntax)
				if status != 200 {
					t.Fatal(status)
				}
				bodies, _ := parts(t, w)
				f := scanned(t, []byte(bodies[0]))
				e := f.Dataset.Get(tag.PixelData)
				if f.TransferSyntax != syntax || f.Meta.String(tag.MediaStorageSOPInstanceUID) != ref.Instance {
					t.Errorf("the file is %s of %s", f.TransferSyntax, f.Meta.String(tag.MediaStorageSOPInstanceUID))
				}
				if len(e.Fragments) != shape.frames+1 || e.Fragments[0].Length != int64(4*shape.frames) {
					t.Errorf("%d items, a table of %d bytes for %d frames", len(e.Fragments), e.Fragments[0].Length, shape.frames)
				}
				same(t, "decoded here", samples(t, f), want)
				for _, program := range programs[syntax] {
					in, out := filepath.Join(dir, fmt.Sprintf("%d.dcm", n)), filepath.Join(dir, "out.dcm")
					if err := os.WriteFile(in, []byte(bodies[0]), 0o600); err != nil {
						t.Fatal(err)
					}
					if _, err := exec.LookPath(program[0]); err != nil {
						t.Logf("%s is not installed", program[0])
						continue
					}
					if shape.stored < 8 && program[0] == "gdcmconv" && syntax != uid.JPEGLSLossless {
						continue // it aborts on images of fewer bits than a byte, also on those that DCMTK compressed
					}
					text, err := exec.CommandContext(t.Context(), program[0], append(program[1:], in, out)...).CombinedOutput()
					if err != nil {
						t.Errorf("%v: %v %s", program, err, text)
						continue
					}
					b, err := os.ReadFile(out)
					if err != nil {
						t.Fatal(err)
					}
					same(t, program[0], samples(t, scanned(t, b)), want)
				}
			})
		}
	}
}

func same(t *testing.T, by string, got, want []int32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d samples, want %d", by, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: sample %d of %d is %d, want %d", by, i, len(got), got[i], want[i])
			return
		}
	}
}

// TestCompressedAsAsked tells which transfer syntax and status each combination of stored and asked gives.
func TestCompressedAsAsked(t *testing.T) {
	mr := shapes()[0].dataset()
	rle := func() []byte {
		w, _ := call(service(t, encode(mr, uid.ExplicitVRLittleEndian)).Instances, ref, "application/dicom; transfer-syntax="+uid.RLELossless)
		return w.Body.Bytes()
	}()
	mask := image(3, 3, 3, 1, dicom.OB, []byte{0xFF, 0x01, 0x54, 0x05})
	chroma := image(2, 2, 1, 8, dicom.OB, make([]byte, 8))
	chroma.Set(tag.SamplesPerPixel, 3)
	chroma.Set(tag.PhotometricInterpretation, "YBR_FULL_422")
	report := image(0, 0, 1, 8, "", nil)
	behind := shapes()[8].dataset()
	behind.SetVR(tag.New(0xFFFA, 0xFFFA), dicom.SQ)
	big := image(1, 2, 3, 16, dicom.OW, []byte("aAbBcCdDeEfF"))
	const ls, jpeg = "; transfer-syntax=" + uid.JPEGLSLossless, "; transfer-syntax=" + uid.JPEGLosslessSV1
	for _, c := range []struct {
		name   string
		file   []byte
		accept string
		status int
		syntax string
	}{
		{"stored explicit", encode(mr, uid.ExplicitVRLittleEndian), "application/dicom" + ls, 200, uid.JPEGLSLossless},
		{"stored deflated", encode(mr, uid.DeflatedExplicitVRLittleEndian), "application/dicom" + jpeg, 200, uid.JPEGLosslessSV1},
		{"stored big endian", encode(big, bigEndian), "application/dicom" + ls, 200, uid.JPEGLSLossless},
		{"stored RLE", rle, "application/dicom" + ls, 200, uid.JPEGLSLossless},
		{"RLE of RLE", rle, "application/dicom; transfer-syntax=" + uid.RLELossless, 200, uid.RLELossless},
		{"anything stays as stored", rle, "application/dicom; transfer-syntax=*", 200, uid.RLELossless},
		{"no transfer syntax is explicit", rle, "application/dicom", 200, uid.ExplicitVRLittleEndian},
		{"multipart", encode(mr, uid.ExplicitVRLittleEndian), `multipart/related; type="application/dicom"` + ls, 200, uid.JPEGLSLossless},
		{"a syntax without a coder", encode(mr, uid.ExplicitVRLittleEndian), "application/dicom; transfer-syntax=" + jpeg2000, 406, ""},
		{"a syntax without a coder, then one with", encode(mr, uid.ExplicitVRLittleEndian), "application/dicom; transfer-syntax=" + jpeg2000 + ", application/dicom" + ls, 200, uid.JPEGLSLossless},
		{"one bit", encode(mask, uid.ExplicitVRLittleEndian), "application/dicom" + ls, 406, ""},
		{"one bit, or explicit", encode(mask, uid.ExplicitVRLittleEndian), "application/dicom" + ls + ", application/dicom;q=0.5", 200, uid.ExplicitVRLittleEndian},
		{"shared chrominances", encode(chroma, uid.ExplicitVRLittleEndian), "application/dicom" + jpeg, 406, ""},
		{"no pixels", encode(report, uid.ExplicitVRLittleEndian), "application/dicom" + jpeg, 406, ""},
		{"a sequence behind the pixels", encode(behind, uid.ExplicitVRLittleEndian), "application/dicom" + jpeg, 406, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := service(t, c.file)
			w, status := call(s.Instances, ref, c.accept)
			if status != c.status {
				t.Fatalf("status %d, want %d", status, c.status)
			}
			if status != 200 {
				return
			}
			got, types := parts(t, w)
			f := scanned(t, []byte(got[0]))
			if f.TransferSyntax != c.syntax || !strings.HasSuffix(types[0], "transfer-syntax="+c.syntax) {
				t.Errorf("%s, a part of %s, want %s", f.TransferSyntax, types[0], c.syntax)
			}
			if c.syntax != uid.ExplicitVRLittleEndian {
				same(t, "pixels", samples(t, f), samples(t, scanned(t, c.file)))
			}
		})
	}
}

// TestCompressedFrames asks for frames of uncompressed objects, and of those compressed otherwise.
func TestCompressedFrames(t *testing.T) {
	mr := shapes()[0].dataset()
	l, err := pixel.LayoutOf(mr)
	if err != nil {
		t.Fatal(err)
	}
	native := mr.Bytes(tag.PixelData)
	plain := service(t, encode(mr, uid.ExplicitVRLittleEndian))
	w, _ := call(plain.Instances, ref, "application/dicom; transfer-syntax="+uid.RLELossless)
	packed := service(t, w.Body.Bytes())
	for name, s := range map[string]interface {
		Frames(http.ResponseWriter, *http.Request, dicomweb.Ref) error
	}{"uncompressed": plain, "RLE": packed} {
		for _, c := range []struct{ accept, want string }{
			{`multipart/related; type="image/jls"`, "image/jls; transfer-syntax=" + uid.JPEGLSLossless},
			{`multipart/related; type="image/jls"; transfer-syntax=` + uid.JPEGLSLossless, "image/jls; transfer-syntax=" + uid.JPEGLSLossless},
			{`multipart/related; type="image/jpeg"`, "image/jpeg; transfer-syntax=" + uid.JPEGLosslessSV1},
			{`multipart/related; type="image/jpeg"; transfer-syntax=` + uid.JPEGLosslessSV1, "image/jpeg; transfer-syntax=" + uid.JPEGLosslessSV1},
			{`multipart/related; type="application/octet-stream"; transfer-syntax=` + uid.JPEGLSLossless, "application/octet-stream; transfer-syntax=" + uid.JPEGLSLossless},
			{"image/jls", "image/jls; transfer-syntax=" + uid.JPEGLSLossless},
			{"image/dicom-rle", "image/dicom-rle; transfer-syntax=" + uid.RLELossless},
		} {
			for _, list := range []string{"2", "3,1"} {
				w, status := call(s.Frames, ref, c.accept, "frames", list)
				if single := !strings.HasPrefix(c.accept, "multipart"); single && list != "2" {
					if status != 406 {
						t.Errorf("%s, %s, frames %s: %d, want 406", name, c.accept, list, status)
					}
					continue
				}
				if status != 200 {
					t.Errorf("%s, %s, frames %s: %d, want 200", name, c.accept, list, status)
					continue
				}
				bodies, types := partsOf(t, w)
				for i, number := range strings.Split(list, ",") {
					_, syntax, _ := strings.Cut(types[i], "transfer-syntax=")
					got, err := pixel.Native(l, syntax, []byte(bodies[i]))
					at := int(number[0]-'1') * l.Bytes()
					if err != nil || types[i] != c.want || !bytes.Equal(got, native[at:at+l.Bytes()]) {
						t.Errorf("%s, %s, frame %s: %s, want %s and the same pixels: %v", name, c.accept, number, types[i], c.want, err)
					}
				}
			}
		}
	}
	if w, _ := call(plain.Frames, ref, ohif, "frames", "1"); !strings.Contains(w.Body.String(), octets) {
		t.Error("what OHIF asks for is no longer as stored")
	}
	mask := service(t, encode(image(3, 3, 3, 1, dicom.OB, []byte{0xFF, 0x01, 0x54, 0x05}), uid.ExplicitVRLittleEndian))
	if _, status := call(mask.Frames, ref, "image/jls", "frames", "1"); status != 406 {
		t.Errorf("a frame of bits as image/jls: %d, want 406", status)
	}
}
