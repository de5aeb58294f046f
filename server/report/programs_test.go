package report_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// programs read results; each fails the test over what it does not understand, and skips it where it is not installed. What
// an installed version is too old to know, the log says by name.
var programs = []struct {
	name string
	read func(t *testing.T, results []filed)
}{
	{"dciodvfy", dciodvfy}, {"dcentvfy", dcentvfy}, {"DCMTK", dcmtk}, {"GDCM", gdcm}, {"dcmjs", dcmjs},
}

// TestPrograms: all of them read all kinds of objects.
func TestPrograms(t *testing.T) {
	all := files(t)
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) { p.read(t, all) })
	}
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

// dciodvfy: dicom3tools' validator knows neither the Device UID in Contributing Equipment, which IHE demands, nor
// our coding scheme, nor that a Parametric Map's contrast is a QUANTITY (C.8.32.2), and it warns of the rescale of MR
// images, which is there for viewers. Else it finds nothing.
func dciodvfy(t *testing.T, results []filed) {
	harmless := regexp.MustCompile(`DeviceUID|CodingSchemeUID|<99BRMOME>|<QUANTITY>|Rescale(Slope|Intercept|Type)`)
	recognised := regexp.MustCompile(`Comprehensive|Segmentation|ParametricMap|MRImage|SCImage`)
	for _, r := range results {
		for _, path := range r.objects {
			out, _ := run(t, "dciodvfy", "-new", path)
			if r.labelMap {
				out = withoutLabelMap(t, r, path, out)
			}
			if !recognised.MatchString(out) {
				t.Errorf("%s %s: the validator did not recognise the object: %s", r.name, filepath.Base(path), out)
			}
			for _, line := range complaints(out, harmless) {
				t.Errorf("%s %s: %s", r.name, filepath.Base(path), line)
			}
		}
	}
}

// withoutLabelMap takes out what dciodvfy says because it does not know Label Map Segmentation: not the class, nor that
// segment 0 is its background, nor that an SR names its segments.
func withoutLabelMap(t *testing.T, r filed, path, out string) string {
	const unknown = "Error - Information Object Not found"
	said := regexp.MustCompile(`Error - <\S*/ReferencedSegmentNumber\(0062,000b\)> - Shall not be present for Referenced SOP Class that is not segmentation`)
	if filepath.Base(path) == "labelmap.dcm" {
		said = regexp.MustCompile(`Error - <\S*> - SegmentNumber not monotonically increasing .* item number 1 .* of 0`)
	}
	if strings.Contains(out, unknown) {
		t.Logf("%s: this version of dciodvfy knows no Label Map Segmentation", r.name)
	}
	return said.ReplaceAllString(strings.Replace(out, unknown, "Segmentation", 1), "")
}

// entities are warnings about attributes that dcentvfy files under several entities.
var entities = regexp.MustCompile(`Different information entities for attribute - Element=<AccessionNumber>`)

// dcentvfy: results and images agree on patient, study and frame of reference.
func dcentvfy(t *testing.T, results []filed) {
	for _, r := range results {
		out, _ := run(t, "dcentvfy", slices.Concat(r.objects, r.sources)...)
		if strings.Contains(out, "Unrecognized SOP Class - "+uid.LabelMapSegmentationStorage) && r.labelMap {
			t.Logf("%s: this version of dcentvfy knows no Label Map Segmentation and takes no attribute of one", r.name)
			out = regexp.MustCompile(`Warning - (Unrecognized SOP Class - .* file|Different information entities .* IE <Unknown> .*) <.*/labelmap.dcm>.*`).ReplaceAllString(out, "")
		}
		for _, line := range complaints(out, entities) {
			t.Errorf("%s: %s", r.name, line)
		}
	}
}

// TestDcentvfySees: the check of entities can fail.
func TestDcentvfySees(t *testing.T) {
	other := source()
	other.Headers.Set(tag.PatientBirthDate, "19710101")
	r := inFiles(t, t.TempDir(), mustBuild(t, notDone(), other), []*dicom.Dataset{headers()})
	if out, _ := run(t, "dcentvfy", slices.Concat(r.objects, r.sources)...); len(complaints(out, entities)) == 0 {
		t.Error("dcentvfy accepts two birth dates: this check sees nothing")
	}
}

// dcmtk: dcmdump parses every object, dsrdump reads the whole tree of each SR against its own rules.
func dcmtk(t *testing.T, results []filed) {
	for _, r := range results {
		for _, path := range r.objects {
			base := filepath.Base(path)
			if out, ok := run(t, "dcmdump", "--load-short", "-q", path); !ok {
				t.Errorf("%s %s: dcmdump: %s", r.name, base, out)
			}
			if base == "sr.dcm" || base == "viewer.dcm" {
				dsrdump(t, r, path)
			}
		}
	}
}

func dsrdump(t *testing.T, r filed, path string) {
	args := []string{"--print-long-values", "--print-all-codes", path}
	out, ok := run(t, "dsrdump", args...)
	if !ok && r.labelMap && strings.Contains(out, "unknown image SOP class referenced") {
		t.Logf("%s %s: this version of dsrdump knows no Label Map Segmentation and reads on when told to", r.name, filepath.Base(path))
		out, ok = run(t, "dsrdump", append([]string{"--ignore-item-errors"}, args...)...)
	}
	if !ok || strings.Contains("\n"+out, "\nE: ") {
		t.Errorf("%s %s: dsrdump: %s", r.name, filepath.Base(path), out)
	}
	name := patientOf(t, r)
	for _, want := range []string{name[strings.LastIndex(name, "=")+1:], "NOT FOR CLINICAL USE"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s %s: dsrdump does not show %q", r.name, filepath.Base(path), want)
		}
	}
}

// patientOf returns the Patient's Name that all objects must have, that of the images.
func patientOf(t *testing.T, r filed) string {
	t.Helper()
	d, _ := scanned(t, mustRead(t, r.sources[0]))
	return d.String(tag.PatientName)
}

// gdcm: gdcmdump shows every object, gdcminfo finds all frames, and in a SEG that a pixel is one bit. Version 3.0 of
// gdcminfo knows no Comprehensive 3D SR, Parametric Map and Label Map Segmentation.
func gdcm(t *testing.T, results []filed) {
	for _, r := range results {
		dump, ok := run(t, "gdcmdump", "-r", filepath.Dir(r.objects[0]))
		if n := strings.Count(dump, "# Dicom-Data-Set"); !ok || n != len(r.objects) {
			t.Errorf("%s: gdcmdump shows %d of %d objects: %.500s", r.name, n, len(r.objects), dump)
		}
		info, _ := run(t, "gdcminfo", "-r", filepath.Dir(r.objects[0])) // its status is that of the unknown ones
		said := map[string]string{}
		for _, file := range strings.Split(info, "filename: ")[1:] {
			path, text, _ := strings.Cut(file, "\n")
			said[path] = text
		}
		for _, path := range r.objects {
			base, text := filepath.Base(path), said[path]
			d, _ := scanned(t, mustRead(t, path))
			if !strings.Contains(dump, "(0008,0018) UI ["+d.String(tag.SOPInstanceUID)) {
				t.Errorf("%s %s: gdcmdump does not show the object", r.name, base)
			}
			class := d.String(tag.SOPClassUID)
			if later := base == "sr.dcm" || base == "labelmap.dcm" || strings.HasPrefix(base, "pm-"); later && strings.TrimSpace(text) == "Unknown MediaStorage" {
				t.Logf("%s: this version of gdcminfo knows no %s (%s)", r.name, class, base)
				continue
			}
			if !strings.Contains(text, "MediaStorage is "+class) || !strings.Contains(text, r.frames[path]) {
				t.Errorf("%s %s: gdcminfo does not say %s, %q: %s", r.name, base, class, r.frames[path], text)
			}
			if base == "seg.dcm" && !strings.Contains(text, "SINGLEBIT") {
				t.Errorf("%s: gdcminfo does not say SINGLEBIT: %s", r.name, text)
			}
		}
	}
}

// dcmjs: the library under web viewers parses every object and names its attributes.
func dcmjs(t *testing.T, results []filed) {
	needsLoaders(t)
	var paths, patients []string
	for _, r := range results {
		for _, path := range r.objects {
			paths, patients = append(paths, path), append(patients, patientOf(t, r))
		}
	}
	var got []struct {
		SOPClassUID, SOPInstanceUID, PatientName string
		Content, Pixels                          int
	}
	if runLoaders(t, &got, "parse.mjs", paths...); len(got) != len(paths) {
		t.Fatalf("parse.mjs: %d of %d objects", len(got), len(paths))
	}
	for n, path := range paths {
		d, pixels := scanned(t, mustRead(t, path))
		g, content := got[n], len(d.Items(tag.ContentSequence))
		if g.SOPClassUID != d.String(tag.SOPClassUID) || g.SOPInstanceUID != d.String(tag.SOPInstanceUID) || g.PatientName != patients[n] ||
			g.Content != content || g.Pixels != len(pixels) {
			t.Errorf("%s: dcmjs reads %+v, want %d content items, %d bytes of pixels", path, g, content, len(pixels))
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
