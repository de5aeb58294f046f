package train

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"mome/experts/dce"
	"mome/experts/dwi"
	"mome/experts/nn"
	"mome/experts/t2"
	"mome/fusion"
)

// small is a network of all parts.
func small(classes int) nn.Config {
	return nn.Config{
		Embed: 16, Heads: 2, Layers: 3, FusionFrom: 1, Experts: 2, Slots: 1, StemChannels: [2]int{2, 4}, Classes: classes,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 2, Size: [3]int{16, 18, 16}},
			T2:  nn.Box{Channels: 1, Size: [3]int{16, 16, 12}},
			DWI: nn.Box{Channels: 1, Size: [3]int{16, 8, 16}},
		},
	}
}

// noise are samples without meaning; every third lacks DWI.
func noise(c nn.Config, margin Margin, n int) Samples {
	random := rand.New(rand.NewPCG(1, 9))
	all := make(Samples, n)
	boxes := margin.Grow(c.Boxes)
	for i := range all {
		volume := func(b nn.Box) []float32 {
			data := make([]float32, b.Floats())
			for j := range data {
				data[j] = float32(random.NormFloat64())
			}
			return data
		}
		all[i] = Sample{DCE: volume(boxes.DCE), T2: volume(boxes.T2), DWI: volume(boxes.DWI), Label: i % c.Classes, Margin: margin}
		if i%3 == 2 {
			all[i].DWI = nil
		}
	}
	return all
}

func newTestLearner(t testing.TB, c nn.Config, source Source, change func(o *Options)) *learner {
	t.Helper()
	initial, err := nn.Init(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Branches: fusion.Branches{DCE: dce.Graph, T2: t2.Graph, DWI: dwi.Graph}, ClipNorm: -1}
	if change != nil {
		change(&o)
	}
	if o, err = o.withDefaults(); err != nil {
		t.Fatal(err)
	}
	return newLearner(c, initial, source, o)
}

func TestStepsDoNotDependOnLanes(t *testing.T) {
	c := small(2)
	samples := noise(c, Margin{DCE: 2, T2: 1, DWI: 1}, 7)
	var want []float32
	for _, lanes := range []int{1, 2, 3, 16} {
		l := newTestLearner(t, c, samples, func(o *Options) { o.Lanes, o.DropPath, o.Jitter, o.ClassWeights = lanes, 0.5, 0.2, []float64{0.5, 2} })
		f := fit{o: l.o, config: c}
		random := rand.New(rand.NewPCG(3, 3))
		for range 3 {
			var items []item
			for i := range samples {
				items = append(items, f.draw(random, i))
			}
			if _, _, err := l.step(context.Background(), items, 1e-2); err != nil {
				t.Fatal(err)
			}
		}
		if want == nil {
			want = slices.Clone(l.flat)
		}
		if !slices.Equal(l.flat, want) {
			t.Errorf("with %d lanes the weights after three steps are others than with one", lanes)
		}
	}
}

// One step of three samples, taken one by one, has the mean of the gradients that each has alone. That it is also what
// one pass over a batch gives is what TestStepsMatchPublishedTraining shows.
func TestAccumulationIsTheBatch(t *testing.T) {
	c := small(2)
	samples := noise(c, Margin{}, 3)
	l := newTestLearner(t, c, samples, nil)
	want, loss := make([]float64, l.layout.size()), 0.0
	length := func(batch ...item) (float64, float64) {
		before := slices.Clone(l.flat)
		loss, length, err := l.step(context.Background(), batch, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(before, l.flat) {
			t.Fatal("a step of rate 0 changed the weights")
		}
		return loss, length
	}
	for i := range samples {
		one, _ := length(middle(i))
		loss += one / 3
		for j, v := range l.sum {
			want[j] += float64(v)
		}
	}
	all, norm := length(middle(0), middle(1), middle(2))
	if math.Abs(all-loss) > 1e-12 {
		t.Errorf("loss of the batch %g, mean of its samples %g", all, loss)
	}
	square := 0.0
	for j, v := range l.sum {
		if math.Abs(float64(v)-want[j]) > 1e-6*(1+math.Abs(want[j])) {
			t.Fatalf("gradient %d of the batch %g, sum of its samples %g", j, v, want[j])
		}
		square += want[j] * want[j] / 9
	}
	if math.Abs(norm-math.Sqrt(square)) > 1e-5*norm {
		t.Errorf("length %g, want %g", norm, math.Sqrt(square))
	}
}

func TestClassWeightsMultiplyLossAndGradient(t *testing.T) {
	c := small(3)
	samples := noise(c, Margin{}, 3)
	plain := newTestLearner(t, c, samples, nil)
	weighted := newTestLearner(t, c, samples, func(o *Options) { o.ClassWeights = []float64{1, 4, 0} })
	for i, w := range []float64{1, 4, 0} {
		a, _, err := plain.step(context.Background(), []item{middle(i)}, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := weighted.step(context.Background(), []item{middle(i)}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(b-w*a) > 1e-9 {
			t.Errorf("class %d: loss %g, want %g times %g", i, b, w, a)
		}
		for j, v := range plain.sum {
			if math.Abs(float64(weighted.sum[j])-w*float64(v)) > 1e-9 {
				t.Fatalf("class %d: gradient %d is %g, want %g times %g", i, j, weighted.sum[j], w, v)
			}
		}
	}
	if got, want := Balanced([]int{0, 0, 0, 1}, 3), []float64{4.0 / 9, 4.0 / 3, 0}; !slices.Equal(got, want) {
		t.Errorf("balanced weights %v, want %v", got, want)
	}
}

func TestDropPath(t *testing.T) {
	c := small(2)
	samples := noise(c, Margin{}, 1)
	loss := func(l *learner, path []float32) float64 {
		it := middle(0)
		it.path = path
		v, _, err := l.step(context.Background(), []item{it}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	without := loss(newTestLearner(t, c, samples, nil), nil)
	l := newTestLearner(t, c, samples, func(o *Options) { o.DropPath = 0.4 })
	ones := []float32{1, 1, 1, 1, 1, 1}
	if got := loss(l, ones); math.Abs(got-without) > 1e-6 {
		t.Errorf("loss with all branches %g, without drop-path %g", got, without)
	}
	for i := range ones {
		path := slices.Clone(ones)
		path[i] = 0
		if got := loss(l, path); math.Abs(got-without) < 1e-7 {
			t.Errorf("loss without branch %d is that with all, %g", i, got)
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	const n = 20000
	dropped, mean := make([]float64, 6), make([]float64, 6)
	for range n {
		for i, v := range drawPath(random, c, 0.4) {
			mean[i] += float64(v) / n
			if v == 0 {
				dropped[i] += 1.0 / n
			}
		}
	}
	for i, want := range []float64{0, 0, 0.2, 0.2, 0.4, 0.4} {
		if math.Abs(dropped[i]-want) > 0.02 || math.Abs(mean[i]-1) > 0.03 {
			t.Errorf("branch %d is left out in %.3f of the draws, want %g, and is %.3f in the mean, want 1", i, dropped[i], want, mean[i])
		}
	}
}

func TestShiftsStayInTheMargin(t *testing.T) {
	c := nn.Config{Classes: 2, Boxes: nn.Boxes{
		DCE: nn.Box{Channels: 2, Size: [3]int{4, 3, 2}, FieldOfViewMM: [3]float64{8, 6, 4}},
		T2:  nn.Box{Channels: 1, Size: [3]int{2, 2, 2}}, DWI: nn.Box{Channels: 1, Size: [3]int{2, 2, 2}, FieldOfViewMM: [3]float64{8, 8, 8}},
	}}
	margin := Margin{DCE: 2, DWI: 1}
	grown := margin.Grow(c.Boxes)
	if got, want := grown.DCE, (nn.Box{Channels: 2, Size: [3]int{8, 7, 6}, FieldOfViewMM: [3]float64{16, 14, 12}}); got != want {
		t.Errorf("grown box %+v, want %+v", got, want)
	}
	s := Sample{DCE: make([]float32, grown.DCE.Floats()), T2: make([]float32, 8), Margin: margin}
	for i := range s.DCE {
		s.DCE[i] = float32(i)
	}
	at := func(ch, h, w, d int) float32 { return s.DCE[((ch*8+h)*7+w)*6+d] }
	st := studio{config: c}
	in, err := st.input(s, middle(0))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := in.DCE[len(in.DCE)/2], at(1, 2, 2, 2); got != want { // first voxel of channel 1
		t.Errorf("middle box begins with %v, want %v", got, want)
	}
	if &in.T2[0] != &s.T2[0] {
		t.Error("a volume that is not changed was copied")
	}
	f := fit{config: c, o: Options{Flips: []Flip{{}}}}
	random := rand.New(rand.NewPCG(1, 1))
	seen := map[float32]int{}
	for range 4000 {
		in, err := st.input(s, f.draw(random, 0))
		if err != nil {
			t.Fatal(err)
		}
		seen[in.DCE[0]]++
		if in.DCE[1] != in.DCE[0]+1 || in.DCE[2] != in.DCE[0]+6 {
			t.Fatalf("voxels %v are no box", in.DCE[:3])
		}
	}
	if len(seen) != 5*5*5 || seen[at(0, 0, 0, 0)] == 0 || seen[at(0, 4, 4, 4)] == 0 {
		t.Errorf("%d places of the box, want 125 with both corners", len(seen))
	}
}

func TestJitterScalesChannels(t *testing.T) {
	c := small(2)
	s := noise(c, Margin{}, 1)[0]
	st := studio{config: c, jitter: 0.2}
	f := fit{config: c, o: Options{Flips: []Flip{{}}, Jitter: 0.2}}
	random := rand.New(rand.NewPCG(1, 1))
	sum, square := 0.0, 0.0
	const n = 400
	for range n {
		in, err := st.input(s, f.draw(random, 0))
		if err != nil {
			t.Fatal(err)
		}
		half := len(s.DCE) / 2
		a, b := float64(in.DCE[0]/s.DCE[0]), float64(in.DCE[half]/s.DCE[half])
		if got, want := float64(in.DCE[half-1]), a*float64(s.DCE[half-1]); math.Abs(got-want) > 1e-5 || a == b || a <= 0 {
			t.Fatalf("factors %g and %g; last voxel of the first channel %g, want %g", a, b, got, want)
		}
		sum, square = sum+math.Log(a)/n, square+math.Log(a)*math.Log(a)/n
	}
	if deviation := math.Sqrt(square - sum*sum); math.Abs(sum) > 0.04 || math.Abs(deviation-0.2) > 0.03 {
		t.Errorf("logarithms of factors have mean %.3f and deviation %.3f, want 0 and 0.2", sum, deviation)
	}
}

func TestDrawSparesOneModality(t *testing.T) {
	f := fit{config: small(2), o: Options{Flips: PublishedFlips(), ModalityDropout: 0.9}}
	random := rand.New(rand.NewPCG(1, 1))
	flips, left := map[Flip]int{}, map[[3]bool]int{}
	for range 6000 {
		it := f.draw(random, 0)
		flips[it.flip]++
		left[it.leave]++
	}
	if left[[3]bool{true, true, true}] != 0 || len(left) != 7 {
		t.Errorf("left out: %v, want every combination but all", left)
	}
	if len(flips) != 6 || flips[Flip{}] != 0 || flips[Flip{true, true, true}] != 0 {
		t.Errorf("flips %v, want six, neither none nor all", flips)
	}
	for flip, n := range flips {
		if n < 850 || n > 1150 {
			t.Errorf("flip %v in %d of 6000 draws, want about 1000", flip, n)
		}
	}
}

// Once every graph has been built a step makes no gradients of its own.
func TestStepsReuseTheirMemory(t *testing.T) {
	if racing {
		t.Skip("the race detector empties pools at random")
	}
	c := small(2)
	c.Embed, c.Heads = 64, 4
	samples := noise(c, Margin{}, 6)
	l := newTestLearner(t, c, samples, func(o *Options) { o.Lanes = 2 })
	batch := []item{middle(0), middle(1), middle(2), middle(3), middle(4), middle(5)}
	for i := range batch {
		batch[i].flip[i%3] = true
	}
	var before, after runtime.MemStats
	for range 3 {
		runtime.ReadMemStats(&before)
		if _, _, err := l.step(context.Background(), batch, 1e-3); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
	}
	if got, gradient := int(after.TotalAlloc-before.TotalAlloc)/len(batch), 4*l.layout.size(); got > gradient/2 {
		t.Errorf("a sample allocates %d bytes, its gradient has %d", got, gradient)
	}
}

func BenchmarkStep(b *testing.B) {
	field := [3]float64{64, 64, 64}
	c := nn.Config{
		Embed: 48, Heads: 4, Layers: 4, FusionFrom: 2, Experts: 8, Slots: 1, StemChannels: [2]int{16, 32}, Classes: 2,
		Boxes: nn.Boxes{
			DCE: nn.Box{Channels: 6, Size: [3]int{32, 32, 32}, FieldOfViewMM: field},
			T2:  nn.Box{Channels: 1, Size: [3]int{32, 32, 32}, FieldOfViewMM: field},
			DWI: nn.Box{Channels: 1, Size: [3]int{16, 16, 16}, FieldOfViewMM: field},
		},
	}
	samples := noise(c, Margin{}, 8)
	l := newTestLearner(b, c, samples, nil)
	var batch []item
	for i := range samples {
		batch = append(batch, middle(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := l.step(context.Background(), batch, 1e-3); err != nil {
			b.Fatal(err)
		}
	}
}
