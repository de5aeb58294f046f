package report_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mome/dicomweb/dicom"
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

// filed is a result as other programs find it.
type filed struct {
	name             string
	objects, sources []string          // paths
	frames           map[string]string // "Dimensions: (columns,rows,frames)" of each object with pixels, as GDCM says it
	labelMap         bool              // it has one, which programs of before 2024 do not know
}

// inFiles writes a result, and images of the study, into folders below dir.
func inFiles(t *testing.T, dir string, o report.Objects, images []*dicom.Dataset) filed {
	t.Helper()
	out := filed{name: filepath.Base(dir), frames: map[string]string{}}
	write := func(folder, name string, d *dicom.Dataset) string {
		path := filepath.Join(dir, folder, name+".dcm")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, written(t, d), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, d := range inOrder(o) {
		path := write("result", kind(d), d)
		out.objects = append(out.objects, path)
		out.labelMap = out.labelMap || kind(d) == "labelmap"
		if d.Has(tag.Rows) {
			out.frames[path] = fmt.Sprintf("Dimensions: (%d,%d,%d)", d.IntOr(tag.Columns, 0), d.IntOr(tag.Rows, 0), d.IntOr(tag.NumberOfFrames, 1))
		}
	}
	for n, d := range images {
		out.sources = append(out.sources, write("study", fmt.Sprint(n), d))
	}
	return out
}

// files writes the objects of all outcomes and corners, and every kind of object in every language, a folder for each, with
// the headers of the study's image.
func files(t *testing.T) (out []filed) {
	t.Helper()
	root := t.TempDir()
	write := func(name string, p report.Part, src report.Source) {
		out = append(out, inFiles(t, filepath.Join(root, name), mustBuildPart(t, p, src), []*dicom.Dataset{headers()}))
	}
	for _, c := range slices.Concat(outcomes, corners) {
		write(c.name, report.Part{Assessment: c.make(), Headers: headers()}, source())
	}
	for _, l := range words.Languages() {
		src := source()
		src.Language, src.MapsAsMR = l, true
		whole := withMaps()
		whole.ReferencePhase = volume.New(whole.Assessment.Grid)
		whole.ReferencePhase.Data[7] = 300
		write("everything, in "+l.Name(), whole, src)
		write("not done, in "+l.Name(), report.Part{Assessment: notDone(), Headers: headers()}, src)
		src.LabelMap = true
		write("label map, in "+l.Name(), report.Part{Assessment: withFindings(), Headers: headers()}, src)
	}
	whole, src := withMaps(), source()
	whole.Maps, src.WholeMaps = whole.Maps[:2], true
	write("whole maps", whole, src)
	return out
}
