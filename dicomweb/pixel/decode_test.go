package pixel_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/pixel"
)

const (
	implicitLittle = "1.2.840.10008.1.2"
	explicitLittle = "1.2.840.10008.1.2.1"
	explicitBig    = "1.2.840.10008.1.2.2"
	rle            = "1.2.840.10008.1.2.5"
)

func TestDecodeNative(t *testing.T) {
	layout := func(allocated, stored, high int, signed bool) pixel.Layout {
		return pixel.Layout{Rows: 1, Columns: 2, SamplesPerPixel: 1, BitsAllocated: allocated, BitsStored: stored, HighBit: high, Signed: signed}
	}
	for _, tc := range []struct {
		name   string
		layout pixel.Layout
		syntax string
		raw    []byte
		want   []int32
	}{
		{"8 bits", layout(8, 8, 7, false), explicitLittle, []byte{0, 255}, []int32{0, 255}},
		{"8 bits signed", layout(8, 8, 7, true), explicitLittle, []byte{0x80, 0x7F}, []int32{-128, 127}},
		{"16 bits", layout(16, 16, 15, false), implicitLittle, []byte{1, 0, 0xFF, 0xFF}, []int32{1, 65535}},
		{"16 bits signed", layout(16, 16, 15, true), explicitLittle, []byte{0xFE, 0xFF, 0, 0x80}, []int32{-2, -32768}},
		{"12 bits signed, sign in bit 11 only", layout(16, 12, 11, true), explicitLittle, []byte{0xFF, 0x0F, 0xFF, 0x07}, []int32{-1, 2047}},
		{"12 bits with an overlay above", layout(16, 12, 11, false), explicitLittle, []byte{1, 0x10, 0xFF, 0xFF}, []int32{1, 4095}},
		{"12 bits at the top", layout(16, 12, 15, true), explicitLittle, []byte{0x1F, 0x80, 0xF0, 0x7F}, []int32{-2047, 2047}},
		{"32 bits signed", layout(32, 32, 31, true), explicitLittle, []byte{0xFE, 0xFF, 0xFF, 0xFF, 1, 0, 1, 0}, []int32{-2, 65537}},
		{"big endian", layout(16, 16, 15, false), explicitBig, []byte{0x12, 0x34, 0, 1}, []int32{0x1234, 1}},
		{"padding at the end", layout(8, 8, 7, false), explicitLittle, []byte{1, 2, 0}, []int32{1, 2}},
		{"colour by pixel", pixel.Layout{Rows: 1, Columns: 2, SamplesPerPixel: 3, BitsAllocated: 8, BitsStored: 8, HighBit: 7}, explicitLittle,
			[]byte{1, 2, 3, 4, 5, 6}, []int32{1, 2, 3, 4, 5, 6}},
		{"colour by plane", pixel.Layout{Rows: 1, Columns: 2, SamplesPerPixel: 3, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Planar: true}, explicitLittle,
			[]byte{1, 4, 2, 5, 3, 6}, []int32{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := bytes.Clone(tc.raw)
			got := make([]int32, tc.layout.Samples())
			if err := pixel.Decode(tc.layout, tc.syntax, tc.raw, got); err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("got %v, %v; want %v", got, err, tc.want)
			}
			if !bytes.Equal(before, tc.raw) {
				t.Error("the raw bytes were changed")
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := pixel.Layout{Rows: 2, Columns: 2, SamplesPerPixel: 1, BitsAllocated: 16, BitsStored: 12, HighBit: 11}
	for _, tc := range []struct {
		name   string
		edit   func(l *pixel.Layout)
		syntax string
		kind   dicomweb.Kind
		want   string
	}{
		{"JPEG baseline", nil, "1.2.840.10008.1.2.4.50", dicomweb.UnsupportedMedia, "1.2.840.10008.1.2.4.50"},
		{"unknown syntax", nil, "1.2.3", dicomweb.UnsupportedMedia, "1.2.3"},
		{"too short", nil, explicitLittle, dicomweb.BadRequest, "2 bytes, 8 are needed"},
		{"one bit", func(l *pixel.Layout) { l.BitsAllocated, l.BitsStored, l.HighBit = 1, 1, 0 }, explicitLittle, dicomweb.UnsupportedMedia, "Bits Allocated"},
		{"high bit", func(l *pixel.Layout) { l.HighBit = 16 }, explicitLittle, dicomweb.BadRequest, "High Bit"},
		{"more bits stored than allocated", func(l *pixel.Layout) { l.BitsStored = 17 }, explicitLittle, dicomweb.BadRequest, "Bits Stored"},
		{"no rows", func(l *pixel.Layout) { l.Rows = 0 }, explicitLittle, dicomweb.BadRequest, "Rows"},
		{"huge", func(l *pixel.Layout) { l.Rows, l.Columns = 65535, 65535 }, explicitLittle, dicomweb.TooLarge, "too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := good
			if tc.edit != nil {
				tc.edit(&l)
			}
			_, err := pixel.Native(l, tc.syntax, []byte{1, 2})
			if err == nil || dicomweb.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v (kind %d), want kind %d and %q", err, dicomweb.KindOf(err), tc.kind, tc.want)
			}
		})
	}
}

func TestDecodeRLE(t *testing.T) {
	l := pixel.Layout{Rows: 2, Columns: 4, SamplesPerPixel: 1, BitsAllocated: 16, BitsStored: 16, HighBit: 15}
	// High bytes: 8 x 01. Low bytes: literal 1 2 3, 4 x 9, literal 7, then padding.
	high, low := []byte{0x80, 0xF9, 1}, []byte{2, 1, 2, 3, 0xFD, 9, 0, 7, 0}
	frame := make([]byte, 64)
	binary.LittleEndian.PutUint32(frame, 2)
	binary.LittleEndian.PutUint32(frame[4:], 64)
	binary.LittleEndian.PutUint32(frame[8:], uint32(64+len(high)))
	frame = append(append(frame, high...), low...)
	got := make([]int32, 8)
	if err := pixel.Decode(l, rle, frame, got); err != nil || !slices.Equal(got, []int32{257, 258, 259, 265, 265, 265, 265, 263}) {
		t.Errorf("got %v, %v", got, err)
	}
	for name, bad := range map[string][]byte{
		"header cut off":    frame[:60],
		"segment cut off":   frame[:70],
		"too many segments": append([]byte{3}, frame[1:]...),
		"offset outside":    append(append(bytes.Clone(frame[:4]), 0xFF, 0xFF), frame[6:]...),
	} {
		if err := pixel.Decode(l, rle, bad, got); dicomweb.KindOf(err) != dicomweb.BadRequest {
			t.Errorf("%s: got %v, want an error of kind BadRequest", name, err)
		}
	}
}

// picture is one test image.
type picture struct {
	name          string
	rows, columns int
	samples       int
	stored        int
	signed        bool
	make          func(x, y, c int) int
}

// pictures have what codecs stumble on: odd sizes, flat areas (runs), noise, the extremes, negative values.
func pictures() []picture {
	r := rand.New(rand.NewPCG(7, 8))
	noise := func(bits int) func(x, y, c int) int { return func(int, int, int) int { return r.IntN(1 << bits) } }
	smooth := func(top float64) func(x, y, c int) int {
		return func(x, y, c int) int {
			v := top * (0.5 + 0.5*math.Sin(float64(x)/9+float64(c))*math.Cos(float64(y)/7))
			return int(v*0.98 + top*0.01*r.Float64())
		}
	}
	steps := func(top int) func(x, y, c int) int {
		return func(x, y, c int) int { return ((x/11 + y/5 + c) % 3) * top / 2 }
	}
	return []picture{
		{"8 bits smooth", 33, 47, 1, 8, false, smooth(255)},
		{"8 bits noise", 17, 31, 1, 8, false, noise(8)},
		{"8 bits steps", 40, 64, 1, 8, false, steps(255)},
		{"12 bits smooth", 61, 53, 1, 12, false, smooth(4095)},
		{"12 bits noise", 16, 16, 1, 12, false, noise(12)},
		{"12 bits steps", 31, 65, 1, 12, false, steps(4095)},
		{"16 bits smooth", 50, 70, 1, 16, false, smooth(65535)},
		{"16 bits noise", 31, 29, 1, 16, false, noise(16)},
		{"16 bits extremes", 21, 20, 1, 16, false, func(x, y, _ int) int { return (x + y) % 2 * 65535 }},
		{"16 bits flat", 12, 90, 1, 16, false, func(int, int, int) int { return 1234 }},
		{"16 bits signed smooth", 50, 70, 1, 16, true, func(x, y, c int) int { return smooth(65535)(x, y, c) - 32768 }},
		{"12 bits signed", 33, 33, 1, 12, true, func(x, y, c int) int { return smooth(4095)(x, y, c) - 2048 }},
		{"one column", 9, 1, 1, 12, false, noise(12)},
		{"one row", 1, 9, 1, 8, false, noise(8)},
		{"colour smooth", 23, 37, 3, 8, false, smooth(255)},
		{"colour steps", 23, 64, 3, 8, false, steps(255)},
	}
}

// dataset returns a Secondary Capture of the picture, and its samples.
func (p picture) dataset() (*dicom.Dataset, []int32) {
	d := dicom.New()
	d.Set(tag.SOPClassUID, "1.2.840.10008.5.1.4.1.1.7")
	d.Set(tag.SOPInstanceUID, "1.2.3.4")
	d.Set(tag.StudyInstanceUID, "1.2.3.5")
	d.Set(tag.SeriesInstanceUID, "1.2.3.6")
	d.Set(tag.SamplesPerPixel, p.samples)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	if p.samples == 3 {
		d.Set(tag.PhotometricInterpretation, "RGB")
		d.Set(tag.PlanarConfiguration, 0)
	}
	d.Set(tag.Rows, p.rows)
	d.Set(tag.Columns, p.columns)
	allocated := 8
	if p.stored > 8 {
		allocated = 16
	}
	d.Set(tag.BitsAllocated, allocated)
	d.Set(tag.BitsStored, p.stored)
	d.Set(tag.HighBit, p.stored-1)
	d.Set(tag.PixelRepresentation, 0)
	if p.signed {
		d.Set(tag.PixelRepresentation, 1)
	}
	var raw []byte
	var want []int32
	for y := range p.rows {
		for x := range p.columns {
			for c := range p.samples {
				v := p.make(x, y, c)
				want = append(want, int32(v))
				if raw = append(raw, byte(v)); allocated == 16 {
					raw = append(raw, byte(v>>8))
				}
			}
		}
	}
	d.SetVR(tag.PixelData, dicom.OW, raw)
	if allocated == 8 {
		d.SetVR(tag.PixelData, dicom.OB, raw)
	}
	return d, want
}

// TestRestartIntervals decodes 3 lines of 2 pixels with a restart after each: DCMTK writes none.
func TestRestartIntervals(t *testing.T) {
	stream := []byte{
		0xFF, 0xD8,
		0xFF, 0xC4, 0, 21, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // category 0 is "0", category 1 is "10"
		0xFF, 0xC3, 0, 11, 8, 0, 3, 0, 2, 1, 1, 0x11, 0,
		0xFF, 0xDD, 0, 4, 0, 2,
		0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0,
		0xB7, // twice "10" and "1" for +1, then ones
		0xFF, 0xD0, 0xB7, 0xFF, 0xD1, 0xB7, 0xFF, 0xD9,
	}
	l := pixel.Layout{Rows: 3, Columns: 2, SamplesPerPixel: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
	got := make([]int32, 6)
	if err := pixel.Decode(l, "1.2.840.10008.1.2.4.70", stream, got); err != nil || !slices.Equal(got, []int32{129, 130, 129, 130, 129, 130}) {
		t.Errorf("got %v, %v; want each line to begin anew", got, err)
	}
	for n := range stream[:len(stream)-2] {
		if err := pixel.Decode(l, "1.2.840.10008.1.2.4.70", stream[:n], got); err == nil {
			t.Errorf("no error for the first %d of %d bytes", n, len(stream))
		}
	}
}

// compress has DCMTK compress a file; false where it is not installed or refuses.
func compress(t testing.TB, args ...string) bool {
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skipf("%s of DCMTK is not installed", args[0])
	}
	text, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Logf("%v: %v %s", args, err, text)
	}
	return err == nil
}

// write puts a data set into a file.
func write(t testing.TB, path string, d *dicom.Dataset) {
	var b bytes.Buffer
	if err := dicom.Write(&b, d, explicitLittle); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// frame returns the layout, transfer syntax and bytes of the first frame of a file.
func frame(t testing.TB, path string) (l pixel.Layout, syntax string, raw []byte) {
	f, c, err := dicom.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if l, err = pixel.LayoutOf(f.Dataset); err != nil {
		t.Fatal(err)
	}
	frames, err := pixel.Frames(f)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = frames.Frame(0); err != nil {
		t.Fatal(err)
	}
	return l, f.TransferSyntax, raw
}

// coder is a way to compress with DCMTK.
type coder struct {
	name   string
	encode []string
	decode []string // of a lossy form
	few    bool     // tried on few pictures
	colour bool     // differs from others in colour only
}

func coders() []coder {
	out := []coder{{name: "RLE", encode: []string{"dcmcrle"}}, {name: "JPEG lossless SV1", encode: []string{"dcmcjpeg", "+e1"}}}
	for sv := 1; sv <= 7; sv++ {
		out = append(out, coder{name: fmt.Sprintf("JPEG lossless predictor %d", sv), encode: []string{"dcmcjpeg", "+el", "+sv", fmt.Sprint(sv)}, few: true})
	}
	for n, il := range []string{"+il", "+is", "+in"} {
		out = append(out, coder{name: "JPEG-LS " + il, encode: []string{"dcmcjpls", "+el", il}, colour: n > 0},
			coder{name: "JPEG-LS near " + il, encode: []string{"dcmcjpls", "+en", "+md", "3", il}, decode: []string{"dcmdjpls"}, colour: n > 0})
	}
	return append(out, coder{name: "JPEG-LS own thresholds", encode: []string{"dcmcjpls", "+el", "+t1", "5", "+t2", "9", "+t3", "30", "+rs", "31"}, few: true})
}

// TestDecodeAgainstDCMTK has DCMTK compress pictures, and compares what is decoded with the picture or, where the
// compression loses something, with what DCMTK decodes.
func TestDecodeAgainstDCMTK(t *testing.T) {
	dir := t.TempDir()
	samples := func(t *testing.T, path string) []int32 {
		l, syntax, raw := frame(t, path)
		out := make([]int32, l.Samples())
		if err := pixel.Decode(l, syntax, raw, out); err != nil {
			t.Errorf("decode %s: %v", syntax, err)
		}
		return out
	}
	for n, p := range pictures() {
		d, want := p.dataset()
		source := filepath.Join(dir, fmt.Sprintf("%d.dcm", n))
		write(t, source, d)
		for _, c := range coders() {
			if c.few && n%4 > 0 || c.colour && p.samples == 1 && n > 0 {
				continue
			}
			t.Run(c.name+"/"+p.name, func(t *testing.T) {
				coded := source + ".coded"
				if !compress(t, append(slices.Clone(c.encode), source, coded)...) {
					t.Skip("DCMTK does not compress this picture so")
				}
				want := want
				if c.decode != nil {
					plain := source + ".plain"
					if !compress(t, append(slices.Clone(c.decode), coded, plain)...) {
						t.Fatal("DCMTK does not decompress what it compressed")
					}
					want = samples(t, plain)
				}
				got := samples(t, coded)
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("sample %d of %d is %d, want %d", i, len(got), got[i], want[i])
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	p := picture{"", 512, 512, 1, 12, false, pictures()[3].make}
	d, _ := p.dataset()
	dir := b.TempDir()
	source := filepath.Join(dir, "source.dcm")
	write(b, source, d)
	for _, c := range append([]coder{{name: "native"}}, coders()...) {
		if c.few || c.colour || c.decode != nil {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			coded := source
			if c.encode != nil {
				coded = source + ".coded"
				if !compress(b, append(slices.Clone(c.encode), source, coded)...) {
					b.Skip("DCMTK does not compress so")
				}
			}
			l, syntax, raw := frame(b, coded)
			out := make([]int32, l.Samples())
			b.SetBytes(int64(l.Bytes()))
			b.ReportAllocs()
			for b.Loop() {
				if err := pixel.Decode(l, syntax, raw, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzDecode feeds any bytes to every decoder: an error or samples, no panic; a decoder's memory is bounded by the layout.
func FuzzDecode(f *testing.F) {
	syntaxes := []string{explicitLittle, explicitBig, rle, "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.80"}
	stream := func(sof byte, scan ...byte) []byte {
		b := []byte{0xFF, 0xD8, 0xFF, sof, 0, 11, 8, 0, 5, 0, 7, 1, 1, 0x11, 0,
			0xFF, 0xC4, 0, 21, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
			0xFF, 0xDA, 0, 8, 1, 1, 0}
		return append(append(b, scan...), 0x12, 0x34, 0x56, 0xFF, 0x00, 0x78, 0x9A, 0xFF, 0xD9)
	}
	f.Add(byte(2), byte(0), append([]byte{1, 0, 0, 0, 64}, make([]byte, 70)...))
	f.Add(byte(3), byte(0), stream(0xC3, 1, 0, 0))
	f.Add(byte(4), byte(0), slices.Concat([]byte{0xFF, 0xD8}, stream(0xF7, 0, 0, 0)[2:15], stream(0xF7, 0, 0, 0)[38:]))
	f.Fuzz(func(t *testing.T, syntax, form byte, raw []byte) {
		l := pixel.Layout{Rows: 5, Columns: 7, SamplesPerPixel: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
		if form&1 != 0 {
			l.BitsAllocated, l.BitsStored, l.HighBit = 16, 12, 11
		}
		if form&2 != 0 {
			l.SamplesPerPixel = 3
		}
		l.Signed, l.Planar = form&4 != 0, form&8 != 0
		out := make([]int32, l.Samples())
		if err := pixel.Decode(l, syntaxes[int(syntax)%len(syntaxes)], raw, out); err != nil {
			return
		}
		for i, v := range out {
			if least := -1 << (l.BitsStored - 1); int(v) < least || int(v) >= 1<<l.BitsStored {
				t.Fatalf("sample %d is %d with %d bits stored", i, v, l.BitsStored)
			}
		}
	})
}
