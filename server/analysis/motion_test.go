package analysis_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/registration"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fixtures/phantom/anatomy"
	"mome/server/analysis"
)

// enhancement returns the early percent enhancement of each planted lesion, the mean over its voxels in the reference
// phase, on the volumes given.
func enhancement(s *phantom.Study, st *experts.Study) []float64 {
	before, after := make([]float64, len(s.Truth.Lesions)), make([]float64, len(s.Truth.Lesions))
	for at, label := range s.LabelsOf(st.Reference) {
		if label > 0 {
			before[label-1] += float64(st.DCE[0].Volume.Data[at])
			after[label-1] += float64(st.DCE[st.Reference].Volume.Data[at])
		}
	}
	for n := range before {
		before[n] = 100 * (after[n]/before[n] - 1)
	}
	return before
}

// glandError returns the root mean square of the error of early percent enhancement over fibroglandular tissue: of moved
// against still, looked up where motion had brought each voxel by the reference phase.
func glandError(tissue []anatomy.Tissue, s *phantom.Study, still, moved *experts.Study) float64 {
	pe := func(st *experts.Study, p volume.Vec) float64 {
		before, after := st.DCE[0].Volume, st.DCE[st.Reference].Volume
		x, y, z := before.At(p)
		return 100 * (float64(after.Sample(x, y, z)/before.Sample(x, y, z)) - 1)
	}
	sum, n := 0.0, 0
	for at, what := range tissue {
		if what != anatomy.Gland {
			continue
		}
		i, j, k := still.DCE[0].Volume.Voxel(at)
		p := volume.Vec(s.Truth.Grid.Point(float64(i), float64(j), float64(k)))
		d := pe(moved, p.Add(s.MotionMM(still.Reference))) - pe(still, p)
		sum, n = sum+d*d, n+1
	}
	return math.Sqrt(sum / float64(n))
}

// TestMotion reads one phantom at rest and with motion of up to 6 mm. Registered, the enhancement of its lesions is within
// 10 % of what it is at rest, and the error that motion makes in the gland's enhancement, 10 and 21 %, is down to 5 % for
// both: what noise and interpolation leave.
func TestMotion(t *testing.T) {
	lesions := []phantom.Lesion{
		{Kind: phantom.Malignant, Side: phantom.Right, DiametersMM: [3]float64{20, 17, 15}},
		{Kind: phantom.Benign, Side: phantom.Left, DiametersMM: [3]float64{14, 13, 12}},
	}
	read := func(motionMM float64) (*phantom.Study, *analysis.Reading) {
		s, err := phantom.New(phantom.Config{Seed: 21, Resolution: phantom.Standard, Phases: 3, MotionMM: motionMM,
			Lesions: slices.Clone(lesions), Without: []string{"T2", "DWI"}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := analyzer(t, false).Keeping().Read(t.Context(), objectsOf(t, s), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s, r
	}
	s, rest := read(0)
	still, tissue := enhancement(s, rest.Study), s.Tissue()
	if len(rest.Assessment.Motion) != 2 || rest.Acquired == nil {
		t.Errorf("%d acquisitions were looked at, as acquired %v", len(rest.Assessment.Motion), rest.Acquired != nil)
	}
	for _, m := range rest.Assessment.Motion {
		if m.Corrected {
			t.Errorf("a phantom at rest was moved: %+v", m)
		}
	}
	motions := []float64{3, 6}
	if testing.Short() {
		motions = motions[1:]
	}
	for _, mm := range motions {
		s, r := read(mm)
		got := enhancement(s, r.Study)
		for n := range still {
			off := got[n]/still[n] - 1
			t.Logf("%g mm, lesion %d: early enhancement %.0f %%, at rest %.0f %% (%+.1f %%)", mm, n+1, got[n], still[n], 100*off)
			if math.Abs(off) > 0.1 {
				t.Errorf("%g mm, lesion %d: early enhancement %.0f %%, at rest %.0f %%: more than 10 %% off", mm, n+1, got[n], still[n])
			}
		}
		before, after := glandError(tissue, s, rest.Study, r.Acquired), glandError(tissue, s, rest.Study, r.Study)
		t.Logf("%g mm: the gland's enhancement is off by %.1f %% as acquired, by %.1f %% registered", mm, before, after)
		if before < 9 || after > 6 {
			t.Errorf("%g mm: the gland's enhancement is off by %.1f %% as acquired, by %.1f %% registered; want above 9 and at most 6", mm, before, after)
		}
		if !slices.ContainsFunc(r.Assessment.Notes, func(n string) bool { return strings.HasPrefix(n, "Motion") }) {
			t.Errorf("%g mm: notes %q do not tell of motion", mm, r.Assessment.Notes)
		}
	}
}

// TestMotionSettings: what is switched off is not done.
func TestMotionSettings(t *testing.T) {
	s, err := phantom.New(phantom.Config{Seed: 21, Phases: 3, MotionMM: 5, Without: []string{"T2", "DWI"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		set  registration.Settings
		want int
	}{{registration.Settings{Off: true}, 0}, {registration.Settings{RigidOnly: true}, 2}} {
		t.Run(fmt.Sprintf("%+v", tc.set.Off), func(t *testing.T) {
			a, err := analysis.New(analysis.Config{Panel: panel(t), Motion: tc.set})
			if err != nil {
				t.Fatal(err)
			}
			r, err := a.Read(t.Context(), objectsOf(t, s), nil)
			if err != nil || len(r.Assessment.Motion) != tc.want {
				t.Fatalf("%d acquisitions, want %d; error %v", len(r.Assessment.Motion), tc.want, err)
			}
			for _, m := range r.Assessment.Motion {
				if m.Deformed || m.Method != "rigid, normalised gradient fields" {
					t.Errorf("%+v, want a rigid motion", m)
				}
			}
		})
	}
}
