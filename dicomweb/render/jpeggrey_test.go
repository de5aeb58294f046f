package render

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
)

// scene is an image such as MR has: air, smooth tissue, edges, noise.
func scene(w, h int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, w, h))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		x, y := float64(i%w)-float64(w)/2, float64(i/w)-float64(h)/2
		if r := math.Hypot(x, y) / float64(max(w, h)); r < 0.4 {
			v := 110 + 60*math.Sin(x/9)*math.Cos(y/14) + 6*random.NormFloat64()
			if math.Sin(x/17+y/23) > 0.7 {
				v += 60
			}
			img.Pix[i] = uint8(min(max(v, 0), 255))
		} else if r < 0.45 {
			img.Pix[i] = uint8(random.IntN(4))
		}
	}
	return img
}

// psnr returns the peak signal to noise ratio of a decoded stream, dB.
func psnr(t *testing.T, stream []byte, want *image.Gray) float64 {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := img.(*image.Gray)
	if !ok || got.Rect.Size() != want.Rect.Size() {
		t.Fatalf("decoded as %T of %v, want grey of %v", img, img.Bounds(), want.Rect)
	}
	sum := 0.0
	for y := range want.Rect.Dy() {
		for x := range want.Rect.Dx() {
			d := float64(got.GrayAt(x, y).Y) - float64(want.GrayAt(x, y).Y)
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255/(sum/float64(len(want.Pix))+1e-9))
}

// TestGreyJPEG holds streams against those of the standard library: as near to the image, and as long.
func TestGreyJPEG(t *testing.T) {
	for _, size := range []image.Point{{8, 8}, {1, 1}, {7, 9}, {64, 40}, {65, 33}, {256, 256}} {
		for _, quality := range []int{1, 10, 49, 50, 75, 90, 100} {
			img := scene(size.X, size.Y)
			var theirs bytes.Buffer
			if err := jpeg.Encode(&theirs, img, &jpeg.Options{Quality: quality}); err != nil {
				t.Fatal(err)
			}
			ours := appendGreyJPEG(nil, img, quality)
			got, want := psnr(t, ours, img), psnr(t, theirs.Bytes(), img)
			if got < min(want, 55)-0.2 { // beyond that a decoder rounds
				t.Errorf("%v, quality %d: %.2f dB, the standard library has %.2f", size, quality, got, want)
			}
			if len(ours) > theirs.Len()+theirs.Len()/50+40 { // 20 for APP0
				t.Errorf("%v, quality %d: %d bytes, the standard library has %d", size, quality, len(ours), theirs.Len())
			}
		}
	}
}

// TestGreyJPEGExtremes: the largest differences and coefficients there are.
func TestGreyJPEGExtremes(t *testing.T) {
	for name, at := range map[string]func(x, y int) uint8{
		"black":   func(x, y int) uint8 { return 0 },
		"white":   func(x, y int) uint8 { return 255 },
		"chess":   func(x, y int) uint8 { return uint8(255 * ((x + y) & 1)) },
		"blocks":  func(x, y int) uint8 { return uint8(255 * ((x/8 + y/8) & 1)) },
		"columns": func(x, y int) uint8 { return uint8(255 * (x & 1)) },
		"steps":   func(x, y int) uint8 { return uint8(255 * (x / 4 & 1)) },
	} {
		img := image.NewGray(image.Rect(0, 0, 40, 24))
		for i := range img.Pix {
			img.Pix[i] = at(i%40, i/40)
		}
		if got := psnr(t, appendGreyJPEG(nil, img, 100), img); got < 45 {
			t.Errorf("%s: %.1f dB at quality 100", name, got)
		}
	}
}

func BenchmarkGreyJPEG(b *testing.B) {
	img := scene(512, 512)
	var out []byte
	b.SetBytes(512 * 512)
	for b.Loop() {
		out = appendGreyJPEG(out[:0], img, 90)
	}
	b.ReportMetric(float64(len(out)), "length")
}

func BenchmarkGreyJPEGStandardLibrary(b *testing.B) {
	img := scene(512, 512)
	var out bytes.Buffer
	b.SetBytes(512 * 512)
	for b.Loop() {
		out.Reset()
		if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 90}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len()), "length")
}
