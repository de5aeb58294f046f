package report_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/report"
	"mome/server/words"
)

// corners are results beside the three outcomes that validators must accept too.
var corners = []outcome{
	{"not-done-nothing-used", func() *fusion.Assessment {
		a := notDone()
		a.Series, a.Present = nil, nil
		return a
	}},
	{"nothing-to-outline", func() *fusion.Assessment {
		a := withoutFindings()
		a.Breasts = nil
		return a
	}},
	{"oblique-multi-frame", func() *fusion.Assessment {
		a := withFindings()
		c, s := math.Cos(0.3), math.Sin(0.3)
		a.Grid.Axis = [3]volume.Vec{{c, s, 0}, {0, 0, -1}, {s, -c, 0}}
		a.Reference.SOPClassUID = uid.EnhancedMRImageStorage
		a.Series[0].SOPClassUID = uid.EnhancedMRImageStorage
		a.Series[0].Instances = a.Series[0].Instances[:1]
		for i := range a.Reference.Slices {
			a.Reference.Slices[i] = experts.Slice{SOPInstanceUID: a.Series[0].Instances[0], Frame: i + 1}
		}
		return a
	}},
	{"no-frame-of-reference", func() *fusion.Assessment {
		a := withFindings()
		a.Grid.FrameOfReference = ""
		for i := range a.Series {
			a.Series[i].FrameOfReference = ""
		}
		return a
	}},
	{"no-model", func() *fusion.Assessment {
		a := withFindings()
		a.Algorithm.WeightsSHA256, a.Algorithm.OperatingPoint, a.Algorithm.TrainedOn, a.Algorithm.Parameters = "", 0, "", nil
		for i := range a.Findings {
			a.Findings[i].Probability, a.Findings[i].Contributions, a.Findings[i].Suspicion = experts.Quantity{}, nil, 0
		}
		return a
	}},
	{"one-slice", func() *fusion.Assessment {
		a := withoutFindings()
		a.Breasts = []experts.Breast{{Side: experts.Left, Mask: box([3]int{0, 0, 3}, [3]int{13, 11, 4})}}
		return a
	}},
}

// files writes the objects of all outcomes and corners, a folder for each, with the headers of the study's image.
func files(t *testing.T) map[string][]string {
	t.Helper()
	root, out := t.TempDir(), map[string][]string{}
	write := func(name string, p report.Part, src report.Source) {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		all, err := report.BuildAll([]report.Part{p}, src)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range append(inOrder(all[0]), headers()) {
			path := filepath.Join(dir, kind(d)+".dcm")
			if err := os.WriteFile(path, written(t, d), 0o600); err != nil {
				t.Fatal(err)
			}
			out[name] = append(out[name], path)
		}
	}
	for _, c := range slices.Concat(outcomes, corners) {
		write(c.name, report.Part{Assessment: c.make(), Headers: headers()}, source())
	}
	for _, l := range words.Languages()[1:] {
		src := source()
		src.Language = l
		write("in "+l.Name(), report.Part{Assessment: withFindings(), Headers: headers()}, src)
		write("not done, in "+l.Name(), report.Part{Assessment: notDone(), Headers: headers()}, src)
	}
	src := source()
	src.MapsAsMR = true
	write("with maps", withMaps(), src)
	whole, src := withMaps(), source()
	whole.Maps, src.WholeMaps = whole.Maps[:2], true
	write("whole maps", whole, src)
	return out
}

// run runs a program of the system on files, or skips the test. It returns the program's output and whether it
// succeeded.
func run(t *testing.T, name string, args ...string) (string, bool) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed: its check of the results is left out", name)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err == nil
}

// complaints returns the lines of a validator that are errors, or warnings about things that are not as they should
// be.
func complaints(out string, harmless *regexp.Regexp) []string {
	var lines []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "Error") || strings.Contains(line, "Warning") && !harmless.MatchString(line) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// TestDciodvfy: dicom3tools' validator knows neither the Device UID in Contributing Equipment, which IHE demands, nor
// our coding scheme, nor that a Parametric Map's contrast is a QUANTITY (C.8.32.2), and it warns of the rescale of MR
// images, which is there for viewers; else it finds nothing.
func TestDciodvfy(t *testing.T) {
	harmless := regexp.MustCompile(`DeviceUID|CodingSchemeUID|<99BRMOME>|<QUANTITY>|Rescale(Slope|Intercept|Type)`)
	for name, paths := range files(t) {
		for _, path := range paths[:len(paths)-1] { // the last is no object of ours
			out, _ := run(t, "dciodvfy", "-new", path)
			if !regexp.MustCompile(`Comprehensive|Segmentation|ParametricMap|MRImage|SCImage`).MatchString(out) {
				t.Errorf("%s %s: the validator did not recognise the object: %s", name, filepath.Base(path), out)
			}
			for _, line := range complaints(out, harmless) {
				t.Errorf("%s %s: %s", name, filepath.Base(path), line)
			}
		}
	}
}

// TestDcentvfy: results and images agree on patient and study. Of the attributes that it files under several entities
// it always warns.
func TestDcentvfy(t *testing.T) {
	harmless := regexp.MustCompile(`Different information entities for attribute - Element=<AccessionNumber>`)
	for name, paths := range files(t) {
		out, _ := run(t, "dcentvfy", paths...)
		for _, line := range complaints(out, harmless) {
			t.Errorf("%s: %s", name, line)
		}
	}
	other := source()
	other.Headers.Set(tag.PatientBirthDate, "19710101")
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for path, d := range map[string][]byte{a: written(t, mustBuild(t, notDone(), other).SR), b: written(t, headers())} {
		if err := os.WriteFile(path, d, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, _ := run(t, "dcentvfy", a, b); len(complaints(out, harmless)) == 0 {
		t.Error("dcentvfy accepts two birth dates: this check sees nothing")
	}
}

// TestDCMTK: dsrdump reads the whole tree against its own rules, dcmdump parses every object.
func TestDCMTK(t *testing.T) {
	for name, paths := range files(t) {
		for _, path := range paths {
			if out, ok := run(t, "dcmdump", "--load-short", "-q", path); !ok {
				t.Errorf("%s %s: dcmdump: %s", name, filepath.Base(path), out)
			}
		}
		for _, path := range paths {
			if base := filepath.Base(path); base != "sr.dcm" && base != "viewer.dcm" {
				continue
			}
			out, ok := run(t, "dsrdump", "--print-long-values", "--print-all-codes", path)
			if !ok || strings.Contains("\n"+out, "\nE: ") {
				t.Errorf("%s: dsrdump: %s", name, out)
			}
			for _, want := range []string{"홍^길동", "NOT FOR CLINICAL USE"} {
				if !strings.Contains(out, want) {
					t.Errorf("%s: dsrdump does not show %q", name, want)
				}
			}
		}
	}
}

// TestGDCM: GDCM finds the frames and that a pixel is one bit.
func TestGDCM(t *testing.T) {
	all := files(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		path := all[name][0]
		if filepath.Base(path) != "seg.dcm" {
			continue
		}
		out, ok := run(t, "gdcminfo", path)
		d, _ := scanned(t, mustRead(t, path))
		frames := fmt.Sprintf("Dimensions: (%d,%d,%d)", size[0], size[1], d.IntOr(tag.NumberOfFrames, 0))
		if !ok || !strings.Contains(out, "SINGLEBIT") || !strings.Contains(out, frames) && d.IntOr(tag.NumberOfFrames, 0) > 1 {
			t.Errorf("%s: gdcminfo does not say SINGLEBIT and %s: %s", name, frames, out)
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
