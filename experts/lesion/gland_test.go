package lesion

import (
	"math"
	"testing"
)

// TestMiddle: gland and fat part where a voxel is half of each, whichever is brighter and however few of one there are.
func TestMiddle(t *testing.T) {
	for _, c := range []struct {
		name       string
		fat, gland float64
		share      float64 // of gland
	}{
		{"suppressed fat", 14, 100, 0.5},
		{"suppressed fat, hardly any gland", 14, 100, 0.05},
		{"bright fat", 200, 90, 0.3},
	} {
		t.Run(c.name, func(t *testing.T) {
			const n = 2000
			var values []float64
			for i := range n {
				signal := c.fat
				if float64(i) < c.share*n {
					signal = c.gland
				}
				values = append(values, math.Log(signal*(1+0.1*math.Sin(float64(i))))) // 10 % of unevenness
			}
			first, ok := split(values)
			if !ok {
				t.Fatal("the classes are not told apart")
			}
			if got, want := math.Exp(middle(values, first)), (c.fat+c.gland)/2; math.Abs(got-want) > 0.03*want {
				t.Errorf("parted at %.1f, want %.1f; Otsu's is %.1f", got, want, math.Exp(first))
			}
		})
	}
	if got := middle([]float64{1, 2}, 5); got != 5 {
		t.Errorf("one class: %g, want the threshold that it had", got)
	}
}
