//go:build openjpeg

package pixel_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/pixel"
)

const (
	j2kLossless = "1.2.840.10008.1.2.4.90"
	j2k         = "1.2.840.10008.1.2.4.91"
	htj2k       = "1.2.840.10008.1.2.4.203"
)

func (p picture) layout() pixel.Layout {
	l := pixel.Layout{Rows: p.rows, Columns: p.columns, SamplesPerPixel: p.samples, BitsAllocated: 8, BitsStored: p.stored, HighBit: p.stored - 1, Signed: p.signed}
	if p.stored > 8 {
		l.BitsAllocated = 16
	}
	return l
}

// rawFile writes the samples, bytes each, in little endian.
func rawFile(t *testing.T, samples []int32, size int, name string) string {
	t.Helper()
	var raw []byte
	for _, v := range samples {
		raw = append(raw, byte(v))
		if size > 1 {
			raw = append(raw, byte(v>>8))
		}
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// encode runs an encoder that writes its last argument, and returns that.
func encode(t *testing.T, args ...string) []byte {
	t.Helper()
	if !compress(t, args...) {
		t.Fatalf("%s failed", args[0])
	}
	raw, err := os.ReadFile(args[len(args)-1])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func sign(p picture, yes, no string) string {
	if p.signed {
		return yes
	}
	return no
}

// TestJPEG2000 decodes what OpenJPEG's and OpenJPH's encoders make of pictures: without loss to the same samples, with
// loss to samples near them.
func TestJPEG2000(t *testing.T) {
	openJPEG := func(extra ...string) func(t *testing.T, p picture, samples []int32) []byte {
		return func(t *testing.T, p picture, samples []int32) []byte {
			in := rawFile(t, samples, p.layout().BitsAllocated/8, "in.rawl")
			args := []string{"opj_compress", "-F", fmt.Sprintf("%d,%d,1,%d,%s", p.columns, p.rows, p.stored, sign(p, "s", "u")), "-n", fmt.Sprint(min(p.rows, p.columns, 2))}
			return encode(t, append(append(args, extra...), "-i", in, "-o", filepath.Join(filepath.Dir(in), "out.j2k"))...)
		}
	}
	openJPH := func(extra ...string) func(t *testing.T, p picture, samples []int32) []byte {
		return func(t *testing.T, p picture, samples []int32) []byte {
			in := rawFile(t, samples, p.layout().BitsAllocated/8, "in.yuv")
			args := []string{"ojph_compress", "-dims", fmt.Sprintf("{%d,%d}", p.columns, p.rows), "-num_comps", "1", "-signed", sign(p, "true", "false"),
				"-bit_depth", fmt.Sprint(p.stored), "-downsamp", "{1,1}", "-num_decomps", fmt.Sprint(min(p.rows, p.columns, 2) - 1)}
			return encode(t, append(append(args, extra...), "-i", in, "-o", filepath.Join(filepath.Dir(in), "out.j2c"))...)
		}
	}
	for _, tc := range []struct {
		name, syntax string
		encode       func(t *testing.T, p picture, samples []int32) []byte
		tol          int32 // of 4096; of noise-free pictures where there is loss
	}{
		{"lossless", j2kLossless, openJPEG(), 0},
		{"lossless, tiles", j2kLossless, openJPEG("-t", "17,16"), 0},
		{"lossy", j2k, openJPEG("-I", "-r", "4"), 40},
		{"HT, lossless", htj2k, openJPH("-reversible", "true"), 0},
		{"HT, lossy", htj2k, openJPH("-qstep", "0.001"), 40},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, p := range pictures() {
				if p.samples > 1 || tc.tol > 0 && p.name != "12 bits smooth" || tc.syntax == htj2k && p.signed {
					continue // the encoder of HT takes no signed raw files
				}
				_, want := p.dataset()
				raw := tc.encode(t, p, want)
				got := make([]int32, len(want))
				if err := pixel.Decode(p.layout(), tc.syntax, raw, got); err != nil {
					t.Errorf("%s: %v", p.name, err)
					continue
				}
				worst := int32(0)
				for i := range want {
					worst = max(worst, got[i]-want[i], want[i]-got[i])
				}
				if worst > tc.tol || tc.tol > 0 && worst == 0 {
					t.Errorf("%s: samples differ by up to %d, want %d at most", p.name, worst, tc.tol)
				}
			}
		})
	}
}

// TestJPEG2000Object reads an object that GDCM compressed.
func TestJPEG2000Object(t *testing.T) {
	if _, err := exec.LookPath("gdcmconv"); err != nil {
		t.Skip("gdcmconv is not installed (package libgdcm-tools)")
	}
	p := pictures()[3]
	d, want := p.dataset()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.dcm"), d)
	if !compress(t, "gdcmconv", "--j2k", filepath.Join(dir, "in.dcm"), filepath.Join(dir, "out.dcm")) {
		t.Fatal("gdcmconv failed")
	}
	f, closer, err := dicom.ReadFile(filepath.Join(dir, "out.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	frames, err := pixel.Frames(f)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]int32, len(want))
	var decoder pixel.Decoder
	if err := decoder.Frame(frames, p.layout(), f.TransferSyntax, 0, got); err != nil || !slices.Equal(got, want) || f.TransferSyntax != j2kLossless {
		t.Errorf("%s: %v, same samples %v", f.TransferSyntax, err, slices.Equal(got, want))
	}
}

// tinyStream is an 8 x 8 picture of eight bits, a slope, by opj_compress.
var tinyStream = []byte{
	0xFF, 0x4F, 0xFF, 0x51, 0x00, 0x29, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x01, 0x07, 0x01, 0x01, 0xFF, 0x52, 0x00, 0x0C, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x04, 0x04, 0x00, 0x01, 0xFF,
	0x5C, 0x00, 0x04, 0x40, 0x40, 0xFF, 0x90, 0x00, 0x0A, 0x00, 0x00, 0x00, 0x00, 0x00, 0x48, 0x00, 0x01, 0xFF, 0x93, 0xDF,
	0x81, 0xB8, 0x12, 0x2B, 0x67, 0x16, 0x8F, 0x8F, 0x8C, 0x9D, 0x60, 0x30, 0x8F, 0x68, 0xC8, 0x7C, 0xCC, 0x4B, 0xCB, 0x4C,
	0xCC, 0x12, 0x8C, 0x3C, 0x00, 0x60, 0x15, 0x1E, 0x00, 0x4F, 0x01, 0xFB, 0x4A, 0x3C, 0xD8, 0x7E, 0x6C, 0x3F, 0x36, 0x05,
	0xAE, 0xAE, 0x13, 0xAD, 0xF5, 0xB4, 0xBA, 0xB6, 0x36, 0xF9, 0xBE, 0x6F, 0x9B, 0xE6, 0xF9, 0xBE, 0x6F, 0xFF, 0xD9,
}

var tinyLayout = pixel.Layout{Rows: 8, Columns: 8, SamplesPerPixel: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}

func TestJPEG2000Refuses(t *testing.T) {
	got := make([]int32, 64)
	if err := pixel.Decode(tinyLayout, j2kLossless, tinyStream, got); err != nil || got[0] != 0 || got[63] != 7*9 || got[9] != 9 {
		t.Fatalf("%v, %v", got, err)
	}
	edit := func(at int, b ...byte) []byte {
		out := bytes.Clone(tinyStream)
		copy(out[at:], b)
		return out
	}
	for name, raw := range map[string][]byte{
		"no stream":        {1, 2},
		"wider":            edit(8, 0, 0, 0, 9),
		"huge":             edit(8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF),
		"tiles of nothing": edit(24, 0, 0, 0, 0),
		"many components":  edit(40, 0x40, 0),
		"17 bits":          edit(42, 16),
		"signed":           edit(42, 0x87),
		"subsampled":       edit(43, 2),
		"coding style":     bytes.Replace(tinyStream, []byte{0xFF, 0x52}, []byte{0xFF, 0x30}, 1),
	} {
		if err := pixel.Decode(tinyLayout, j2kLossless, raw, got); dicomweb.KindOf(err) != dicomweb.BadRequest {
			t.Errorf("%s: got %v, want an error of kind BadRequest", name, err)
		}
	}
	for n := range len(tinyStream) - 2 { // the end marker may be missing
		if err := pixel.Decode(tinyLayout, j2kLossless, tinyStream[:n], got); err == nil {
			t.Errorf("no error for the first %d of %d bytes", n, len(tinyStream))
		}
	}
	colour := tinyLayout
	colour.SamplesPerPixel = 3
	if _, err := pixel.Native(colour, j2kLossless, tinyStream); dicomweb.KindOf(err) != dicomweb.UnsupportedMedia {
		t.Errorf("colour: got %v, want an error of kind UnsupportedMedia", err)
	}
}

func FuzzJPEG2000(f *testing.F) {
	f.Add(tinyStream)
	big := bytes.Clone(tinyStream)
	binary.BigEndian.PutUint32(big[8:], 1<<31)
	f.Add(big)
	f.Fuzz(func(t *testing.T, raw []byte) {
		headed := append(bytes.Clone(tinyStream[:45]), raw[min(45, len(raw)):]...) // a sound SIZ lets the library see the rest
		for _, raw := range [][]byte{raw, headed} {
			before := bytes.Clone(raw)
			native, err := pixel.Native(tinyLayout, j2k, raw)
			if (err == nil) != (len(native) == tinyLayout.Bytes()) || !bytes.Equal(before, raw) {
				t.Errorf("%d bytes, %v", len(native), err)
			}
		}
	})
}
