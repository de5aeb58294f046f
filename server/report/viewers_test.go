package report_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/lesion"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/report"
)

// loaders is the folder with OHIF's loaders and the script that drives them.
const loaders = "../../.ci/viewer"

// needsLoaders skips a test where the loaders, or what runs them, are absent.
func needsLoaders(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(loaders, "node_modules", "@cornerstonejs", "adapters")); err != nil {
		t.Skipf("OHIF's loaders are not installed: npm ci --ignore-scripts in .ci/viewer")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed: OHIF's loaders do not read the results")
	}
}

// runLoaders runs a script beside the loaders and reads the JSON that it prints.
func runLoaders(t *testing.T, got any, script string, args ...string) {
	t.Helper()
	program := exec.Command("node", append([]string{script}, args...)...)
	program.Dir = loaders
	out, err := program.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("%s: %v: %s", script, err, exit.Stderr)
	}
	if err := errors.Join(err, json.Unmarshal(out, got)); err != nil {
		t.Fatalf("%s: %v in %.300s", script, err, out)
	}
}

// shown is what the script prints: what a viewer would list and draw.
type shown struct {
	Main         int // measurements of the main SR
	Measurements []struct {
		Tool, Label, Finding, Site, UID, Image string
		Points                                 []volume.Vec
		Closed                                 bool
		Stats                                  struct{ Length, Width, Area float64 }
	}
	Seg, LabelMap map[string]int // voxels by label
	Map           struct {
		Length, Count int
		Sum           float64
	}
}

// square is the study of withFindings on square pixels: the loader takes the spacing of rows for that of columns.
func square() *fusion.Assessment {
	a := withFindings()
	a.Grid.SpacingMM[1] = a.Grid.SpacingMM[0]
	for _, f := range a.Findings {
		f.Mask.Grid = a.Grid
	}
	return a
}

// mapped is a study with a map alone; the loader needs slices of a multiple of four pixels.
func mapped() report.Part {
	a := withoutFindings()
	a.Breasts, a.Grid.Size, a.Reference.Slices = nil, [3]int{12, 8, 4}, a.Reference.Slices[:4]
	heat := volume.New(a.Grid)
	heat.Data[100], heat.Data[101], heat.Data[300] = 0.5, -0.125, 2
	return report.Part{Assessment: a, Headers: headers(), Maps: []report.Map{{Kind: report.Explanation, Volume: heat}}}
}

// TestViewers: OHIF's loaders draw the lesions where they are, with their labels, and find the SEG's voxels and the map's
// values.
func TestViewers(t *testing.T) {
	needsLoaders(t)
	a, dir := square(), t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src := source()
	o := mustBuild(t, a, src)
	write("sr.dcm", written(t, o.SR))
	write("viewer.dcm", written(t, o.ViewerSR))
	write("seg.dcm", written(t, o.SEG))
	write("source.json", sourceImages(t, a.Grid, a.Reference.Slices))
	src.LabelMap = true
	write("labelmap.dcm", written(t, mustBuild(t, a, src).SEG))
	p := mapped()
	src.WholeMaps = true // as this loader needs it
	write("pm.dcm", written(t, mustBuildPart(t, p, src).Maps[0]))
	write("map.json", sourceImages(t, p.Assessment.Grid, p.Assessment.Reference.Slices))

	var got shown
	runLoaders(t, &got, "read.mjs", dir)
	if got.Main != 0 {
		t.Errorf("%d measurements of the main SR are drawn, beside those of the viewers' one", got.Main)
	}
	if len(got.Measurements) != 2*len(a.Findings) {
		t.Fatalf("%d measurements, want a bidirectional one and an outline of %d lesions", len(got.Measurements), len(a.Findings))
	}
	for _, m := range got.Measurements {
		n := slices.IndexFunc([]string{"Lesion 1 AI p=0.87", "Lesion 2 AI p=0.41"}, func(label string) bool { return label == m.Label })
		if n < 0 || m.Finding != "Lesion" || m.Site != [2]string{"Left breast", "Right breast"}[n] {
			t.Fatalf("%s is labelled %q, found %q in %q", m.Tool, m.Label, m.Finding, m.Site)
		}
		slice, long, short := lesion.Calipers(a.Findings[n].Mask)
		switch m.Tool {
		case "Bidirectional":
			for i, want := range []volume.Vec{long.From, long.To, short.From, short.To} {
				if m.Points[i].Sub(want).Norm() > 1e-4 { // mm, of 32-bit floats
					t.Errorf("%s: an end is drawn at %v, want %v", m.Label, m.Points[i], want)
				}
			}
			if math.Abs(m.Stats.Length-long.LengthMM()) > 0.05 || math.Abs(m.Stats.Width-short.LengthMM()) > 0.05 {
				t.Errorf("%s: %v x %v mm, want %.2f x %.2f", m.Label, m.Stats.Length, m.Stats.Width, long.LengthMM(), short.LengthMM())
			}
		case "PlanarFreehandROI":
			if !m.Closed || m.Image != "test:"+string(rune('0'+slice)) {
				t.Errorf("%s: outline closed %v on %s, want closed on slice %d", m.Label, m.Closed, m.Image, slice)
			}
		default:
			t.Errorf("%s is drawn by %s", m.Label, m.Tool)
		}
	}
	for label, want := range map[string]int{
		"Lesion 1": a.Findings[0].Mask.Count(), "Lesion 2": a.Findings[1].Mask.Count(),
		"Left breast": a.Breasts[0].Mask.Count(), "Right breast": a.Breasts[1].Mask.Count(),
	} {
		if got.Seg[label] != want {
			t.Errorf("SEG: %s has %d voxels, want %d", label, got.Seg[label], want)
		}
	}
	if got.LabelMap["Lesion 1"] != a.Findings[0].Mask.Count() || len(got.LabelMap) != len(got.Seg) {
		t.Errorf("label map: %v", got.LabelMap)
	}
	sum, count := 0.0, 0
	for _, v := range p.Maps[0].Volume.Data {
		if sum += float64(v); v != 0 {
			count++
		}
	}
	if voxels := p.Assessment.Grid.Len(); got.Map.Length != voxels || got.Map.Count != count || math.Abs(got.Map.Sum-sum) > 1e-6 {
		t.Errorf("map of %d voxels, %d with values, sum %v, want %d, %d, %v", got.Map.Length, got.Map.Count, got.Map.Sum, voxels, count, sum)
	}
}

// sourceImages describes the images of the reference series for the script.
func sourceImages(t *testing.T, g volume.Grid, slices []experts.Slice) []byte {
	t.Helper()
	type image struct {
		UID      string     `json:"uid"`
		Position volume.Vec `json:"position"`
	}
	var images []image
	for k, s := range slices {
		images = append(images, image{s.SOPInstanceUID, g.Point(0, 0, float64(k))})
	}
	b, err := json.Marshal(map[string]any{
		"rows": g.Size[1], "columns": g.Size[0], "orientation": append(g.Axis[0][:], g.Axis[1][:]...), "spacing": []float64{g.SpacingMM[1], g.SpacingMM[0]},
		"thickness": g.SpacingMM[2], "frameOfReference": g.FrameOfReference, "series": seriesUID(2), "class": uid.MRImageStorage, "images": images,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
