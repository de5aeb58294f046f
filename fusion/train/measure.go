package train

import "mome/fusion/train/measure"

// AUROC is measure.AUROC.
func AUROC(scores []float64, positive []bool) float64 { return measure.AUROC(scores, positive) }
