package experts

// Composition is BI-RADS' class of the amount of fibroglandular tissue. "" is not told.
type Composition string

// Compositions.
const (
	CompositionA Composition = "a" // almost entirely fat
	CompositionB Composition = "b" // scattered fibroglandular tissue
	CompositionC Composition = "c" // heterogeneous fibroglandular tissue
	CompositionD Composition = "d" // extreme fibroglandular tissue
)

// Background is BI-RADS' class of background parenchymal enhancement (BPE). "" is not told.
type Background string

// Backgrounds.
const (
	Minimal  Background = "minimal"
	Mild     Background = "mild"
	Moderate Background = "moderate"
	Marked   Background = "marked"
)

// Asymmetry compares the two breasts: 100 (left - right) / mean of both, %. It is unknown where one side is.
type Asymmetry struct {
	FGT Quantity // of the share of fibroglandular tissue
	BPE Quantity // of the mean background enhancement
}
