package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"slices"
	"time"

	"mome/dicomweb/iod"
	"mome/experts"
	"mome/experts/volume"
	"mome/server/analysis"
	"mome/server/picture"
	"mome/server/report"
	"mome/server/words"
)

// resultFlags choose what is written of a reading, and how.
type resultFlags struct {
	Language      string   `enum:"en,ko,zh" default:"en" help:"Language of reports and pages: en, ko (Korean) or zh (Chinese)."`
	ViewerSR      bool     `name:"viewer-sr" default:"true" negatable:"" help:"Also write the SR with drawings that OHIF lists: diameters and outline of each lesion."`
	Maps          []string `enum:"explanation,PE,SER,ADC" default:"explanation" help:"Parametric Maps to write: explanation, PE, SER, ADC."`
	MapsAsMR      bool     `name:"maps-as-mr" default:"true" negatable:"" help:"Write each map as a series of MR images too, for viewers without Parametric Maps, such as OHIF, which reads whole ones only."`
	WholeMaps     bool     `name:"whole-maps" help:"Write every slice of a Parametric Map in full, as OHIF's loader needs it; it then takes the space of its whole volume."`
	Pictures      bool     `default:"true" negatable:"" help:"Write Secondary Captures: projections with marked lesions and each lesion's kinetics in colours."`
	ReferenceCopy bool     `name:"reference-copy" default:"true" negatable:"" help:"Where all phases share a series, write the phase that results refer to as a series of its own: viewers lay overlays over the wrong phase otherwise, or over none."`
	LabelMap      bool     `name:"label-map" help:"Write the segmentation as a label map (DICOM 2024d) instead of overlapping bit planes."`
}

// source is what reports take from the settings, with the machine that makes them, and when.
func (f *resultFlags) source(node iod.Equipment, now time.Time) report.Source {
	return report.Source{Node: node, Now: now, Language: words.Language(f.Language), ViewerSR: f.ViewerSR, LabelMap: f.LabelMap,
		MapsAsMR: f.MapsAsMR, WholeMaps: f.WholeMaps}
}

// build makes the objects of each part of a reading, with the maps and pictures that are asked for. The headers of source
// are for a reading that has none of its own.
func (f *resultFlags) build(ctx context.Context, reading *analysis.Reading, source report.Source) ([]report.Objects, error) {
	var parts []report.Part
	for _, r := range reading.All() {
		p := report.Part{Assessment: r.Assessment, Headers: cmp.Or(r.SourceHeader(), source.Headers), Maps: f.mapsOf(r)}
		if f.ReferenceCopy && phasesShareSeries(r.Study) {
			p.ReferencePhase = r.Study.DCE[r.Study.Reference].Volume
		}
		if f.Pictures {
			var err error
			if p.Pictures, err = picturesOf(ctx, r); err != nil {
				return nil, fmt.Errorf("draw the pictures: %w", err)
			}
		}
		parts = append(parts, p)
	}
	return report.BuildAll(parts, source)
}

// phasesShareSeries reports whether the series of the reference phase holds other phases too.
func phasesShareSeries(s *experts.Study) bool {
	if s == nil {
		return false
	}
	n := 0
	for _, p := range s.DCE {
		if p.SeriesUID == s.DCE[s.Reference].SeriesUID {
			n++
		}
	}
	return n > 1
}

// The pictures in DICOM are uncompressed colour, half a megabyte a section: so many findings, the most suspicious, and so
// many sections of each, evenly spread.
const maxKinetics, maxSections = 3, 9

// picturesOf draws the projections and the findings' kinetics, section by section.
func picturesOf(ctx context.Context, r *analysis.Reading) (out []report.Picture, err error) {
	cfg := picture.Config{Notice: report.Disclaimer, TrainedOn: r.Assessment.Algorithm.TrainedOn}
	projections, err := picture.Projections(ctx, r, cfg)
	if err != nil {
		return nil, err
	}
	for _, p := range projections {
		out = append(out, report.Picture{Description: "AI MIP " + p.View, Frames: []image.Image{p.Image}, Drawn: true})
	}
	for n, l := range r.Assessment.Findings[:min(len(r.Assessment.Findings), maxKinetics)] {
		sections, err := picture.KineticSections(ctx, r, n, maxSections, cfg)
		if err != nil {
			return nil, err
		}
		if len(sections) == 0 {
			continue
		}
		p := report.Picture{Description: "AI kinetics of " + l.Label, Drawn: true}
		for _, s := range sections {
			p.Frames = append(p.Frames, s.Image)
		}
		out = append(out, p)
	}
	return out, nil
}

// mapsOf returns the maps that are asked for and there.
func (f *resultFlags) mapsOf(r *analysis.Reading) (out []report.Map) {
	add := func(kind report.MapKind, v *volume.Volume) {
		if v != nil && slices.Contains(f.Maps, string(kind)) {
			out = append(out, report.Map{Kind: kind, Volume: v})
		}
	}
	add(report.Explanation, r.Attribution)
	for _, o := range r.Opinions {
		switch o.Modality {
		case experts.DCE:
			add(report.PE, o.Maps["PE_early"])
			add(report.SER, o.Maps["SER"])
		case experts.DWI:
			add(report.ADC, o.Maps["ADC"])
		}
	}
	return out
}
