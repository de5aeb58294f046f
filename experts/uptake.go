package experts

// Uptake is how a tissue takes up contrast agent, by a pharmacokinetic model of its curve. With phases of a minute and an
// assumed T1 it orders lesions of one exam; its numbers are no absolute ones. The zero value is none.
type Uptake struct {
	Model  string   // "Tofts" or "extended Tofts"; "" if nothing was computed
	Ktrans Quantity // 1/min, transfer constant
	Kep    Quantity // 1/min, Ktrans / ve
	Ve     Quantity // 0..1, extravascular extracellular volume
	Vp     Quantity // 0..1, plasma volume; of the extended model alone
	// Initial areas under the concentration curve, up to 60 and 90 s after arrival (Evelhoch, J Magn Reson Imaging
	// 1999;10:254); known where two phases at least lie within.
	IAUC60, IAUC90 Quantity // mM s
	T1S            float64  // s, that was taken
	T1Measured     bool     // else it was assumed
}
