package experts_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"mome/experts"
)

func TestEarlyLate(t *testing.T) {
	for _, c := range []struct {
		name        string
		times       []float64
		early, late int
	}{
		{"none", nil, -1, -1},
		{"one", []float64{0}, -1, -1},
		{"two", []float64{0, 90}, 1, -1},
		{"I-SPY's three", []float64{0, 20, 320}, 1, 2},
		{"one plus five of 75 s", []float64{0, 95, 170, 245, 320, 395}, 3, 5},
		{"one plus six of 90 s", []float64{0, 110, 200, 290, 380, 470, 560}, 3, 6},
		{"a late phase beyond", []float64{0, 60, 210, 510, 900}, 2, 3},
		{"ultrafast", []float64{0, 5, 10, 15, 20}, 4, -1},
		{"all at once", []float64{0, 0, 0, 0}, 1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &experts.Study{}
			for _, at := range c.times {
				s.DCE = append(s.DCE, experts.Phase{TimeS: at})
			}
			if early, late := s.EarlyLate(experts.EarlyS, experts.LateS); early != c.early || late != c.late {
				t.Errorf("times %v: early %d, late %d, want %d and %d", c.times, early, late, c.early, c.late)
			}
		})
	}
}

func TestEachSlice(t *testing.T) {
	var calls [40]atomic.Int32
	if err := experts.EachSlice(t.Context(), len(calls), func(k int) { calls[k].Add(1) }); err != nil {
		t.Fatal(err)
	}
	for k := range calls {
		if n := calls[k].Load(); n != 1 {
			t.Errorf("slice %d was called %d times, want once", k, n)
		}
	}
	if err := experts.EachSlice(t.Context(), 0, func(int) { t.Error("called for no slices") }); err != nil {
		t.Errorf("no slices: %v", err)
	}
	err := experts.EachSlice(t.Context(), 9, func(k int) {
		if k == 7 {
			panic("bad voxel")
		}
	})
	if err == nil || !strings.Contains(err.Error(), "slice 7: bad voxel") {
		t.Errorf("after a panic: error %v, want one that names slice 7", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done atomic.Int32
	err = experts.EachSlice(ctx, 1000, func(k int) {
		done.Add(1)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || done.Load() > 100 {
		t.Errorf("cancelled in the first slice: error %v after %d slices, want context.Canceled soon", err, done.Load())
	}
}
