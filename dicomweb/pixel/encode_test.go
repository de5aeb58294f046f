package pixel_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/pixel"
)

// shapes are pictures with the layouts that pictures lacks: every depth, overlays above the bits stored, planes, rows and
// columns of one pixel, more than a run's length of one value.
func shapes() []picture {
	r := rand.New(rand.NewPCG(3, 4))
	out := pictures()
	for stored := 1; stored <= 16; stored++ {
		out = append(out,
			picture{fmt.Sprintf("%d bits noise", stored), 13, 17, 1, stored, false, func(int, int, int) int { return r.IntN(1 << stored) }},
			picture{fmt.Sprintf("%d bits signed noise", stored), 13, 17, 1, stored, true, func(int, int, int) int { return r.IntN(1<<stored) - 1<<(stored-1) }},
			picture{fmt.Sprintf("%d bits constant", stored), 5, 300, 1, stored, false, func(int, int, int) int { return 1<<stored - 1 }},
			picture{fmt.Sprintf("%d bits two values", stored), 9, 200, 1, stored, false, func(x, _, _ int) int { return x / 67 % 2 * (1<<stored - 1) }})
	}
	small := func(x, y, _ int) int { return x + y }
	return append(out,
		picture{"one pixel", 1, 1, 1, 12, false, small},
		picture{"one row of 12 bits", 1, 1000, 1, 12, false, small},
		picture{"one column of 16 bits", 1000, 1, 1, 16, false, small},
		picture{"overlay above 12 bits", 20, 31, 1, 12, false, func(x, y, _ int) int { return x*y | x%2<<15 }},
		picture{"colour noise of 16 bits", 11, 23, 3, 16, false, func(int, int, int) int { return r.IntN(1 << 16) }})
}

// native returns the layout and bytes of a picture.
func (p picture) native(t testing.TB) (pixel.Layout, []byte) {
	t.Helper()
	d, _ := p.dataset()
	l, err := pixel.LayoutOf(d)
	if err != nil {
		t.Fatal(err)
	}
	return l, d.Bytes(tag.PixelData)[:l.Bytes()]
}

// TestEncodeBack compresses pictures and expects the very bytes back, also of a coder and decoder that did others before.
func TestEncodeBack(t *testing.T) {
	var e pixel.Encoder
	for _, p := range shapes() {
		l, want := p.native(t)
		for _, planar := range []bool{false, true} {
			if l.Planar = planar; planar && p.samples == 1 {
				continue
			}
			for _, syntax := range pixel.EncodedSyntaxes() {
				name := fmt.Sprintf("%s, planes %t, %s", p.name, planar, syntax)
				coded, err := e.Append(nil, l, syntax, want)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, err := pixel.Native(l, syntax, coded)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes came back as %d, %v, or differ", name, len(want), len(got), err)
				}
				again, err := e.Append([]byte("before"), l, syntax, want)
				if err != nil || string(again) != "before"+string(coded) {
					t.Errorf("%s: the second time differs from the first: %v", name, err)
				}
			}
		}
	}
}

// TestEncodeSaves fails when a coder works but no longer saves what it saved.
func TestEncodeSaves(t *testing.T) {
	flat := picture{"", 512, 512, 1, 16, false, func(int, int, int) int { return 700 }}
	for _, c := range []struct {
		name    string
		picture picture
		syntax  string
		most    float64 // of the native size
	}{
		{"flat JPEG-LS", flat, "1.2.840.10008.1.2.4.80", 0.002},
		{"flat JPEG Lossless", flat, "1.2.840.10008.1.2.4.70", 0.063},
		{"flat RLE", flat, rle, 0.02},
		{"smooth JPEG-LS", pictures()[3], "1.2.840.10008.1.2.4.80", 0.6},
		{"smooth JPEG Lossless", pictures()[3], "1.2.840.10008.1.2.4.70", 0.7},
	} {
		l, native := c.picture.native(t)
		coded, err := new(pixel.Encoder).Append(nil, l, c.syntax, native)
		if ratio := float64(len(coded)) / float64(len(native)); err != nil || ratio > c.most {
			t.Errorf("%s: %.4f of the native size, %v, want at most %.4f", c.name, ratio, err, c.most)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	good := pixel.Layout{Rows: 1, Columns: 2, SamplesPerPixel: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
	for _, c := range []struct {
		name   string
		edit   func(*pixel.Layout)
		syntax string
		native int
		want   dicomweb.Kind
	}{
		{"unknown syntax", nil, "1.2.3", 2, dicomweb.UnsupportedMedia},
		{"another kind of JPEG", nil, "1.2.840.10008.1.2.4.50", 2, dicomweb.UnsupportedMedia},
		{"32 bits", func(l *pixel.Layout) { l.BitsAllocated = 32 }, "1.2.840.10008.1.2.4.80", 8, dicomweb.UnsupportedMedia},
		{"two samples", func(l *pixel.Layout) { l.SamplesPerPixel = 2 }, "1.2.840.10008.1.2.4.70", 4, dicomweb.UnsupportedMedia},
		{"more segments than RLE has", func(l *pixel.Layout) { l.SamplesPerPixel, l.BitsAllocated = 4, 32 }, rle, 32, dicomweb.UnsupportedMedia},
		{"more columns than JPEG tells", func(l *pixel.Layout) { l.Columns = 1 << 16 }, "1.2.840.10008.1.2.4.80", 1 << 16, dicomweb.UnsupportedMedia},
		{"no rows", func(l *pixel.Layout) { l.Rows = 0 }, rle, 0, dicomweb.UnsupportedMedia},
		{"a byte too few", nil, rle, 1, dicomweb.Internal},
	} {
		l := good
		if c.edit != nil {
			c.edit(&l)
		}
		if _, err := new(pixel.Encoder).Append(nil, l, c.syntax, make([]byte, c.native)); err == nil || dicomweb.KindOf(err) != c.want {
			t.Errorf("%s: %v, want an error of kind %d", c.name, err, c.want)
		}
	}
}

// FuzzEncode compresses any bytes as frames of any layout and expects them back.
func FuzzEncode(f *testing.F) {
	f.Add(byte(0), byte(12), uint8(7), []byte("some bytes, and then the same same same same same byte"))
	f.Add(byte(3), byte(16), uint8(1), bytes.Repeat([]byte{0xFF, 0x7F, 0, 0x80}, 30))
	f.Add(byte(7), byte(3), uint8(200), bytes.Repeat([]byte{7}, 800))
	f.Fuzz(func(t *testing.T, form, stored byte, columns uint8, raw []byte) {
		l := pixel.Layout{Columns: max(1, int(columns)), SamplesPerPixel: 1, BitsAllocated: 8, Planar: form&4 != 0, Signed: form&8 != 0}
		if form&1 != 0 {
			l.BitsAllocated = 16
		}
		if form&2 != 0 {
			l.SamplesPerPixel = 3
		}
		l.BitsStored = 1 + int(stored)%l.BitsAllocated
		l.HighBit = l.BitsStored - 1
		line := l.Columns * l.SamplesPerPixel * l.BitsAllocated / 8
		if l.Rows = len(raw) / line; l.Rows == 0 {
			return
		}
		raw = raw[:l.Rows*line]
		for _, syntax := range pixel.EncodedSyntaxes() {
			coded, err := new(pixel.Encoder).Append(nil, l, syntax, raw)
			if err != nil {
				t.Fatalf("%s of %+v: %v", syntax, l, err)
			}
			if got, err := pixel.Native(l, syntax, coded); err != nil || !bytes.Equal(got, raw) {
				t.Fatalf("%s of %+v: %x came back as %x, %v", syntax, l, raw, got, err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	l, native := picture{"", 512, 512, 1, 12, false, pictures()[3].make}.native(b)
	for _, c := range []struct{ name, syntax string }{
		{"RLE", rle}, {"JPEG lossless SV1", "1.2.840.10008.1.2.4.70"}, {"JPEG-LS", "1.2.840.10008.1.2.4.80"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var e pixel.Encoder
			var out []byte
			b.SetBytes(int64(len(native)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if out, err = e.Append(out[:0], l, c.syntax, native); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(native))/float64(len(out)), "ratio")
		})
	}
}
