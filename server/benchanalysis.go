package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"mome/fixtures/phantom"
	"mome/server/analysis"
)

type benchAnalysisCommand struct {
	modelFlags
	resultFlags

	Dir        string  `arg:"" optional:"" type:"existingdir" help:"Folder with the DICOM files of one study; default: a phantom study, written to a temporary folder."`
	Resolution string  `enum:"small,standard,full" default:"full" help:"Of the phantom: small, standard or full (6 phases of 352x352x160, T2 of 58 slices, 3 b-values)."`
	MotionMM   float64 `name:"motion-mm" default:"3" help:"Largest motion between the phantom's phases and series, mm."`
	JSON       bool    `name:"json" help:"Print JSON."`
}

// Help is the longer text of "server bench analysis --help".
func (benchAnalysisCommand) Help() string {
	return `Reads one study as the node does, from files to the data sets of SR and SEG, and tells for each stage its wall time, its CPU time
(user and system, of all cores together) and the largest heap that was seen in it, sampled every 10 ms; beside them the most
memory that the process held. Making the phantom is not part of it.

Examples:
    server bench analysis
    GOMAXPROCS=2 server bench analysis --resolution standard --json`
}

// analysisBench is what "server bench analysis --json" prints. Times are in seconds, memory in 10^6 bytes.
type analysisBench struct {
	Machine   string       `json:"machine"`
	Instances int          `json:"instances"`
	Findings  int          `json:"findings"`
	Stages    []stageBench `json:"stages"`
	WallS     float64      `json:"wall_s"`
	CPUS      float64      `json:"cpu_s"`
	PeakMB    float64      `json:"peak_mb"` // of the whole process
}

type stageBench struct {
	Name   string  `json:"name"`
	WallS  float64 `json:"wall_s"`
	CPUS   float64 `json:"cpu_s"`
	HeapMB float64 `json:"heap_mb"`
}

// Run measures.
func (c *benchAnalysisCommand) Run(ctx context.Context, log *slog.Logger) (err error) {
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "mome-bench"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := c.write(ctx, dir); err != nil {
			return err
		}
	}
	objects, err := objectsOf(dir)
	if err != nil {
		return err
	}
	analyzer, err := newAnalyzer(c.modelFlags, 1, log)
	if err != nil {
		return err
	}
	if analyzer, err = explaining(analyzer); err != nil {
		return err
	}
	runtime.GC()
	line, meter := newProgressLine(os.Stderr), newStageMeter()
	reading, err := analyzer.Read(ctx, objects, func(stage string, fraction float64) {
		line.show(stage, fraction, "")
		meter.enter(stage)
	})
	line.end()
	if err == nil {
		meter.enter("report")
		_, err = c.build(ctx, reading, c.source(nodeEquipment("1"), time.Now()))
	}
	stages := meter.end()
	if err != nil {
		return err
	}
	return c.print(analysisBench{Instances: len(objects), Findings: len(reading.Assessment.Findings), Stages: stages}, reading)
}

// write writes the phantom.
func (c *benchAnalysisCommand) write(ctx context.Context, dir string) error {
	study, err := phantom.New(phantom.Config{Seed: 3, Resolution: phantom.Resolution(c.Resolution), MotionMM: c.MotionMM, Distractors: true})
	if err != nil {
		return err
	}
	line := newProgressLine(os.Stderr)
	defer line.end()
	err = study.WriteDir(ctx, dir, func(written, total int) { line.show("phantom", float64(written)/float64(total), "") })
	if err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, "truth.json"))
}

func (c *benchAnalysisCommand) print(b analysisBench, reading *analysis.Reading) error {
	b.Machine = fmt.Sprintf("%s/%s, %d of %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.NumCPU())
	for _, s := range b.Stages {
		b.WallS, b.CPUS = b.WallS+s.WallS, b.CPUS+s.CPUS
	}
	if _, peak, ok := usage(); ok {
		b.PeakMB = 1e-6 * float64(peak)
	}
	if c.JSON {
		return printJSON(b)
	}
	fmt.Printf("%d instances, %d findings; %s\n", b.Instances, b.Findings, b.Machine)
	if s := reading.Study; s != nil {
		fmt.Printf("dynamic series %v voxels, %d phases\n", s.DCE[0].Volume.Size, len(s.DCE))
	}
	for _, s := range append(b.Stages, stageBench{Name: "all", WallS: b.WallS, CPUS: b.CPUS}) {
		fmt.Printf("  %-14s %7.2f wall s %7.2f CPU s", s.Name, s.WallS, s.CPUS)
		if s.HeapMB > 0 {
			fmt.Printf(" %7.0f MB heap", s.HeapMB)
		}
		fmt.Println()
	}
	fmt.Printf("  process at most %.0f MB\n", b.PeakMB)
	return nil
}

// stageMeter measures stages that follow each other.
type stageMeter struct {
	mu     sync.Mutex
	stages []stageBench
	began  time.Time
	cpu    time.Duration
	stop   chan struct{}
	done   sync.WaitGroup
}

func newStageMeter() *stageMeter {
	m := &stageMeter{stop: make(chan struct{})}
	m.done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-m.stop:
				return
			case <-tick.C:
				m.sample()
			}
		}
	})
	return m
}

// sample notes the size of the heap, garbage that is not collected yet included.
func (m *stageMeter) sample() {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.stages); n > 0 {
		m.stages[n-1].HeapMB = max(m.stages[n-1].HeapMB, 1e-6*float64(s[0].Value.Uint64()))
	}
}

// enter ends the stage before; the same stage again is the same.
func (m *stageMeter) enter(stage string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.stages)
	if n > 0 && m.stages[n-1].Name == stage {
		return
	}
	m.close()
	m.stages = append(m.stages, stageBench{Name: stage})
}

// close completes the last stage; the caller holds mu.
func (m *stageMeter) close() {
	now := time.Now()
	cpu, _, _ := usage()
	if n := len(m.stages); n > 0 {
		m.stages[n-1].WallS, m.stages[n-1].CPUS = now.Sub(m.began).Seconds(), (cpu - m.cpu).Seconds()
	}
	m.began, m.cpu = now, cpu
}

// end stops measuring and returns what was measured.
func (m *stageMeter) end() []stageBench {
	close(m.stop)
	m.done.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.close()
	return m.stages
}
