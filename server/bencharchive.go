package main

import (
	"context"

	"mome/server/benchmark"
)

type benchArchiveCommand struct {
	benchTargets
	Instances []int `default:"1000,10000,100000" help:"Sizes of the archive to measure at, multiples of 200: a study has 200 instances."`
}

// Help is the longer text of "server bench archive --help".
func (benchArchiveCommand) Help() string {
	return `Lets an archive grow by STOW-RS and asks at each size what viewers and programs ask, one client, thirty times each. Nothing
should take longer in a large archive than in a small one.

Examples:
    server bench archive
    server bench archive --against-orthanc --instances 1000,10000`
}

// Run measures.
func (c *benchArchiveCommand) Run(ctx context.Context) error {
	return c.measure(ctx, func(config benchmark.Config, targets []*benchmark.Target) (benchReport, error) {
		return benchmark.Grow(ctx, benchmark.GrowthConfig{Config: config, Sizes: c.Instances}, targets...)
	})
}
