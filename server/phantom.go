package main

import (
	"context"
	"fmt"
	"os"

	"mome/fixtures/phantom"
)

// phantomFlags choose a phantom study.
type phantomFlags struct {
	Seed       int64    `default:"7" help:"Anatomy, lesions and noise follow from it."`
	Vendor     string   `enum:"Siemens,GE,Philips,SiemensXA,Canon,UIH,GESplit" default:"Siemens" help:"Whose way of storing phases and b-values: Siemens, GE, Philips, SiemensXA, Canon, UIH or GESplit."`
	Resolution string   `enum:"small,standard,full" default:"standard" help:"small (128x128x48), standard (224x224x80) or full (352x352x160)."`
	Without    []string `enum:"DCE,T2,DWI,ADC" help:"What the study lacks: DCE, T2, DWI, ADC."`
	Plane      string   `enum:"axial,sagittal,coronal" default:"axial" help:"Of the dynamic series and T2: axial, sagittal or coronal."`
	FatBright  bool     `help:"Acquire the dynamic series without fat suppression."`
	Unilateral string   `enum:"L,R," default:"" help:"The only breast in the field of view: L or R."`
	Split      bool     `help:"Store a sagittal dynamic series of each breast."`
}

func (f *phantomFlags) config() phantom.Config {
	plane := phantom.Plane(f.Plane)
	if f.Plane == "axial" {
		plane = phantom.Axial
	}
	return phantom.Config{
		Seed: f.Seed, Vendor: phantom.Vendor(f.Vendor), Resolution: phantom.Resolution(f.Resolution),
		Without: f.Without, Distractors: true,
		Acquisition: phantom.Acquisition{Plane: plane, FatBright: f.FatBright, Unilateral: phantom.Side(f.Unilateral), Split: f.Split},
	}
}

type phantomCommand struct {
	phantomFlags
	Output string `short:"o" default:"phantom" type:"path" help:"Folder for the DICOM files and truth.json."`
}

// Help is the longer text of "server phantom --help".
func (phantomCommand) Help() string {
	return `A whole breast MRI study made by physics: spoiled gradient echo DCE with extended Tofts kinetics, T2, DWI, with localizers,
subtractions and projections as a scanner sends them. truth.json says what was planted where. The same seed gives the
same study, byte for byte. Nothing in it comes from a patient.`
}

// Run writes the study.
func (c *phantomCommand) Run(ctx context.Context) error {
	study, err := phantom.New(c.config())
	if err != nil {
		return err
	}
	line := newProgressLine(os.Stderr)
	err = study.WriteDir(ctx, c.Output, func(written, total int) {
		line.show("phantom", float64(written)/float64(total), fmt.Sprintf("%d of %d files", written, total))
	})
	line.end()
	if err != nil {
		return err
	}
	fmt.Printf("%d instances and truth.json in %s\n", study.Len(), c.Output)
	for n, l := range study.Truth.Lesions {
		fmt.Printf("  planted %d: %s\n", n+1, describePlanted(l))
	}
	return nil
}

func describePlanted(l phantom.Lesion) string {
	return fmt.Sprintf("%s, side %s, %.0f mm, %.2f cm3 at (%.0f, %.0f, %.0f) mm", l.Kind, l.Side, l.LongAxisMM, l.VolumeCM3,
		l.CentreMM[0], l.CentreMM[1], l.CentreMM[2])
}
