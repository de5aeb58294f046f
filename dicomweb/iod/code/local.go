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

	DetectionScore = local("DETSCORE", "Detection score")
	Solidity       = local("SOLIDITY", "Solidity")
	Roughness      = local("ROUGHNESS", "Roughness of the surface")
	Spiculation    = local("SPICULATION", "Share of volume in thin processes")
	Sharpness      = local("SHARPNESS", "Sharpness of the margin")
	RadialGradient = local("RADGRADIENT", "Radial share of the margin's gradient")
	InternalEnh    = local("INTENH", "Internal enhancement")
	EnhancementCV  = local("ENH-CV", "Coefficient of variation of internal enhancement")
	RimRatio       = local("RIM-RATIO", "Enhancement of the rim over that of the core")
	PEInitial      = local("PE-INITIAL", "Percent enhancement within two minutes")
	WashIn         = local("WASH-IN", "Wash-in slope")
	WashOut        = local("WASH-OUT", "Wash-out slope")
	DelayedChange  = local("DELAYED", "Change from early to late phase")
	MeanCurve      = local("MEANCURVE", "Enhancement pattern of the mean curve")
	Region         = local("REGION", "Part of the lesion")
	HotSpotPhase   = local("HOT-INIT", "Initial phase kinetics of the hot spot")
	HotSpotCurve   = local("HOT-CURVE", "Enhancement pattern of the hot spot")
	HotSpotCourse  = local("HOT-COURSE", "Time course of signal of the hot spot")
	VoxelCount     = local("VOXELS", "Number of voxels")
	ADCSide        = local("ADC-SIDE", "ADC against the cut-off of ACRIN A6702")
	Gap            = local("GAP", "Distance to the surface of another lesion")
	CentreDistance = local("CENTREDIST", "Distance to the centre of another lesion")
	Spread         = local("SPREAD", "Spread of lesions")
	BPE            = local("BPE", "Background parenchymal enhancement")
	BPEShare       = local("BPE-SHARE", "Share of fibroglandular tissue that enhances")
	BPEClass       = local("BPE-CLASS", "Class of background parenchymal enhancement")
	MotionFound    = local("MOTION", "Motion between acquisitions")
	VendorCheck    = local("CHECK", "Comparison with the scanner's own results")
	ExplanationMap = local("EXPLMAP", "Map that explains the probability")
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

	Rim          = local("RIM", "Rim enhancement")
	HotSpot      = local("HOTSPOT", "Most enhancing part")
	ADCLow       = local("ADC-LOW", "Below 1.53e-3 mm2/s")
	ADCNotLow    = local("ADC-NOTLOW", "At or above 1.53e-3 mm2/s")
	Multicentric = local("MULTICENTRIC", "In different quadrants")
	Minimal      = local("BPE-MINIMAL", "Minimal")
	Mild         = local("BPE-MILD", "Mild")
	Moderate     = local("BPE-MODERATE", "Moderate")
	Marked       = local("BPE-MARKED", "Marked")
	NoneFound    = local("MOTION-NONE", "None found")
	Corrected    = local("MOTION-CORR", "Found and corrected")
	Agrees       = local("AGREES", "All agree")
	Differs      = local("DIFFERS", "Not all agree")

	StandsOut      = local("STANDSOUT", "How far it stands out, by rules on enhancement and form")
	AxialLongest   = local("AXIALLONG", "Longest diameter of the axial section")
	AxialAcross    = local("AXIALSHORT", "Longest chord across it in the axial section")
	HullArea       = local("HULLAREA", "Area of the sections over that of their convex hulls")
	Moments        = local("MOMENTS", "Square roots of the second moments")
	Ellipsoid      = local("ELLIPSOID", "Deviation from the ellipsoid of equal moments")
	Opening        = local("OPENING", "Share of volume too thin to hold a small ball")
	EarlySub       = local("EARLYSUB", "From the early subtraction")
	NearestEdge    = local("SURFACEDIST", "From the nearest surface of the lesion")
	CentreToCentre = local("CENTRES", "Between the centres")
	Counted        = local("COUNT", "Voxel count")
	T1Measured     = local("T1-MEASURED", "T1 measured before contrast")
	T2Contra       = local("T2CONTRA", "Ratio to contralateral fibroglandular tissue")
	T2Whole        = local("T2WHOLE", "Ratio to the whole breast")
	T2Muscle       = local("T2MUSCLE", "Ratio to the pectoral muscle")

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
