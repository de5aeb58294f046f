package train

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"mome/gpu/emulator"
	"mome/gpu/vm"
)

// Steps on a device must change the weights as those on the CPU do, but for rounding: also with lanes side by side, drop-path and
// samples without a modality.
func TestStepsOnDevice(t *testing.T) {
	machine := vm.On(emulator.Start(t, emulator.Options{}), func(err error) { t.Error(err) })
	c := small(2)
	samples := noise(c, Margin{}, 3)
	var losses [2][]float64
	var lengths [2][]float64
	for i, m := range []*vm.Machine{nil, machine} {
		l := newTestLearner(t, c, samples, func(o *Options) { o.Lanes, o.DropPath, o.Machine = 2, 0.5, m })
		f, random := fit{o: l.o, config: c}, rand.New(rand.NewPCG(3, 3))
		for step := range 2 {
			var batch []item
			for n := range samples {
				batch = append(batch, f.draw(random, n))
			}
			loss, length, err := l.step(context.Background(), batch, 1e-3)
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			losses[i], lengths[i] = append(losses[i], loss), append(lengths[i], length)
		}
	}
	for step := range losses[0] {
		if math.Abs(losses[0][step]-losses[1][step]) > 1e-4 || math.Abs(lengths[0][step]/lengths[1][step]-1) > 1e-3 {
			t.Errorf("step %d: loss %g and gradient of length %g on the device, %g and %g on the CPU", step, losses[1][step], lengths[1][step],
				losses[0][step], lengths[0][step])
		}
	}
}
