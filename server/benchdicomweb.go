package main

import (
	"context"
	"errors"

	"mome/dicomweb/dicom"
	"mome/fixtures/phantom"
	"mome/server/benchmark"
)

type benchDICOMwebCommand struct {
	benchTargets
	Slices  int      `default:"150" help:"Instances of each of eight series: four of 512x512 pixels, four of 256x256."`
	Studies int      `default:"300" help:"Further small studies, for queries."`
	Clients []int    `default:"4,16" help:"Clients at once, of each pass after the first."`
	Only    []string `placeholder:"WORD" help:"Measure only the phases with one of these words in their names, beside the stores: frame,metadata."`
}

// Help is the longer text of "server bench dicomweb --help".
func (benchDICOMwebCommand) Help() string {
	return `Stores synthetic MR studies over the network and asks for them as viewers do, phase by phase, of all servers in turn. CPU time is
that of the server's process, user and system, all cores together, and says more than wall time on a machine that does other things
too. First is the first time that something is asked, right after it was stored; second is once more. Answers of the first
pass are held against what was stored, byte for byte.

Examples:
    server bench dicomweb --against-orthanc
    server bench dicomweb --node ./old --node ./new --slices 20 --only frame,rendered
    server bench dicomweb --url http://127.0.0.1:8042/dicom-web --pid 1234`
}

// Run measures.
func (c *benchDICOMwebCommand) Run(ctx context.Context) error {
	return c.measure(ctx, func(config benchmark.Config, targets []*benchmark.Target) (benchReport, error) {
		config.Slices, config.Small, config.Clients, config.Only = c.Slices, c.Studies, c.Clients, c.Only
		return benchmark.Run(ctx, config, targets...)
	})
}

// benchTemplate is the header of a phantom's image, as a scanner sends it.
func benchTemplate() (*dicom.Dataset, error) {
	s, err := phantom.New(phantom.Config{Seed: 1, Resolution: phantom.Tiny, Phases: 2, Without: []string{"T2", "DWI"}})
	if err != nil {
		return nil, err
	}
	for _, d := range s.Instances() {
		return d, nil
	}
	return nil, errors.New("the phantom has no image")
}
