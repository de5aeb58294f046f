package train

import (
	"encoding/csv"
	"io"
	"strconv"

	"mome/fusion/train/measure"
)

// Progress is where training stands.
type Progress struct {
	Epoch, Epochs int // from 0
	Step, Steps   int // steps done and in all
	Loss          float64
	// Done is the finished epoch, nil in the midst of one.
	Done *Epoch
}

// Epoch is what one pass over the training part came to.
type Epoch struct {
	TrainLoss      float64 // mean cross-entropy, with class weights, dropout and augmentation
	ValidationLoss float64 // mean cross-entropy
	// Areas of the validation part: of class 1 with two classes, with more the mean of each class against the rest. NaN
	// where a class is missing.
	AUROC, AUPRC float64
	LearningRate float64 // of the last step
	GradientNorm float64 // mean over steps, before clipping
}

// History is the record of a training.
type History struct {
	Task           Task
	Epochs         []Epoch
	Best           int  // index of the epoch whose weights were kept; -1 if none was
	EndedEarly     bool // for want of a better epoch, see Options.Patience
	Training       []int
	Validation     []int // indices into the source
	DataSHA256     string
	Predictions    []Prediction // of the validation part; nil if training did not come to its end
	Temperature    float64
	OperatingPoint float64 // of two classes; 0 with more
}

// Prediction is the kept network's answer about one sample.
type Prediction struct {
	Index, Label  int // Index is into the source
	Group         string
	Logits        []float32
	Probabilities []float64 // by class, calibrated
	Probability   float64   // of class 1
}

// Cases are the predictions as package measure takes them.
func Cases(predictions []Prediction) []measure.Case {
	cases := make([]measure.Case, len(predictions))
	for i, p := range predictions {
		cases[i] = measure.Case{Label: p.Label, Probabilities: p.Probabilities, Group: p.Group}
	}
	return cases
}

// WriteCSV writes a line for every epoch, under a header. Epochs count from 1; best is 1 in the line of the epoch that
// was kept. What is unknown is left empty.
func (h History) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	err := out.Write([]string{"epoch", "training_loss", "validation_loss", "auroc", "auprc", "learning_rate", "gradient_norm", "best"})
	for i, e := range h.Epochs {
		if err != nil {
			return err
		}
		line := []string{strconv.Itoa(i + 1)}
		for _, v := range []float64{e.TrainLoss, e.ValidationLoss, e.AUROC, e.AUPRC, e.LearningRate, e.GradientNorm} {
			text := ""
			if finite(v) {
				text = strconv.FormatFloat(v, 'g', 8, 64)
			}
			line = append(line, text)
		}
		best := "0"
		if i == h.Best {
			best = "1"
		}
		err = out.Write(append(line, best))
	}
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}
