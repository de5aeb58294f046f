// Package benchmark measures DICOMweb servers over the network, side by side: the CPU time that the server's process
// takes for a unit of work (an instance stored, a frame, a query), latencies under load, and memory. Several servers
// are asked the same, phase by phase in turn, so that all of them see the same machine; and what they answer is held
// against what was stored, so that nobody wins by answering wrongly. It knows DICOMweb's requests (PS3.18 sections 10.4
// to 10.6) and viewers' habits, and nothing of how a server works.
package benchmark

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"mome/dicomweb/dicom"
)

// Config says what is measured.
type Config struct {
	Template   *dicom.Dataset // a real header that all synthetic instances take over
	Slices     int            // instances of each of the eight series of the large study
	Small      int            // further studies, of four small instances each
	Seed       string         // in all UIDs: another one makes other studies
	Clients    []int          // of the passes after the first; default 4 and 16
	Only       []string       // words in the names of the phases that are measured beside the stores; default: all
	CPUProfile string         // folder for a CPU profile of each phase, of targets that were started with profiling; "" for none
	Progress   func(phase, target string, pass int)
}

// Result is what was measured.
type Result struct {
	Machine   string        `json:"machine"`
	Instances int           `json:"instances"` // of the large study
	Megabytes float64       `json:"megabytes"` // of the large study
	Small     int           `json:"small_studies"`
	Targets   []TargetInfo  `json:"targets"`
	Phases    []PhaseResult `json:"phases"`
}

// TargetInfo is a server as the result names it.
type TargetInfo struct {
	Name    string  `json:"name"`
	Version string  `json:"version,omitempty"`
	PeakMB  float64 `json:"peak_mb"` // resident memory at most, 10^6 bytes
}

// PhaseResult is what was measured of a phase, for each target in their order.
type PhaseResult struct {
	Name    string     `json:"name"`
	Unit    string     `json:"unit"`
	Samples [][]Sample `json:"samples"` // by target, then by pass: the first right after the store
	Missing []string   `json:"missing"` // by target, what it said where it lacks the service
}

// Run measures the targets.
func Run(ctx context.Context, c Config, targets ...*Target) (*Result, error) {
	if len(targets) == 0 || c.Template == nil || c.Slices < 1 || c.Small < 0 {
		return nil, errors.New("benchmark: a target, Config.Template and a number of slices are needed")
	}
	if len(c.Clients) == 0 {
		c.Clients = []int{4, 16}
	}
	if c.Progress == nil {
		c.Progress = func(string, string, int) {}
	}
	c.Progress("make instances", "", 0)
	m := maker{template: c.Template, seed: c.Seed}
	large, err := m.study(c.Slices)
	if err != nil {
		return nil, err
	}
	r := &Result{Machine: machine(), Instances: len(large.objects()), Small: c.Small}
	for _, o := range large.objects() {
		r.Megabytes += 1e-6 * float64(len(o.part10))
	}
	var small []study
	for n := range c.Small {
		s, err := m.small(n, 2, 2)
		if err != nil {
			return nil, err
		}
		small = append(small, s)
	}
	for _, t := range targets {
		r.Targets = append(r.Targets, TargetInfo{Name: t.Name, Version: t.Version})
	}
	for _, p := range plan(large, small) {
		if !c.wants(p) {
			continue
		}
		measured, err := c.phase(ctx, p, targets)
		if err != nil {
			return nil, err
		}
		for k, samples := range measured.Samples {
			for _, s := range samples {
				r.Targets[k].PeakMB = max(r.Targets[k].PeakMB, s.PeakMB)
			}
		}
		r.Phases = append(r.Phases, measured)
	}
	return r, nil
}

// wants reports whether the phase is measured. What is stored is asked for later, so all of it is.
func (c Config) wants(p phase) bool {
	return len(c.Only) == 0 || len(p.again) == 0 || slices.ContainsFunc(c.Only, func(word string) bool { return strings.Contains(p.name, word) })
}

func machine() string {
	return fmt.Sprintf("%s/%s, %d CPUs, shared with the clients", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

// phase measures all passes of a phase, the targets taking turns at being first.
func (c Config) phase(ctx context.Context, p phase, targets []*Target) (PhaseResult, error) {
	r := PhaseResult{Name: p.name, Unit: p.unit, Samples: make([][]Sample, len(targets)), Missing: make([]string, len(targets))}
	clients := append([]int{c.Clients[0]}, c.Clients...)
	for pass, n := range clients {
		jobs := p.again
		if pass == 0 {
			jobs = p.first
		}
		for i := range targets {
			k := (i + pass) % len(targets)
			if len(jobs) == 0 || r.Missing[k] != "" {
				continue
			}
			c.Progress(p.name, targets[k].Name, pass)
			s, err := c.profiled(ctx, p, pass, targets[k], func() (Sample, error) { return load(ctx, targets[k], jobs, n, pass == 0) })
			if err != nil && p.optional && missing(err) {
				r.Missing[k] = err.Error()
				continue
			}
			if err != nil {
				return r, fmt.Errorf("%s: %w", p.name, err)
			}
			r.Samples[k] = append(r.Samples[k], s)
		}
	}
	return r, nil
}
