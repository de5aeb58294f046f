package page_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/fusion"
	"mome/server/analysis"
	"mome/server/jobs"
	"mome/server/page"
	"mome/server/picture"
	"mome/server/words"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func noon() time.Time { return time.Date(2025, 3, 14, 12, 0, 0, 0, time.UTC) }

// queue has one job, or none.
type queue []jobs.Status

func (q queue) List(context.Context, int) ([]jobs.Status, error) { return q, nil }

func (q queue) Status(_ context.Context, study string) (jobs.Status, error) {
	for _, j := range q {
		if j.Study == study {
			return j, nil
		}
	}
	return jobs.Status{}, dicomweb.Errorf(dicomweb.NotFound, "no analysis")
}

// hospital is an archive with one study of two series.
func hospital(t *testing.T, change func(*dicom.Dataset)) (*archive.Archive, string) {
	t.Helper()
	a, err := archive.Open(t.Context(), archive.Config{Dir: t.TempDir(), Now: noon, IsResult: func(d *dicom.Dataset) bool { return d.String(tag.Modality) == "SR" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	ref := archivetest.Ref("A", "1", "1")
	for n, series := range []string{"1", "2"} {
		put(t, a, archivetest.Ref("A", series, "1"), false, func(d *dicom.Dataset) {
			d.Set(tag.PatientName, "Hong^Gildong=\u6d2a^\u5409\u6d1e=\ud64d^\uae38\ub3d9")
			d.Set(tag.PatientID, "P-001")
			d.Set(tag.PatientBirthDate, "19700101")
			d.Set(tag.StudyDate, "20250314")
			d.Set(tag.StudyDescription, "MR BREAST")
			d.Set(tag.SeriesDescription, []string{"t1_fl3d dyn", "t2_tirm"}[n])
			d.Set(tag.Modality, "MR")
			if change != nil {
				change(d)
			}
		})
	}
	put(t, a, archivetest.Ref("A", "9", "1"), true, func(d *dicom.Dataset) { d.Set(tag.Modality, "SR") })
	return a, ref.Study
}

func put(t *testing.T, a *archive.Archive, ref dicomweb.Ref, result bool, change func(*dicom.Dataset)) {
	t.Helper()
	d := archivetest.Dataset(ref, func(d *dicom.Dataset) {
		d.Set(tag.SpecificCharacterSet, "ISO_IR 192")
		change(d)
	})
	if _, err := a.Put(t.Context(), bytes.NewReader(archivetest.File(t, d)), archive.PutOptions{Result: result}); err != nil {
		t.Fatal(err)
	}
}

// serve returns what a page's handler answers, by the way that package web calls it.
func serve(t *testing.T, cfg page.Config, target string) *httptest.ResponseRecorder {
	t.Helper()
	cfg.BaseURL = func(*http.Request) string { return "http://node.example/dicom-web" }
	cfg.Node, cfg.Model, cfg.Version, cfg.Now = "MOME", "MOME 0.1.0, trained on digital phantoms", "0.1.0", noon
	s, err := page.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, w := httptest.NewRequest("GET", target, nil), httptest.NewRecorder()
	path, _, _ := strings.Cut(strings.Trim(target, "/"), "?")
	parts := strings.Split(path, "/")
	switch {
	case parts[0] == "":
		err = s.Index(w, r, dicomweb.Ref{})
	case len(parts) == 2:
		err = s.Study(w, r, dicomweb.Ref{Study: parts[1]})
	case len(parts) == 3:
		err = s.Findings(w, r, dicomweb.Ref{Study: parts[1]})
	default:
		r.SetPathValue("picture", parts[3])
		err = s.Picture(w, r, dicomweb.Ref{Study: parts[1]})
	}
	if err != nil {
		w.Code = dicomweb.KindOf(err).Status()
		w.Body.Reset()
		w.Body.WriteString(err.Error())
	}
	return w
}

func p(v float64) *float64 { return &v }

// found are findings with everything.
func found(study string) page.Record {
	r := page.Record{Findings: analysis.Findings{
		Notice: "notice", Study: study, Outcome: fusion.WithFindings,
		Present: map[string]bool{"DCE": true, "T2": true, "DWI": true},
		Lesions: []analysis.LesionFinding{
			{
				Label: "Lesion 1", Side: experts.Left, Quadrant: "upper outer", Clock: 2, Depth: experts.Middle, NippleMM: p(31), SkinMM: p(12), WallMM: p(40),
				VolumeCM3: 1.234, LongAxisMM: 16.4, ShortAxisMM: 12.1, AxialLongMM: p(15.2), AxialShortMM: p(11.8), Sphericity: 0.81,
				Shape: experts.IrregularShape, Margin: experts.Spiculated, Internal: experts.Rim, Solidity: p(0.8), RimRatio: p(1.4),
				Neighbours:  []analysis.RelationFinding{{Label: "Lesion 2", GapMM: 20, DistanceMM: 30, Spread: experts.Multicentric}},
				Probability: p(0.87), Called: true, Suspicion: 4, Contributions: map[string]float64{"DCE": 1.83, "T2": -0.42, "DWI": 0.75},
				TimesS: []float64{0, 90, 180, 270, 360}, Signal: []float64{100, 243, 240, 220, 200},
				PEEarly: p(140), PEPeak: p(143), PEInitial: p(143), InitialPhase: experts.Fast, SER: p(1.31), TimeToPeakS: p(90),
				DelayedChange: p(-17), FTVCM3: p(1.01), Curve: experts.Washout, MeanCurve: experts.Washout,
				CurveShare: map[experts.Curve]float64{experts.Persistent: 0.1, experts.Plateau: 0.3, experts.Washout: 0.6},
				HotSpot:    &analysis.HotSpotFinding{Voxels: 27, Signal: []float64{100, 280, 270, 240, 210}, PEEarly: p(170), Curve: experts.Washout, DelayedChange: p(-0.2)},
				Uptake:     &analysis.UptakeFinding{Model: "Tofts", Ktrans: p(0.2), T1S: 1.45},
				ADC:        p(905), ADCMin: p(700), ADCP10: p(800), ADCVoxels: 40, Diffusion: experts.LowDiffusion,
				T2Ratio: p(1.18), T2Reference: "fibroglandular tissue",
				Further:     []analysis.JudgementFinding{{Task: "pcr", Probabilities: map[string]float64{"residual disease": 0.6, "pathological complete response": 0.4}, WeightsSHA256: strings.Repeat("7d", 32), TrainedOn: "nothing"}},
				Explanation: &analysis.ExplanationFinding{LogOdds: 1.9, Baseline: -0.3, CompletenessError: 0.004},
			},
			{Label: "Lesion 2", Side: experts.Right, VolumeCM3: 0.1, LongAxisMM: 6, ShortAxisMM: 5, Probability: p(0.05)},
		},
		Breasts: []analysis.BreastFinding{
			{Side: experts.Right, VolumeCM3: 612, FGT: p(18), Composition: experts.CompositionB, BPE: p(22), BPEShare: p(30), Background: experts.Mild},
			{Side: experts.Left, VolumeCM3: 640},
		},
		Asymmetry: &analysis.AsymmetryFinding{FGT: p(-4)},
		Motion:    []analysis.MotionFinding{{Of: "phase 3", MeanMM: 1.2, P95MM: 2.3, MaxMM: 3.4, Corrected: true, Reason: "it moved"}},
		Checks:    []analysis.CheckFinding{{Agrees: true, Text: "The subtraction agrees."}, {Text: "The ADC map differs."}},
		Settings:  []analysis.SettingFinding{{Modality: experts.DCE, Name: "early phase", Value: 2}, {Modality: experts.DWI, Name: "ADC", Text: "log-linear"}},
		Notes:     []string{"The times of the phases are assumed."},
		Series: []analysis.SeriesFinding{
			{Series: archivetest.Ref("A", "1", "").Series, Number: 8, Role: experts.RoleDCE, Used: true, Detail: "phases 1-5", Reason: "Five time points.", Confidence: 0.95},
			{Series: archivetest.Ref("A", "2", "").Series, Number: 1, Role: experts.RoleExcluded, Detail: "localizer", Reason: "Mixed planes.", Confidence: 0.9},
		},
		Algorithm: analysis.AlgorithmFinding{Name: "MOME", Version: "0.1.0", WeightsSHA256: strings.Repeat("9a", 32), TrainedOn: "digital phantoms", OperatingPoint: 0.35},
		StagesS:   map[string]float64{"fusion": 1.25, "volumes": 3},
	}}
	for n, k := range []picture.Kind{picture.Projection, picture.Anatomy, picture.Kinetics, picture.HeatMap, picture.T2, picture.ADC} {
		r.Pictures = append(r.Pictures, page.PictureRef{Lesion: min(n, 1), Kind: k, View: "transverse", Title: "title", File: string("abcdef"[n]) + ".png", Width: 420, Height: 464})
	}
	return r
}

// emptied is found without its lesions.
func emptied(study string) page.Record {
	r := found(study)
	r.Outcome, r.Lesions, r.Pictures, r.Checks, r.Motion, r.Settings = fusion.WithoutFindings, nil, r.Pictures[:1], nil, nil, nil
	return r
}

// TestStudy fetches pages in all ways in which an analysis can end or stand, and holds what most of them say against
// golden texts.
func TestStudy(t *testing.T) {
	undone := func(study string) page.Record {
		r := emptied(study)
		r.Outcome, r.Code, r.Reason, r.Breasts, r.Pictures, r.Asymmetry = fusion.NotDone, "NODCE", "no dynamic series was found", nil, nil, nil
		r.Present = map[string]bool{"T2": true}
		return r
	}
	for _, tc := range []struct {
		name   string
		record func(study string) page.Record // nil: nothing was kept
		job    *jobs.Status
		query  string
		want   []string
		never  []string
	}{
		{"found", found, &jobs.Status{State: jobs.Done, Finished: noon()}, "", []string{"Lesions found: 2"}, []string{"http-equiv"}},
		{"found-korean", found, &jobs.Status{State: jobs.Done}, "?lang=ko", nil, []string{">Overview<", ">Kinetics<", ">Series<"}},
		{"found-chinese", found, &jobs.Status{State: jobs.Done}, "?lang=zh-CN", nil, []string{">Overview<", ">Kinetics<", ">Series<"}},
		{"none", emptied, &jobs.Status{State: jobs.Done}, "", []string{"No enhancing lesion found", "This does not exclude cancer"}, nil},
		{"partial", func(study string) page.Record {
			r := emptied(study)
			r.Present["DWI"] = false
			return r
		}, &jobs.Status{State: jobs.Done}, "", []string{"DWI missing"}, nil},
		{"not-done", undone, &jobs.Status{State: jobs.Done}, "", []string{"Not analysed", "not a negative result", "What to do"}, []string{"lesion found"}},
		{"one-breast-not-done", func(study string) page.Record {
			r, other := emptied(study), undone(study).Findings
			r.Other = &other
			return r
		}, &jobs.Status{State: jobs.Done}, "", []string{"One breast was not analysed", "not a negative result"}, []string{"<h1>No enhancing"}},
		{"failed", func(study string) page.Record {
			r := undone(study)
			r.Code, r.Reason = "ERROR", "the analysis failed"
			return r
		}, &jobs.Status{State: jobs.Failed, Reason: "no memory <b>"}, "", []string{"The analysis failed", "not a negative result", "no memory &lt;b&gt;"}, []string{"lesion found", "read back from", "earlier result"}},
		{"failed-without-record", nil, &jobs.Status{State: jobs.Failed, Reason: "disk full"}, "", []string{"The analysis failed", "disk full", "not a negative result"}, nil},
		{"failed-again", found, &jobs.Status{State: jobs.Failed, Reason: "disk full"}, "", []string{"The analysis failed", "earlier result"}, []string{"read back from"}},
		{"running", nil, &jobs.Status{State: jobs.Running, Stage: "registration", Progress: 0.42}, "", []string{`http-equiv="refresh"`, `value="42"`, "registration"}, []string{"findings.json"}},
		{"retrying", nil, &jobs.Status{State: jobs.Retrying, Reason: "busy"}, "", []string{`http-equiv="refresh"`, "busy"}, nil},
		{"running-again", found, &jobs.Status{State: jobs.Running}, "", []string{"earlier result", `http-equiv="refresh"`, "Lesions found: 2"}, nil},
		{"not-looked-at", nil, nil, "", []string{"Not analysed", "not a negative result"}, nil},
		{"results-lost", nil, &jobs.Status{State: jobs.Done}, "", []string{"not kept", "not a negative result"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, study := hospital(t, nil)
			if tc.record != nil {
				text, err := json.Marshal(tc.record(study))
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Attach(t.Context(), study, "findings.json", text); err != nil {
					t.Fatal(err)
				}
			}
			var q queue
			if tc.job != nil {
				tc.job.Study = study
				q = queue{*tc.job}
			}
			w := serve(t, page.Config{Archive: a, Jobs: q, Viewer: func(root, study, series string) string { return root + "viewer?s=" + study + "&i=" + series }}, "/study/"+study+tc.query)
			if w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			root := sound(t, w.Result().Header, w.Body.Bytes())
			for _, want := range append(tc.want, "P-001", "viewer?s=", "NOT FOR CLINICAL USE") {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("no %q in the page", want)
				}
			}
			for _, not := range tc.never {
				if strings.Contains(w.Body.String(), not) {
					t.Errorf("%q in the page", not)
				}
			}
			if slices.Contains([]string{"found", "found-korean", "none", "not-done", "one-breast-not-done", "failed", "running"}, tc.name) {
				golden(t, tc.name+".txt", dump(root))
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for n := range max(len(gotLines), len(wantLines)) {
			if n >= len(gotLines) || n >= len(wantLines) || gotLines[n] != wantLines[n] {
				t.Fatalf("%s differs from line %d on (-update rewrites it); got\n%s", path, n+1, strings.Join(gotLines[n:min(n+5, len(gotLines))], "\n"))
			}
		}
	}
}

// TestHostile: nothing that a sender writes is more than text on the page, whatever it looks like.
func TestHostile(t *testing.T) {
	const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`
	a, study := hospital(t, func(d *dicom.Dataset) {
		d.Set(tag.PatientName, hostile)
		d.Set(tag.PatientID, hostile)
		d.Set(tag.StudyDescription, hostile)
		d.Set(tag.SeriesDescription, hostile)
	})
	r := found(study)
	l := &r.Lesions[0]
	l.Label, l.Quadrant, l.T2Reference, l.Shape, l.Curve = hostile, hostile, hostile, hostile, hostile
	l.Contributions = map[string]float64{"DCE": 1, hostile: 2}
	l.Further[0].Task, r.Notes, r.Algorithm.TrainedOn, r.Settings[0].Name = hostile, []string{hostile}, hostile, hostile
	r.Series[0].Reason, r.Series[0].Detail, r.Motion[0].Of, r.Checks[0].Text, r.StagesS = hostile, hostile, hostile, hostile, map[string]float64{hostile: 1}
	r.Pictures[0].File, r.Pictures[1].Kind = `"onload="alert(1)`, hostile
	r.Pictures[1].Title = hostile
	text, _ := json.Marshal(r)
	if err := a.Attach(t.Context(), study, "findings.json", text); err != nil {
		t.Fatal(err)
	}
	q := queue{{Study: study, State: jobs.Running, Stage: hostile, Reason: hostile, Summary: hostile}}
	for _, target := range []string{"/study/" + study, "/study/" + study + "?lang=%3Cscript%3E", "/"} {
		w := serve(t, page.Config{Archive: a, Jobs: q}, target)
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", target, w.Code, w.Body)
		}
		sound(t, w.Result().Header, w.Body.Bytes())
		if !strings.Contains(w.Body.String(), "&lt;script&gt;") || strings.Contains(w.Body.String(), "<script") {
			t.Errorf("%s: the sender's text is missing, or is more than text", target)
		}
	}
}

func TestIndex(t *testing.T) {
	a, study := hospital(t, nil)
	text, _ := json.Marshal(found(study))
	if err := a.Attach(t.Context(), study, "findings.json", text); err != nil {
		t.Fatal(err)
	}
	q := queue{
		{Study: "1.2.1", State: jobs.Running, Stage: "registration", Progress: 0.42, Attempts: 2, Changed: noon().Add(-3 * time.Second)},
		{Study: "1.2.2", State: jobs.Failed, Reason: "no memory", Attempts: 1, Changed: noon().Add(-2 * time.Hour)},
		{Study: study, State: jobs.Done, Progress: 1, Changed: noon().Add(-48 * time.Hour)},
		{Study: "1.2.4", State: jobs.Done, Summary: "from before pages were kept", Changed: noon().Add(-72 * time.Hour)},
	}
	for name, cfg := range map[string]page.Config{"index": {}, "index-korean": {Language: words.Korean}} {
		cfg.Archive, cfg.Jobs = a, q
		w := serve(t, cfg, "/")
		root := sound(t, w.Result().Header, w.Body.Bytes())
		if !strings.Contains(w.Body.String(), `http-equiv="refresh"`) {
			t.Error("the list does not load itself anew while something runs")
		}
		golden(t, name+".txt", dump(root))
	}
	if w := serve(t, page.Config{Archive: a, Jobs: q[1:]}, "/"); strings.Contains(w.Body.String(), "http-equiv") {
		t.Error("the list loads itself anew though nothing runs")
	}
}

func TestPictureAndFindings(t *testing.T) {
	a, study := hospital(t, nil)
	for name, content := range map[string]string{"findings.json": `{"study":"1.2"}`, "x-1.png": "png"} {
		if err := a.Attach(t.Context(), study, name, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := page.Config{Archive: a, Jobs: queue{}}
	w := serve(t, cfg, "/study/"+study+"/pictures/x-1.png")
	if w.Code != 200 || w.Body.String() != "png" || w.Header().Get("Content-Type") != "image/png" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("picture: %d %v %s", w.Code, w.Header(), w.Body)
	}
	for target, want := range map[string]int{
		"/study/" + study + "/pictures/y.png": 404, "/study/" + study + "/pictures/findings.json": 404, "/study/1.9/pictures/x-1.png": 404,
		"/study/" + study + "/pictures/..%2f1.png": 400, "/study/1.9": 404, "/study/1.9/findings.json": 404, "/study/" + study + "/": 308,
	} {
		if w := serve(t, cfg, target); w.Code != want {
			t.Errorf("%s: got %d %s, want %d", target, w.Code, w.Body, want)
		}
	}
	w = serve(t, cfg, "/study/"+study+"/findings.json")
	var record page.Record
	if err := json.Unmarshal(w.Body.Bytes(), &record); err != nil || record.Study != "1.2" {
		t.Errorf("findings: %v %s", err, w.Body)
	}
	if err := a.Attach(t.Context(), study, "findings.json", []byte(`{"study":`)); err != nil {
		t.Fatal(err)
	}
	if w := serve(t, cfg, "/study/"+study); w.Code != 500 || strings.Contains(w.Body.String(), "P-001") {
		t.Errorf("broken findings: %d %s", w.Code, w.Body)
	}
}

// failing cannot keep pictures.
type failing struct{ page.Files }

func (f failing) Attach(ctx context.Context, study, name string, content []byte) error {
	if strings.HasSuffix(name, ".png") {
		return context.DeadlineExceeded
	}
	return f.Files.Attach(ctx, study, name, content)
}

// TestKeep keeps two readings after one another: the second takes the first one's place, pictures and all; and findings
// are kept without their pictures where those cannot be.
func TestKeep(t *testing.T) {
	a, study := hospital(t, nil)
	names := func() []string {
		t.Helper()
		out, err := a.Attachments(t.Context(), study)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	r := reading(study, 0)
	if err := page.Keep(t.Context(), a, study, r, "NOT FOR CLINICAL USE"); err != nil {
		t.Fatal(err)
	}
	first := names()
	if len(first) != 4 { // findings, three projections
		t.Fatalf("kept %v, want the findings and three projections", first)
	}
	if err := page.Keep(t.Context(), a, study, r, "NOT FOR CLINICAL USE"); err != nil || !slices.Equal(names(), first) {
		t.Errorf("the same reading again: kept %v, %v, want the same", names(), err)
	}
	if err := page.Keep(t.Context(), a, study, reading(study, 40), "NOT FOR CLINICAL USE"); err != nil {
		t.Fatal(err)
	}
	w := serve(t, page.Config{Archive: a, Jobs: queue{}}, "/study/"+study)
	second := names()
	if len(second) != 4 || slices.Equal(second, first) {
		t.Errorf("another reading: kept %v, want the findings and three other projections", second)
	}
	for _, name := range second {
		if strings.HasSuffix(name, ".png") && !strings.Contains(w.Body.String(), study+"/pictures/"+name) {
			t.Errorf("the page does not show %s", name)
		}
	}
	if err := page.Keep(t.Context(), failing{a}, study, r, "x"); err == nil || !slices.Equal(names(), []string{"findings.json"}) {
		t.Errorf("without pictures: kept %v, %v, want the findings and an error", names(), err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := page.Keep(cancelled, a, study, r, "x"); err != context.Canceled {
		t.Errorf("cancelled: got %v", err)
	}
}

// TestTemplatesSpeakAllLanguages: each phrase of the templates is in the tables; those of the code package words tests.
func TestTemplatesSpeakAllLanguages(t *testing.T) {
	said := regexp.MustCompile(`[({| ]t "([^"]*)"|\{\{t "([^"]*)"`)
	files, err := filepath.Glob("*.html")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range said.FindAllStringSubmatch(string(text), -1) {
			n++
			for _, l := range words.Languages()[1:] {
				if key := m[1] + m[2]; l.Text(key) == key {
					t.Errorf("%s says %q, which has no words in %s", file, key, l.Name())
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("found %d phrases: the test does not see them", n)
	}
}
