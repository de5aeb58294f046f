package render_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/fixtures/phantom"
)

// TestAgainstDCMTK renders objects as dcm2pnm does, within one level, colours of YBR_FULL within three. Objects with a
// fractional Rescale Slope are left out: DCMTK rounds what comes out of it to whole numbers.
func TestAgainstDCMTK(t *testing.T) {
	program, err := exec.LookPath("dcm2pnm")
	if err != nil {
		t.Skip("dcm2pnm (DCMTK) is not installed")
	}
	ramp := func(n int) []byte {
		var values []int
		for i := range n * n {
			values = append(values, i*13%4096)
		}
		return words(values...)
	}
	colours := func(photometric string, planar int) *dicom.Dataset {
		return object(16, 16, ramp(20)[:3*256], func(d *dicom.Dataset) {
			bits8(d)
			d.Set(tag.SamplesPerPixel, 3)
			d.Set(tag.PhotometricInterpretation, photometric)
			d.Set(tag.PlanarConfiguration, planar)
		})
	}
	grey := func(set func(*dicom.Dataset)) *dicom.Dataset {
		return object(64, 64, ramp(64), func(d *dicom.Dataset) {
			d.Set(tag.BitsStored, 12)
			d.Set(tag.HighBit, 11)
			set(d)
		})
	}
	type subject struct {
		name    string
		object  *dicom.Dataset
		options []string
	}
	subjects := []subject{
		{"window", grey(func(d *dicom.Dataset) { window(d, 2000, 1000, "") }), []string{"+Wi", "1"}},
		{"rescale and window", grey(func(d *dicom.Dataset) {
			d.Set(tag.RescaleSlope, "0.5")
			d.Set(tag.RescaleIntercept, "-1000")
			window(d, 0, 1500, "LINEAR")
		}), []string{"+Wi", "1"}},
		{"sigmoid", grey(func(d *dicom.Dataset) { window(d, 2000, 1000, "SIGMOID") }), []string{"+Wi", "1", "+Wfs"}},
		{"signed", grey(func(d *dicom.Dataset) { signed(d); window(d, 0, 3000, "") }), []string{"+Wi", "1"}},
		{"MONOCHROME1", grey(func(d *dicom.Dataset) {
			d.Set(tag.PhotometricInterpretation, "MONOCHROME1")
			window(d, 2000, 3000, "")
		}), []string{"+Wi", "1"}},
		{"VOI LUT", grey(func(d *dicom.Dataset) {
			var entries []int
			for i := range 1024 {
				entries = append(entries, i*i>>8)
			}
			d.SetItems(tag.VOILUTSequence, lutItem(dicom.US, 1000, 12, entries...))
		}), []string{"+Wl", "1"}},
		{"RGB", colours("RGB", 0), nil},
		{"RGB by plane", colours("RGB", 1), nil},
		{"YBR_FULL", colours("YBR_FULL", 0), nil},
	}
	for _, vendor := range []phantom.Vendor{phantom.Siemens, phantom.GE, phantom.UIH} {
		study, err := phantom.New(phantom.Config{Vendor: vendor, Resolution: phantom.Tiny, Phases: 2})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for name, d := range study.Instances() {
			slope, ok := d.Float(tag.RescaleSlope)
			if whole := !ok || slope == math.Trunc(slope); whole && d.Has(tag.WindowWidth) && n%20 == 0 {
				subjects = append(subjects, subject{fmt.Sprint(vendor, " ", name), d, []string{"+Wi", "1"}})
			}
			if n++; n > 100 {
				break
			}
		}
	}
	dir := t.TempDir()
	for i, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			in, out := filepath.Join(dir, fmt.Sprint(i, ".dcm")), filepath.Join(dir, fmt.Sprint(i, ".pnm"))
			file := archivetest.File(t, s.object)
			if err := os.WriteFile(in, file, 0o600); err != nil {
				t.Fatal(err)
			}
			if said, err := exec.Command(program, append(s.options, in, out)...).CombinedOutput(); err != nil {
				t.Fatalf("dcm2pnm: %v %s", err, said)
			}
			theirs, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := frame(archivetest.Scan(t, file), 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			within := 1
			if s.object.String(tag.PhotometricInterpretation) == "YBR_FULL" {
				within = 3
			}
			compare(t, ours, theirs, within)
		})
	}
	if len(subjects) < 15 {
		t.Errorf("%d images compared: the phantoms gave none", len(subjects))
	}
}

// compare holds an image against a raw PNM of 8 bits.
func compare(t *testing.T, ours image.Image, theirs []byte, within int) {
	t.Helper()
	var magic string
	var w, h, most int
	if _, err := fmt.Fscan(bytes.NewReader(theirs), &magic, &w, &h, &most); err != nil || most != 255 {
		t.Fatalf("PNM %q: %v", theirs[:min(len(theirs), 20)], err)
	}
	channels := map[string]int{"P5": 1, "P6": 3}[magic]
	if ours.Bounds().Size() != image.Pt(w, h) || channels == 0 {
		t.Fatalf("%v, dcm2pnm has %s of %d x %d", ours.Bounds(), magic, w, h)
	}
	pixels := theirs[len(theirs)-w*h*channels:]
	for i := range w * h {
		c := color.RGBAModel.Convert(ours.At(i%w, i/w)).(color.RGBA)
		got := [3]int{int(c.R), int(c.G), int(c.B)}
		for k := range channels {
			if d := got[k] - int(pixels[i*channels+k]); d < -within || d > within {
				t.Fatalf("pixel %d, %d, channel %d: %d, dcm2pnm has %d", i%w, i/w, k, got[k], pixels[i*channels+k])
			}
		}
	}
}
