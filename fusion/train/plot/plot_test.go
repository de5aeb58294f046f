package plot_test

import (
	"bytes"
	"errors"
	"flag"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"mome/fusion/train"
	"mome/fusion/train/measure"
	"mome/fusion/train/plot"
)

// images is a folder to look at the images in.
var images = flag.String("images", "", "write the images to this folder")

func keep(t *testing.T, name string, data []byte) {
	t.Helper()
	if *images == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*images, name+".png"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// cases are answers of a network that is right more often than not and a little too sure.
func cases(classes, n int) []measure.Case {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]measure.Case, n)
	for i := range all {
		label := i % classes
		logits := make([]float32, classes)
		for class := range logits {
			logits[class] = float32(1.5 * random.NormFloat64())
		}
		logits[label] += 2
		all[i] = measure.Case{Label: label, Probabilities: measure.Softmax(logits, 0.8)}
	}
	return all
}

func history(epochs int) train.History {
	random := rand.New(rand.NewPCG(3, 4))
	h := train.History{Task: train.Malignancy()}
	for i := range epochs {
		at := float64(i) / float64(max(1, epochs))
		h.Epochs = append(h.Epochs, train.Epoch{
			TrainLoss: 0.7*math.Exp(-3*at) + 0.02*random.Float64(), ValidationLoss: 0.65*math.Exp(-2*at) + 0.2*at + 0.04*random.Float64(),
			AUROC: 0.97 - 0.4*math.Exp(-4*at) + 0.02*random.Float64(), AUPRC: 0.93 - 0.5*math.Exp(-4*at) + 0.02*random.Float64(),
		})
		if h.Epochs[i].ValidationLoss < h.Epochs[h.Best].ValidationLoss {
			h.Best = i
		}
	}
	return h
}

func TestImages(t *testing.T) {
	phantoms := plot.Options{Subtitle: "digital phantoms, not patients; 120 held-out cases"}
	table := func(cases []measure.Case) []measure.Bin {
		p, happened := measure.Confidence(cases)
		return measure.Reliability(p, happened, measure.Bins)
	}
	two, four := cases(2, 120), cases(4, 200)
	missing := history(8)
	for i := range missing.Epochs {
		missing.Epochs[i].AUROC, missing.Epochs[i].AUPRC = math.NaN(), math.NaN()
	}
	for _, c := range []struct {
		name   string
		panels int
		draw   func(w io.Writer) error
	}{
		{"training", 2, func(w io.Writer) error { return plot.Training(w, history(24), phantoms) }},
		{"training-long", 2, func(w io.Writer) error { return plot.Training(w, history(100), phantoms) }},
		{"training-one-epoch", 2, func(w io.Writer) error { return plot.Training(w, history(1), phantoms) }},
		{"training-without-areas", 1, func(w io.Writer) error { return plot.Training(w, missing, phantoms) }},
		{"roc", 1, func(w io.Writer) error { return plot.ROC(w, plot.Curves(train.Malignancy(), two, 0.3), phantoms) }},
		{"precision-recall", 1, func(w io.Writer) error {
			return plot.PrecisionRecall(w, plot.Curves(train.Malignancy(), two, 0.3), phantoms)
		}},
		{"reliability", 1, func(w io.Writer) error { return plot.Reliability(w, table(two), phantoms) }},
		{"evaluation", 3, func(w io.Writer) error {
			return plot.Evaluation(w, plot.Curves(train.Malignancy(), two, 0.3), table(two), phantoms)
		}},
		{"froc", 1, func(w io.Writer) error {
			return plot.FROC(w, []float64{0, 0.1, 0.4, 1.2, 9}, []float64{0.3, 0.6, 0.8, 0.95, 1}, phantoms)
		}},
		{"evaluation-subtype", 3, func(w io.Writer) error {
			return plot.Evaluation(w, plot.Curves(train.Subtype(), four, 0), table(four), phantoms)
		}},
	} {
		var b bytes.Buffer
		if err := c.draw(&b); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		keep(t, c.name, b.Bytes())
		img, err := png.Decode(&b)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := img.Bounds().Size(); got.Y < 600 || (got.X-43)/662 != c.panels { // 4.6 and 2 x 0.15 inches of 144 dots
			t.Errorf("%s: %v pixels do not hold %d panels", c.name, got, c.panels)
		}
		if n := colours(img); n < 50 {
			t.Errorf("%s: %d colours, want lines and smooth text", c.name, n)
		}
	}
}

func colours(img image.Image) int {
	seen := map[color.Color]bool{}
	for y := 0; y < img.Bounds().Dy(); y += 3 {
		for x := range img.Bounds().Dx() {
			seen[img.At(x, y)] = true
		}
	}
	return len(seen)
}

func TestImagesRefuse(t *testing.T) {
	one := []plot.Curve{{Name: "all positive", Scores: []float64{0.2, 0.4}, Positive: []bool{true, true}}}
	fine := plot.Options{Subtitle: "digital phantoms"}
	for _, c := range []struct {
		name string
		err  error
	}{
		{"no epochs", plot.Training(io.Discard, train.History{}, fine)},
		{"no curves", plot.ROC(io.Discard, nil, fine)},
		{"one class", plot.ROC(io.Discard, one, fine)},
		{"no candidates", plot.FROC(io.Discard, nil, nil, fine)},
		{"no lesions", plot.FROC(io.Discard, []float64{1}, []float64{math.NaN()}, fine)},
		{"no cases", plot.Reliability(io.Discard, measure.Reliability(nil, nil, 10), fine)},
	} {
		if !errors.Is(c.err, plot.ErrNothing) {
			t.Errorf("%s: error %v, want ErrNothing", c.name, c.err)
		}
	}
	if err := plot.Training(io.Discard, history(3), plot.Options{}); err == nil {
		t.Error("no error without a subtitle")
	}
}
