package experts

// Check is a comparison of what was measured here with what the scanner's own software computed from the same images.
type Check struct {
	Name          string   // "ADC against the vendor's map"
	SeriesUID     string   // of what was compared with; "" where it is not known
	R             Quantity // Pearson's correlation over the voxels
	MedianRatio   Quantity // median of ours over theirs
	MaxDifference Quantity // largest absolute difference, in the unit of what is compared
	Voxels        int      // compared
	Agrees        bool
	Text          string // one sentence for the report's reader
}
