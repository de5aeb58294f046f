package crosscheck_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/crosscheck"
	"mome/experts/series"
	"mome/experts/volume"
)

var errBroken = errors.New("broken")

// study has three phases of random values.
func study() *experts.Study {
	g := volume.Grid{Size: [3]int{9, 8, 7}, Axis: [3]volume.Vec{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, SpacingMM: [3]float64{1, 1, 2}, Origin: volume.Vec{-4, 3, 10}}
	rng := rand.New(rand.NewPCG(1, 2))
	s := &experts.Study{}
	for range 3 {
		v := volume.New(g)
		for at := range v.Data {
			v.Data[at] = float32(rng.IntN(800))
		}
		s.DCE = append(s.DCE, experts.Phase{Volume: v})
	}
	return s
}

// subtraction is what a vendor makes of a phase.
func subtraction(s *experts.Study, phase int, scale, offset float32) *volume.Volume {
	v := volume.New(s.DCE[0].Volume.Grid)
	for at := range v.Data {
		v.Data[at] = max(scale*(s.DCE[phase].Volume.Data[at]-s.DCE[0].Volume.Data[at])+offset, 0)
	}
	return v
}

func TestCompanions(t *testing.T) {
	s := study()
	noisy := subtraction(s, 1, 1, 100)
	for at := range noisy.Data {
		noisy.Data[at] += float32(at%7) * 60
	}
	shifted := subtraction(s, 1, 1, 100)
	shifted.Origin[0] += 3
	sagittal := volume.MIP(subtraction(s, 2, 1, 100), 0)
	far := volume.MIP(subtraction(s, 2, 1, 100), 2)
	far.Origin = far.Origin.Add(volume.Vec{500, 0, 0})
	sub := series.Companion{Kind: series.Subtraction, SeriesNumber: 10, Phase: 1, Stack: series.Stack{SeriesUID: "1.2.3"}}
	unknown := sub
	unknown.Phase = -1
	projection := func(direction volume.Vec) series.Companion {
		c := sub
		c.Kind, c.Phase, c.Direction = series.Projection, 2, direction
		return c
	}
	for _, tc := range []struct {
		name      string
		companion series.Companion
		theirs    *volume.Volume
		err       error
		agrees    bool
		exact     bool
		text      string // a part of it
		none      bool
	}{
		{name: "exact, offset 100, cut off", companion: sub, theirs: subtraction(s, 1, 1, 100), agrees: true, exact: true, text: "equals phase 2 less phase 1"},
		{name: "rescaled", companion: sub, theirs: subtraction(s, 1, 0.625, 2048), agrees: true, exact: true, text: "series 10 equals phase 2"},
		{name: "phase not told", companion: unknown, theirs: subtraction(s, 2, 1, 100), agrees: true, exact: true, text: "equals phase 3 less phase 1"},
		{name: "another phase", companion: sub, theirs: subtraction(s, 2, 1, 100), text: "does not agree with phase 2"},
		{name: "noise", companion: sub, theirs: noisy, text: "does not agree"},
		{name: "another place", companion: sub, theirs: shifted, text: "does not show the places"},
		{name: "broken", companion: sub, err: errBroken, text: "could not be compared with the phases: broken"},
		{name: "sagittal projection", companion: projection(volume.Vec{-1, 0, 0}), theirs: sagittal, agrees: true, exact: true, text: "equals that of phase 3"},
		{name: "projection elsewhere", companion: projection(volume.Vec{0, 0, 1}), theirs: far, text: "does not show the places"},
		{name: "oblique projection", companion: projection(volume.Vec{0.6, 0.8, 0}), none: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checks, err := crosscheck.Companions(t.Context(), s, []series.Companion{tc.companion}, func(context.Context, series.Companion) (*volume.Volume, error) {
				return tc.theirs, tc.err
			})
			if err != nil {
				t.Fatal(err)
			}
			if tc.none {
				if len(checks) != 0 {
					t.Errorf("%+v, want no check", checks)
				}
				return
			}
			c := checks[0]
			if c.Agrees != tc.agrees || !strings.Contains(c.Text, tc.text) || c.SeriesUID != "1.2.3" {
				t.Errorf("%+v; want agrees %v, text with %q", c, tc.agrees, tc.text)
			}
			if exact := c.MaxDifference.Known && c.MaxDifference.Value == 0; exact != tc.exact {
				t.Errorf("largest difference %+v, want exact %v", c.MaxDifference, tc.exact)
			}
			if notes := crosscheck.Notes(checks); len(notes) != 1 || strings.Contains(notes[0], "1 of 1") != tc.agrees {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

func TestCompanionsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := crosscheck.Companions(ctx, study(), []series.Companion{{Kind: series.Subtraction, Phase: 1}}, func(ctx context.Context, _ series.Companion) (*volume.Volume, error) {
		return nil, ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
