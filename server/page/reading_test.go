package page_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/experts"
	"mome/experts/volume"
	"mome/fusion"
	"mome/server/analysis"
	"mome/server/page"
	"mome/server/report"
)

// reading is one of two phases and two breasts, without lesions; brightness makes its pictures differ.
func reading(study string, brightness float32) *analysis.Reading {
	g := volume.Box(volume.Vec{}, [3]float64{64, 64, 40}, [3]int{32, 32, 20}, [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, "1.2.3")
	pre, post := volume.New(g), volume.New(g)
	for at := range post.Data {
		post.Data[at] = float32(at%97) + brightness*float32(at%13)
	}
	a := &fusion.Assessment{StudyUID: study, Outcome: fusion.WithoutFindings, Grid: g, Present: map[experts.Modality]bool{experts.DCE: true},
		Algorithm: fusion.Algorithm{Name: "MOME", Version: "0.1.0", Manufacturer: "MOME node project", DeviceUID: "2.25.7", TrainedOn: "digital phantoms"}}
	for n, s := range []experts.Side{experts.Right, experts.Left} {
		m := volume.NewMask(g)
		for at := range m.Data {
			i, _, _ := m.Voxel(at)
			m.Data[at] = i/16 == n
		}
		a.Breasts = append(a.Breasts, experts.Breast{Side: s, Mask: m})
	}
	return &analysis.Reading{Assessment: a, Study: &experts.Study{DCE: []experts.Phase{{Volume: pre}, {TimeS: 90, Volume: post}}, Reference: 1}}
}

// TestOldResults: a result that was stored before pages were kept is read back from its SR.
func TestOldResults(t *testing.T) {
	a, study := hospital(t, nil)
	h := dicom.New()
	h.Set(tag.StudyInstanceUID, study)
	h.Set(tag.SOPClassUID, uid.MRImageStorage)
	h.Set(tag.Modality, "MR")
	assessment := &fusion.Assessment{
		StudyUID: study, Outcome: fusion.WithFindings, Present: map[experts.Modality]bool{experts.DCE: true, experts.T2: true, experts.DWI: true},
		Algorithm: fusion.Algorithm{Name: "MOME", Version: "0.0.9", Manufacturer: "MOME node project", DeviceUID: "2.25.7", OperatingPoint: 0.35, WeightsSHA256: strings.Repeat("9a", 32)},
		Findings: []fusion.Finding{{Lesion: &experts.Lesion{Label: "Lesion 1", Side: experts.Left, Quadrant: "upper outer", LongAxisMM: 14, ShortAxisMM: 9, VolumeCM3: 0.7},
			Probability: experts.Known(0.6), TrackingUID: "2.25.8"}},
	}
	objects, err := report.Build(assessment, report.Source{Headers: h, Now: noon().Add(-time.Hour),
		Node: iod.Equipment{Manufacturer: "MOME node project", Model: "node", Serial: "1", SoftwareVersion: "0.0.9"}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := dicom.Write(&b, objects.SR, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(t.Context(), &b, archive.PutOptions{Result: true}); err != nil {
		t.Fatal(err)
	}
	w := serve(t, page.Config{Archive: a, Jobs: queue{}}, "/study/"+study)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	sound(t, w.Result().Header, w.Body.Bytes())
	for _, want := range []string{"Lesions found: 1", "60 %", "upper outer", "read back from its SR", "MOME 0.0.9"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q in the page", want)
		}
	}
}
