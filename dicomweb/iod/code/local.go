package code

// The local coding scheme, declared in Coding Scheme Identification Sequence wherever it is used. Other programs
// rely on these values: a code may be added, none is ever changed or given another meaning.
const (
	LocalScheme     = "99BRMOME"
	LocalSchemeUID  = "2.25.46352080067705409130919211157117648401"
	LocalSchemeName = "MOME breast MRI result codes"
)

func local(value, meaning string) Code {
	return Code{Value: value, Scheme: LocalScheme, Meaning: meaning}
}

// Concept names of the local scheme.
var (
	FTV           = local("FTV", "Functional tumor volume")
	PEEarly       = local("PE-EARLY", "Early phase percent enhancement")
	PEPeak        = local("PE-PEAK", "Peak percent enhancement")
	SER           = local("SER", "Signal enhancement ratio")
	CurveShare    = local("CURVESHARE", "Share of voxels with curve type")
	Contribution  = local("CONTRIB", "Contribution to malignancy score")
	ContribLogOdd = local("CONTRIB-LOGODDS", "Contribution to malignancy log-odds")
	ContribOf     = local("CONTRIBMOD", "Contributing acquisition")
	InitialPhase  = local("KIN-INIT", "Initial phase kinetics")
	Suspicion     = local("AISUSP", "AI suspicion level")
	ProbTNBC      = local("P-TNBC", "Probability of triple-negative phenotype")
	ProbPCR       = local("P-PCR", "Probability of pathological complete response")
	ProbSubtype   = local("P-SUBTYPE", "Probability of molecular subtype")
	Subtype       = local("SUBTYPE", "Molecular subtype")
	AvailDCE      = local("AVAIL-DCE", "DCE series used in analysis")
	AvailT2       = local("AVAIL-T2", "T2-weighted series used in analysis")
	AvailDWI      = local("AVAIL-DWI", "DWI series used in analysis")
	NotDone       = local("NOTDONE", "Reason analysis not performed")
	SeriesRole    = local("SERIESROLE", "Series role in analysis")
)

// Values of the local scheme.
var (
	Slow   = local("KIN-SLOW", "Slow")
	Medium = local("KIN-MEDIUM", "Medium")
	Fast   = local("KIN-FAST", "Fast")

	LuminalA       = local("LUMINAL-A", "Luminal A")
	LuminalB       = local("LUMINAL-B", "Luminal B")
	HER2Enriched   = local("HER2", "HER2-enriched")
	TripleNegative = local("TNBC", "Triple-negative")

	NoDCE   = local("NODCE", "No usable DCE series in study")
	NoPixel = local("NOPIXEL", "Pixel data could not be read")
	Geom    = local("GEOM", "Geometry of the series cannot be used")
	Timeout = local("TIMEOUT", "Analysis took longer than allowed")
	Error   = local("ERROR", "Analysis failed")

	Calibrated = local("CALSIG", "Temperature-calibrated sigmoid")
	VoxelSum   = local("VOXSUM", "Voxel summation")
	FTV70      = local("FTV70", "PE >= 70 % and SER >= 0")
	Max3D      = local("MAX3D", "Maximum 3D diameter")
	Ortho3D    = local("ORTH3D", "Maximum diameter orthogonal to long axis")
	T2Norm     = local("T2NORM", "Ratio to ipsilateral fibroglandular tissue")
	Gate       = local("GATE", "Mixture-of-experts gate weight")
	Shapley    = local("SHAPLEY", "Shapley value over modalities")
	SphereArea = local("SPHEREAREA", "Surface of sphere of equal volume over surface")
	VoxelShare = local("VOXSHARE", "Share of voxels")
)

// SuspicionLevel returns the AI suspicion level n of 1 (very low) to 5 (very high); ok is false for other n. It is
// the model's probability in five steps, not a BI-RADS category.
func SuspicionLevel(n int) (c Code, ok bool) {
	levels := [...]Code{
		local("AISUSP1", "1 - Very low"),
		local("AISUSP2", "2 - Low"),
		local("AISUSP3", "3 - Intermediate"),
		local("AISUSP4", "4 - High"),
		local("AISUSP5", "5 - Very high"),
	}
	if n < 1 || n > len(levels) {
		return Code{}, false
	}
	return levels[n-1], true
}

// NotDoneReason returns the concept of a reason's short code; one that the scheme does not know is Error.
func NotDoneReason(value string) Code {
	for _, c := range []Code{NoDCE, NoPixel, Geom, Timeout} {
		if c.Value == value {
			return c
		}
	}
	return Error
}
