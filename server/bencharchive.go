package main

import (
	"context"
	"errors"
	"os"
	"time"

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
func (c *benchArchiveCommand) Run(ctx context.Context) (err error) {
	template, err := benchTemplate()
	if err != nil {
		return err
	}
	targets, err := c.start(ctx)
	defer func() {
		for _, t := range targets {
			err = errors.Join(err, t.Close())
		}
	}()
	if err != nil {
		return err
	}
	line := newProgressLine(os.Stderr)
	r, err := benchmark.Grow(ctx, benchmark.GrowthConfig{Sizes: c.Instances, Config: benchmark.Config{
		Template: template, Seed: time.Now().String(), CPUProfile: c.CPUProfile,
		Progress: func(phase, target string, _ int) { line.show(phase+", "+target, 0, "") },
	}}, targets...)
	line.end()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(r)
	}
	return r.Write(os.Stdout, c.Markdown)
}
