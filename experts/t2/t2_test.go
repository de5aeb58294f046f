package t2_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/t2"
	"mome/experts/volume"
)

// grid is n voxels of mm around the origin.
func grid(n [3]int, mm [3]float64) volume.Grid {
	g := volume.Grid{Size: n, Axis: [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, SpacingMM: mm}
	for a := range 3 {
		g.Origin[a] = -mm[a] * float64(n[a]-1) / 2
	}
	return g
}

func drawn(g volume.Grid, in func(p volume.Vec) bool) *volume.Mask {
	m := volume.NewMask(g)
	for at := range m.Data {
		i, j, k := g.Voxel(at)
		m.Data[at] = in(g.Point(float64(i), float64(j), float64(k)))
	}
	return m
}

func around(x, y, z, r float64) func(volume.Vec) bool {
	return func(p volume.Vec) bool { return p.Sub(volume.Vec{x, y, z}).Norm() <= r }
}

var (
	dceGrid = grid([3]int{80, 30, 30}, [3]float64{2, 2, 2})
	t2Grid  = grid([3]int{160, 60, 15}, [3]float64{1, 1, 4})
)

// study draws T2: left gland 200 at x 40, right gland 150 at x -40, fat 400, a lesion of 300 at (40, 0, 0) and one of
// 90 at (-40, 0, 0).
func study() *experts.Study {
	v := volume.New(t2Grid)
	for at := range v.Data {
		i, j, k := t2Grid.Voxel(at)
		p := t2Grid.Point(float64(i), float64(j), float64(k))
		switch {
		case around(40, 0, 0, 9)(p):
			v.Data[at] = 300
		case around(-40, 0, 0, 9)(p):
			v.Data[at] = 90
		case around(40, 0, 0, 20)(p):
			v.Data[at] = 200
		case around(-40, 0, 0, 20)(p):
			v.Data[at] = 150
		default:
			v.Data[at] = 400
		}
	}
	return &experts.Study{T2: v, DCE: []experts.Phase{{Volume: volume.New(dceGrid)}}}
}

// breasts are balls of 29 mm with glands of 18 mm, lesions included.
func breasts() []experts.Breast {
	return []experts.Breast{
		{Side: experts.Left, Mask: drawn(dceGrid, around(40, 0, 0, 29)), Fibroglandular: drawn(dceGrid, around(40, 0, 0, 18))},
		{Side: experts.Right, Mask: drawn(dceGrid, around(-40, 0, 0, 29)), Fibroglandular: drawn(dceGrid, around(-40, 0, 0, 18))},
	}
}

func lesions() []*experts.Lesion {
	return []*experts.Lesion{
		{Label: "Lesion 1", Side: experts.Left, Mask: drawn(dceGrid, around(40, 0, 0, 9))},
		{Label: "Lesion 2", Side: experts.Right, Mask: drawn(dceGrid, around(-40, 0, 0, 9))},
	}
}

func TestRatio(t *testing.T) {
	for _, c := range []struct {
		name        string
		change      func(*experts.Study, []experts.Breast, []*experts.Lesion)
		left, right float64 // 0: unknown
		notes       string
	}{
		{"as it should be", func(*experts.Study, []experts.Breast, []*experts.Lesion) {}, 1.5, 0.6, ""},
		{"no gland on the left", func(_ *experts.Study, b []experts.Breast, _ []*experts.Lesion) {
			b[0].Fibroglandular = nil
		}, 2, 0.6, "left breast refer to the other breast"},
		{"hardly any gland on the left", func(_ *experts.Study, b []experts.Breast, _ []*experts.Lesion) {
			b[0].Fibroglandular = drawn(dceGrid, around(40, 14, 0, 3))
		}, 2, 0.6, "left breast refer to the other breast"},
		// Whole breasts: balls of 20 mm of gland in 29 mm of fat, 200 and 150 in 400, without the lesion.
		{"no gland at all", func(_ *experts.Study, b []experts.Breast, _ []*experts.Lesion) {
			b[0].Fibroglandular, b[1].Fibroglandular = nil, nil
		}, 300 / 338., 90 / 322., "mean of the whole breast"},
		{"no breasts", func(_ *experts.Study, b []experts.Breast, _ []*experts.Lesion) {
			clear(b)
		}, 0, 0, "No reference tissue"},
		{"lesion outside", func(_ *experts.Study, _ []experts.Breast, l []*experts.Lesion) {
			l[0].Mask.Origin = volume.Vec{500, 0, 0}
		}, 0, 0.6, "Lesion 1 lies outside"},
		{"another frame of reference", func(s *experts.Study, _ []experts.Breast, _ []*experts.Lesion) {
			s.T2.FrameOfReference, s.DCE[0].Volume.FrameOfReference = "1.2.3", "1.2.4"
		}, 1.5, 0.6, "different frames of reference"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, b, l := study(), breasts(), lesions()
			c.change(s, b, l)
			e, err := t2.New(t2.Config{})
			if err != nil {
				t.Fatal(err)
			}
			op, err := e.Read(t.Context(), s, b, l)
			if err != nil {
				t.Fatal(err)
			}
			for n, want := range []float64{c.left, c.right} {
				// A ball of 9 mm in slices of 4 mm: partial volume of the outer voxels is a few per cent of the contrast.
				if got := l[n].T2Ratio; got.Known != (want > 0) || math.Abs(got.Value-want) > 0.05*want {
					t.Errorf("%s: T2 ratio %+v, want %.3f within 5 %%", l[n].Label, got, want)
				}
			}
			if text := strings.Join(op.Notes, " "); !strings.Contains(text, c.notes) || c.notes == "" && text != "" {
				t.Errorf("notes %q, want %q", op.Notes, c.notes)
			}
			if len(op.Channels) != 1 || op.Channels[0] != s.T2 {
				t.Errorf("%d channels, want the T2 volume", len(op.Channels))
			}
		})
	}
}

// TestMuscle: a slab of muscle 12 mm thick behind the left breast, 60 on T2, with a lesion of 300 in the breast.
func TestMuscle(t *testing.T) {
	for _, c := range []struct {
		name              string
		pre, post, signal float32 // of the slab, where the gland has 100 before contrast and 200 on T2
		forward           bool    // rows run from back to front
		want              float64 // ratio; 0: unknown
	}{
		{"muscle", 90, 110, 60, false, 5},
		{"rows run forward", 90, 110, 60, true, 5},
		{"lung or bone", 10, 12, 60, false, 0},
		{"fat that is not suppressed", 250, 252, 60, false, 0},
		{"heart", 90, 190, 60, false, 0},
		{"brighter than gland", 90, 110, 220, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, b, l := study(), breasts(), lesions()
			for _, m := range []*volume.Mask{b[0].Mask, b[0].Fibroglandular, l[0].Mask} {
				for at := range m.Data { // flat at the back, where the wall is
					_, j, _ := m.Voxel(at)
					m.Data[at] = m.Data[at] && m.Point(0, float64(j), 0)[1] < 10
				}
			}
			pre, post := volume.New(dceGrid), volume.New(dceGrid)
			for at := range pre.Data {
				_, j, _ := dceGrid.Voxel(at)
				switch y := dceGrid.Point(0, float64(j), 0)[1]; {
				case y < 10:
					pre.Data[at], post.Data[at] = 100, 130
				case y < 22:
					pre.Data[at], post.Data[at] = c.pre, c.post
				}
			}
			for at := range s.T2.Data {
				if _, j, _ := t2Grid.Voxel(at); t2Grid.Point(0, float64(j), 0)[1] > 10 {
					s.T2.Data[at] = c.signal
				}
			}
			s.DCE = []experts.Phase{{Volume: pre}, {Volume: post}}
			if c.forward {
				for _, v := range []*volume.Volume{pre, post} {
					flip(&v.Grid, v.Data)
				}
				for _, m := range []*volume.Mask{b[0].Mask, b[0].Fibroglandular, l[0].Mask} {
					flip(&m.Grid, m.Data)
				}
			}
			e, err := t2.New(t2.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Read(t.Context(), s, b[:1], l[:1]); err != nil {
				t.Fatal(err)
			}
			// The lesion's outer voxels hold a few per cent of gland.
			if got := l[0].T2MuscleRatio; got.Known != (c.want > 0) || math.Abs(got.Value-c.want) > 0.05*c.want {
				t.Errorf("ratio to muscle %+v, want %.2f within 5 %%", got, c.want)
			}
			if want := "fibroglandular tissue of the same breast"; l[0].T2Reference != want {
				t.Errorf("reference %q, want %q", l[0].T2Reference, want)
			}
		})
	}
}

// flip turns the order of the rows around and leaves every voxel where it is.
func flip[T any](g *volume.Grid, data []T) {
	old := slices.Clone(data)
	for at := range data {
		i, j, k := g.Voxel(at)
		data[at] = old[g.Index(i, g.Size[1]-1-j, k)]
	}
	g.Origin = g.Point(0, float64(g.Size[1]-1), 0)
	g.Axis[1] = g.Axis[1].Scale(-1)
}

func TestRefuses(t *testing.T) {
	e, err := t2.New(t2.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Read(t.Context(), &experts.Study{}, nil, nil); !errors.Is(err, t2.ErrNoT2) {
		t.Errorf("no T2: error %v, want ErrNoT2", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Read(ctx, study(), breasts(), lesions()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v, want context.Canceled", err)
	}
	if _, err := t2.New(t2.Config{MinReferenceMM3: -1}); err == nil || !strings.Contains(err.Error(), "MinReferenceMM3") {
		t.Errorf("negative setting: error %v, want one that names it", err)
	}
}
