package measure

import (
	"fmt"
	"math"
	"strings"
)

// Metric is a number that cases come to.
type Metric string

// Metrics. Those of two classes are of class 1; Sensitivity, Specificity, PPV, NPV and F1 are at the threshold.
const (
	AreaROC          Metric = "auroc"
	AreaPR           Metric = "auprc"
	Sensitivity      Metric = "sensitivity"
	Specificity      Metric = "specificity"
	PPV              Metric = "ppv"
	NPV              Metric = "npv"
	F1               Metric = "f1"
	MacroAreaROC     Metric = "macro_auroc" // mean over classes, each against the rest
	MacroAreaPR      Metric = "macro_auprc"
	MacroSensitivity Metric = "macro_sensitivity" // balanced accuracy
	MacroF1          Metric = "macro_f1"
	Accuracy         Metric = "accuracy"
	Matthews         Metric = "mcc"
	BrierScore       Metric = "brier"
	CalibrationError Metric = "ece"
)

// Binary are the metrics of tasks with two classes, in the order of reports.
func Binary() []Metric {
	return []Metric{AreaROC, AreaPR, Sensitivity, Specificity, PPV, NPV, F1, Matthews, Accuracy, BrierScore, CalibrationError}
}

// Multiclass are the metrics of tasks with more classes, in the order of reports.
func Multiclass() []Metric {
	return []Metric{MacroAreaROC, MacroAreaPR, MacroSensitivity, MacroF1, Matthews, Accuracy, BrierScore, CalibrationError}
}

// Title is the metric's name in reports.
func (m Metric) Title() string {
	switch m {
	case AreaROC, AreaPR, PPV, NPV, F1, Matthews, CalibrationError:
		return strings.ToUpper(string(m))
	case MacroAreaROC, MacroAreaPR:
		return "Macro " + strings.ToUpper(strings.TrimPrefix(string(m), "macro_"))
	case BrierScore:
		return "Brier score"
	}
	text := strings.ReplaceAll(string(m), "_", " ")
	return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):]
}

// Of is what the cases come to. NaN where the cases cannot say, and for a metric of two classes where there are more.
func (m Metric) Of(cases []Case, threshold float64) float64 {
	return m.of(cases, Confuse(cases, threshold))
}

func (m Metric) of(cases []Case, called Confusion) float64 {
	n := len(called)
	if n < 2 {
		return math.NaN()
	}
	switch m {
	case MacroAreaROC:
		return overClasses(cases, AUROC)
	case MacroAreaPR:
		return overClasses(cases, AUPRC)
	case MacroSensitivity:
		return meanOver(n, called.Sensitivity)
	case MacroF1:
		return meanOver(n, called.F1)
	case Accuracy:
		return called.Accuracy()
	case Matthews:
		return called.MCC()
	case BrierScore:
		return Brier(cases)
	case CalibrationError:
		p, happened := Confidence(cases)
		return ECE(Reliability(p, happened, Bins))
	}
	if n > 2 {
		return math.NaN()
	}
	switch m {
	case AreaROC:
		return AUROC(OneVersusRest(cases, 1))
	case AreaPR:
		return AUPRC(OneVersusRest(cases, 1))
	case Sensitivity:
		return called.Sensitivity(1)
	case Specificity:
		return called.Specificity(1)
	case PPV:
		return called.PPV(1)
	case NPV:
		return called.NPV(1)
	case F1:
		return called.F1(1)
	}
	return math.NaN()
}

func meanOver(n int, of func(class int) float64) float64 {
	sum := 0.0
	for class := range n {
		sum += of(class)
	}
	return sum / float64(n)
}

// Value is a metric with its confidence interval.
type Value struct {
	Metric   Metric
	Estimate float64
	Interval
}

// Report is everything that this package says of one set of cases.
type Report struct {
	Counts      []int   // cases of each class
	Groups      int     // patients
	Threshold   float64 // from which class 1 is called; of no meaning with more than two classes
	Values      []Value // in the order of the metrics asked for
	Confusion   Confusion
	Reliability []Bin
	Bootstrap   Bootstrap // as it was done
}

// Evaluate measures the cases, all of one number of classes, with labels and probabilities to match; anything else is
// an error.
func Evaluate(cases []Case, metrics []Metric, threshold float64, b Bootstrap) (Report, error) {
	n := classes(cases)
	if n < 2 {
		return Report{}, fmt.Errorf("measure: %d cases of %d classes", len(cases), n)
	}
	r := Report{Counts: make([]int, n), Threshold: threshold, Bootstrap: b.withDefaults()}
	for i, c := range cases {
		if len(c.Probabilities) != n || c.Label < 0 || c.Label >= n {
			return Report{}, fmt.Errorf("measure: case %d has label %d and %d probabilities, want %d classes", i, c.Label, len(c.Probabilities), n)
		}
		for _, p := range c.Probabilities {
			if !(p >= 0 && p <= 1) {
				return Report{}, fmt.Errorf("measure: case %d has probabilities %v", i, c.Probabilities)
			}
		}
		r.Counts[c.Label]++
	}
	for _, groups := range stratify(cases) {
		r.Groups += len(groups)
	}
	statistics := func(cases []Case, out []float64) {
		called := Confuse(cases, threshold)
		for k, m := range metrics {
			out[k] = m.of(cases, called)
		}
	}
	estimates := make([]float64, len(metrics))
	statistics(cases, estimates)
	for k, interval := range b.Intervals(cases, len(metrics), statistics) {
		r.Values = append(r.Values, Value{metrics[k], estimates[k], interval})
	}
	r.Confusion = Confuse(cases, threshold)
	p, happened := Confidence(cases)
	r.Reliability = Reliability(p, happened, Bins)
	return r, nil
}

// Value finds a metric of the report.
func (r Report) Value(m Metric) (Value, bool) {
	for _, v := range r.Values {
		if v.Metric == m {
			return v, true
		}
	}
	return Value{}, false
}

func (v Value) String() string {
	return fmt.Sprintf("%s %.3f (%.3f to %.3f)", v.Metric.Title(), v.Estimate, v.Low, v.High)
}
