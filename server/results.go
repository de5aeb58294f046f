package main

import (
	"slices"

	"mome/dicomweb/dicom"
	"mome/experts"
	"mome/experts/volume"
	"mome/server/analysis"
	"mome/server/report"
	"mome/server/words"
)

// resultFlags choose what is written of a reading, and how.
type resultFlags struct {
	Language  string   `enum:"en,ko,zh" default:"en" help:"Language of reports and pages: en, ko (Korean) or zh (Chinese)."`
	ViewerSR  bool     `name:"viewer-sr" default:"true" negatable:"" help:"Also write the SR with drawings that OHIF lists: diameters and outline of each lesion."`
	Maps      []string `enum:"explanation,PE,SER,ADC" default:"explanation" help:"Parametric Maps to write: explanation, PE, SER, ADC."`
	MapsAsMR  bool     `name:"maps-as-mr" default:"true" negatable:"" help:"Write each map as a series of MR images too, for viewers without Parametric Maps, such as OHIF, which reads whole ones only."`
	WholeMaps bool     `name:"whole-maps" help:"Write every slice of a Parametric Map in full, as OHIF's loader needs it; it then takes the space of its whole volume."`
	LabelMap  bool     `name:"label-map" help:"Write the segmentation as a label map (DICOM 2024d) instead of overlapping bit planes."`
}

// source is what a report takes from the settings.
func (f *resultFlags) source() report.Source {
	return report.Source{Language: words.Language(f.Language), ViewerSR: f.ViewerSR, LabelMap: f.LabelMap, MapsAsMR: f.MapsAsMR, WholeMaps: f.WholeMaps}
}

// partsOf lists the assessments of a reading with the maps that are asked for; header is for a reading that has none of its
// own.
func (f *resultFlags) partsOf(reading *analysis.Reading, header *dicom.Dataset) (parts []report.Part) {
	for _, r := range reading.All() {
		h := r.SourceHeader()
		if h == nil {
			h = header
		}
		parts = append(parts, report.Part{Assessment: r.Assessment, Headers: h, Maps: f.mapsOf(r)})
	}
	return parts
}

// mapsOf returns the maps that are asked for and there.
func (f *resultFlags) mapsOf(r *analysis.Reading) (out []report.Map) {
	add := func(kind report.MapKind, v *volume.Volume) {
		if v != nil && slices.Contains(f.Maps, string(kind)) {
			out = append(out, report.Map{Kind: kind, Volume: v})
		}
	}
	maps := map[string]*volume.Volume{}
	for _, o := range r.Opinions {
		switch o.Modality {
		case experts.DCE:
			maps["PE"], maps["SER"] = o.Maps["PE_early"], o.Maps["SER"]
		case experts.DWI:
			maps["ADC"] = o.Maps["ADC"]
		}
	}
	add(report.Explanation, r.Attribution)
	add(report.PE, maps["PE"])
	add(report.SER, maps["SER"])
	add(report.ADC, maps["ADC"])
	return out
}
