package code

// Content items of the templates that the node writes, PS3.16: the concept names.
var (
	Language            = Code{"121049", "DCM", "Language of Content Item and Descendants"} // TID 1204
	ObserverType        = Code{"121005", "DCM", "Observer Type"}                            // TID 1002
	DeviceUID           = Code{"121012", "DCM", "Device Observer UID"}                      // TID 1004
	DeviceName          = Code{"121013", "DCM", "Device Observer Name"}
	DeviceManufacturer  = Code{"121014", "DCM", "Device Observer Manufacturer"}
	DeviceModel         = Code{"121015", "DCM", "Device Observer Model Name"}
	DeviceSerial        = Code{"121016", "DCM", "Device Observer Serial Number"}
	ProcedureReported   = Code{"121058", "DCM", "Procedure reported"}         // TID 1500
	MeasurementReport   = Code{"126000", "DCM", "Imaging Measurement Report"} // CID 7021
	ImagingMeasurements = Code{"126010", "DCM", "Imaging Measurements"}
	Evaluations         = Code{"C0034375", "UMLS", "Qualitative Evaluations"}
	AlgorithmFamily     = Code{"111000", "DCM", "Algorithm Family"} // TID 4019
	AlgorithmName       = Code{"111001", "DCM", "Algorithm Name"}
	AlgorithmParameters = Code{"111002", "DCM", "Algorithm Parameters"}
	AlgorithmVersion    = Code{"111003", "DCM", "Algorithm Version"}
	ImageLibrary        = Code{"111028", "DCM", "Image Library"}       // TID 1600
	ImageLibraryGroup   = Code{"126200", "DCM", "Image Library Group"} // TID 1602
	Modality            = Code{"121139", "DCM", "Modality"}
	TargetRegion        = Code{"123014", "DCM", "Target Region"}
	FrameOfReference    = Code{"112227", "DCM", "Frame of Reference UID"}
	MeasurementGroup    = Code{"125007", "DCM", "Measurement Group"} // TID 1411
	TrackingID          = Code{"112039", "DCM", "Tracking Identifier"}
	TrackingUID         = Code{"112040", "DCM", "Tracking Unique Identifier"}
	FindingCategory     = Code{"276214006", "SCT", "Finding category"}
	Finding             = Code{"121071", "DCM", "Finding"}
	ReferencedSegment   = Code{"121191", "DCM", "Referenced Segment"}
	SourceSeries        = Code{"121232", "DCM", "Source series for segmentation"}
	Center              = Code{"111010", "DCM", "Center"}                    // CID 219
	FindingSite         = Code{"363698007", "SCT", "Finding Site"}           // TID 1419
	Laterality          = Code{"272741003", "SCT", "Laterality"}             // CID 210
	Topography          = Code{"106233006", "SCT", "Topographical modifier"} // CID 210
	Method              = Code{"370129005", "SCT", "Measurement Method"}
	Derivation          = Code{"121401", "DCM", "Derivation"}
	Comment             = Code{"121106", "DCM", "Comment"}
)

// Measurements and evaluations: the concept names.
var (
	ProbabilityOfCancer = Code{"111047", "DCM", "Probability of cancer"}               // CID 6048
	Volume              = Code{"118565006", "SCT", "Volume"}                           // CID 7472
	LongAxis            = Code{"103339001", "SCT", "Long Axis"}                        // CID 7470
	ShortAxis           = Code{"103340004", "SCT", "Short Axis"}                       // CID 7470
	Sphericity          = Code{"QCFX", "IBSI", "Sphericity"}                           // CID 7477
	Elongation          = Code{"Q3CK", "IBSI", "Elongation"}                           // CID 7477
	Flatness            = Code{"N17B", "IBSI", "Flatness"}                             // CID 7477
	Clockface           = Code{"111014", "DCM", "Clockface or region"}                 // TID 4206
	Depth               = Code{"111020", "DCM", "Depth"}                               // TID 4206
	Shape               = Code{"107644003", "SCT", "Shape"}                            // TID 4206
	Margins             = Code{"111037", "DCM", "Margins"}                             // TID 4206
	FromNipple          = Code{"121242", "DCM", "Distance from nipple"}                // CID 6165
	FromSkin            = Code{"121243", "DCM", "Distance from skin"}                  // CID 6165
	FromChestWall       = Code{"121244", "DCM", "Distance from chest wall"}            // CID 6165
	Composition         = Code{"129715009", "SCT", "Breast composition"}               // TID 4205
	Ktrans              = Code{"126312", "DCM", "Ktrans"}                              // CID 4107
	Kep                 = Code{"126313", "DCM", "kep"}                                 // CID 4107
	Ve                  = Code{"126314", "DCM", "ve"}                                  // CID 4107
	Vp                  = Code{"126331", "DCM", "vp"}                                  // CID 4107
	IAUC60              = Code{"126321", "DCM", "IAUC60"}                              // CID 4109
	IAUC90              = Code{"126322", "DCM", "IAUC90"}                              // CID 4109
	T1Used              = Code{"126353", "DCM", "T1 Used For Calculation"}             // TID 1419
	TimeCourse          = Code{"113066", "DCM", "Time course of signal"}               // CID 7180
	TimeToPeak          = Code{"113069", "DCM", "Time To Peak"}                        // CID 4109
	ADC                 = Code{"113041", "DCM", "Apparent Diffusion Coefficient"}      // CID 7272
	T1Signal            = Code{"110804", "DCM", "T1 Weighted MR Signal Intensity"}     // CID 7180
	T2Signal            = Code{"110805", "DCM", "T2 Weighted MR Signal Intensity"}     // CID 7180, also a role, CID 6311
	PercentFGT          = Code{"111046", "DCM", "Percent Fibroglandular Tissue"}       // CID 10069
	Area                = Code{"42798000", "SCT", "Area"}                              // CID 7471
	EnhancementPattern  = Code{"RID6058", "RADLEX", "Enhancement pattern"}             // CID 6334
	FindingsSummary     = Code{"111017", "DCM", "CAD Processing and Findings Summary"} // TID 4001
	AnalysesSummary     = Code{"111065", "DCM", "Summary of Analyses"}                 // TID 4000
	StudyQuality        = Code{"130549", "DCM", "Imaging Study Quality"}               // CID 6313
)

// Values.
var (
	EnglishUS       = Code{"en-US", "RFC5646", "English (United States)"}
	KoreanKR        = Code{"ko-KR", "RFC5646", "Korean (Korea, Republic of)"}
	ChineseCN       = Code{"zh-CN", "RFC5646", "Chinese (China)"}
	Device          = Code{"121007", "DCM", "Device"}                                      // CID 270
	AI              = Code{"123110", "DCM", "Artificial Intelligence"}                     // CID 7162
	MR              = Code{"MR", "DCM", "Magnetic Resonance"}                              // CID 29
	MRIOfBreast     = Code{"241615005", "SCT", "MRI of breast"}                            // CID 6050
	Breast          = Code{"76752008", "SCT", "Breast"}                                    // CID 4031
	Right           = Code{"24028007", "SCT", "Right"}                                     // CID 244
	Left            = Code{"7771000", "SCT", "Left"}                                       // CID 244
	RightBreast     = Code{"73056007", "SCT", "Right breast"}                              // CID 6023
	LeftBreast      = Code{"80248007", "SCT", "Left breast"}                               // CID 6023
	UpperOuter      = Code{"76365002", "SCT", "Upper outer quadrant of breast"}            // CID 6021
	UpperInner      = Code{"77831004", "SCT", "Upper inner quadrant of breast"}            // CID 6021
	LowerOuter      = Code{"33564002", "SCT", "Lower outer quadrant of breast"}            // CID 6021
	LowerInner      = Code{"19100000", "SCT", "Lower inner quadrant of breast"}            // CID 6021
	Abnormal        = Code{"49755003", "SCT", "Morphologically Abnormal Structure"}        // CID 7150
	Anatomical      = Code{"91723000", "SCT", "Anatomical Structure"}                      // CID 7150
	Tissue          = Code{"85756007", "SCT", "Tissue"}                                    // CID 7150
	Lesion          = Code{"52988006", "SCT", "Lesion"}                                    // CID 7159
	Fibroglandular  = Code{"1342375003", "SCT", "Breast fibroglandular tissue"}            // CID 7163
	DCE             = Code{"130567", "DCM", "Dynamic Contrast-Enhanced Acquisition"}       // CID 6311
	DiffusionWeight = Code{"113043", "DCM", "Diffusion weighted"}                          // CID 6311
	Mean            = Code{"373098007", "SCT", "Mean"}                                     // CID 7464
	Maximum         = Code{"56851009", "SCT", "Maximum"}                                   // CID 7464
	Minimum         = Code{"255605001", "SCT", "Minimum"}                                  // CID 7464
	Percentile10    = Code{"371890005", "SCT", "10th Percentile Value of population"}      // CID 226
	Anterior        = Code{"255549009", "SCT", "Anterior"}                                 // CID 6025
	Middle          = Code{"C25569", "NCIt", "Middle"}                                     // CID 6025
	Posterior       = Code{"255551008", "SCT", "Posterior"}                                // CID 6025
	Round           = Code{"42700002", "SCT", "Round"}                                     // CID 6005
	Oval            = Code{"84360004", "SCT", "Ovoid shape"}                               // CID 6005
	Irregular       = Code{"49608001", "SCT", "Irregular"}                                 // CID 6005
	Circumscribed   = Code{"129738007", "SCT", "Circumscribed lesion"}                     // CID 6007
	Spiculated      = Code{"129742005", "SCT", "Spiculated lesion"}                        // CID 6007
	Homogeneous     = Code{"112160", "DCM", "Homogeneous"}                                 // CID 6344
	Heterogeneous   = Code{"RID6060", "RADLEX", "Heterogeneous"}                           // CID 6344
	Multifocal      = Code{"524008", "SCT", "Multifocal"}                                  // CID 6337
	CompositionA    = Code{"129716005", "SCT", "Almost entirely fat"}                      // CID 6001
	CompositionB    = Code{"129717001", "SCT", "Scattered fibroglandular densities"}       // CID 6001
	CompositionC    = Code{"129718006", "SCT", "Heterogeneously dense"}                    // CID 6001
	CompositionD    = Code{"129719003", "SCT", "Extremely dense"}                          // CID 6001
	ToftsModel      = Code{"126340", "DCM", "Standard Tofts Model"}                        // CID 4101
	ExtendedTofts   = Code{"126341", "DCM", "Extended Tofts Model"}                        // CID 4101
	T1Fixed         = Code{"126352", "DCM", "T1 by Fixed Value"}                           // CID 4100
	Curve1          = Code{"130597", "DCM", "Persistent delayed phase: Type 1 curve"}      // CID 6346
	Curve2          = Code{"130598", "DCM", "Plateau delayed phase: Type 2 curve"}         // CID 6346
	Curve3          = Code{"130599", "DCM", "Washout delayed phase: Type 3 curve"}         // CID 6346
	Present         = Code{"52101004", "SCT", "Present"}                                   // CID 240
	Absent          = Code{"272519000", "SCT", "Absent"}                                   // CID 240
	WithoutFindings = Code{"111241", "DCM", "All algorithms succeeded; without findings"}  // CID 6047
	WithFindings    = Code{"111242", "DCM", "All algorithms succeeded; with findings"}     // CID 6047
	NoneSucceeded   = Code{"111245", "DCM", "No algorithms succeeded; without findings"}   // CID 6047
	Succeeded       = Code{"111222", "DCM", "Succeeded"}                                   // CID 6042
	PartlySucceeded = Code{"111223", "DCM", "Partially Succeeded"}                         // CID 6042
	Failed          = Code{"111224", "DCM", "Failed"}                                      // CID 6042
	NotAttempted    = Code{"111225", "DCM", "Not Attempted"}                               // CID 6042
	Incomplete      = Code{"130574", "DCM", "Incomplete study"}                            // CID 6314
	Processing      = Code{"109102", "DCM", "Processing Equipment"}                        // CID 7005
	Segmentation    = Code{"113076", "DCM", "Segmentation"}                                // CID 7203
	Quantity        = Code{"246205007", "SCT", "Quantity"}                                 // CID 9000
	Saliency        = Code{"130404", "DCM", "Saliency"}                                    // CID 217
	Background      = Code{"125040", "DCM", "Background"}                                  // CID 7151
	VisualExplain   = Code{"130401", "DCM", "Visual explanation"}                          // TID 1411
	PixelCopy       = Code{"113072", "DCM", "Multiplanar reformatting"}                    // CID 7203, here onto the planes as acquired
	PerfusionImage  = Code{"129104", "DCM", "Perfusion image analysis"}                    // CID 7203
	DiffusionImage  = Code{"129105", "DCM", "Diffusion image analysis"}                    // CID 7203
	SourceImage     = Code{"121322", "DCM", "Source Image for Image Processing Operation"} // CID 7202
)

// Units, UCUM.
var (
	Percent       = Code{"%", "UCUM", "Percent"}
	CM3           = Code{"cm3", "UCUM", "cubic centimeter"}
	MM2           = Code{"mm2", "UCUM", "square millimeter"}
	MM            = Code{"mm", "UCUM", "millimeter"}
	Second        = Code{"s", "UCUM", "second"}
	UM2PerS       = Code{"um2/s", "UCUM", "um2/s"} // CID 7277; equals 1e-6 mm2/s
	PerMM         = Code{"/mm", "UCUM", "per millimeter"}
	PerMinute     = Code{"/min", "UCUM", "/min"}
	PercentPerMin = Code{"%/min", "UCUM", "percent per minute"}
	MMolSecPerL   = Code{"mmol.s/L", "UCUM", "millimole second per liter"}
	Ratio         = Code{"{ratio}", "UCUM", "ratio"}
	Dimensionless = Code{"1", "UCUM", "no units"}
)

// ClockPosition returns the hour 1 to 12 of a clock face (CID 6019); ok is false for other hours.
func ClockPosition(hour int) (c Code, ok bool) {
	hours := [...]Code{
		{"129772004", "SCT", "1 o'clock position"},
		{"129773009", "SCT", "2 o'clock position"},
		{"129774003", "SCT", "3 o'clock position"},
		{"129775002", "SCT", "4 o'clock position"},
		{"129776001", "SCT", "5 o'clock position"},
		{"129777005", "SCT", "6 o'clock position"},
		{"129778000", "SCT", "7 o'clock position"},
		{"129779008", "SCT", "8 o'clock position"},
		{"129780006", "SCT", "9 o'clock position"},
		{"129781005", "SCT", "10 o'clock position"},
		{"129782003", "SCT", "11 o'clock position"},
		{"129783008", "SCT", "12 o'clock position"},
	}
	if hour < 1 || hour > len(hours) {
		return Code{}, false
	}
	return hours[hour-1], true
}
