package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Studies of the growing archive: four series of 50 instances, headers with hardly any pixels.
const (
	growthSeries, growthObjects = 4, 50
	growthPerStudy              = growthSeries * growthObjects
	growthAsked                 = 30 // times that each query is asked
	growthAtOnce                = 10 // studies that are made, then stored
	growthClients               = 4  // that store
)

// GrowthConfig says how far archives grow.
type GrowthConfig struct {
	Config
	Sizes []int // instances at which is measured, multiples of 200; default 1,000, 10,000 and 100,000
}

// GrowthResult is what was measured, by target and then by size.
type GrowthResult struct {
	Machine string         `json:"machine"`
	Targets []TargetInfo   `json:"targets"`
	Sizes   [][]GrowthSize `json:"sizes"`
}

// GrowthSize is what was measured at one size.
type GrowthSize struct {
	Instances int           `json:"instances"`
	Studies   int           `json:"studies"`
	Store     Sample        `json:"store"` // from the size before to this one
	Queries   []GrowthQuery `json:"queries"`
	NowMB     float64       `json:"resident_mb"` // after the queries, 10^6 bytes
	PeakMB    float64       `json:"peak_mb"`     // since the size before
}

// GrowthQuery is one query, asked many times by one client.
type GrowthQuery struct {
	Name string `json:"name"`
	Sample
}

// Grow stores studies and asks, at each size, what viewers and programs ask.
func Grow(ctx context.Context, c GrowthConfig, targets ...*Target) (*GrowthResult, error) {
	if len(targets) == 0 || c.Template == nil {
		return nil, errors.New("benchmark: a target and Config.Template are needed")
	}
	if len(c.Sizes) == 0 {
		c.Sizes = []int{1000, 10_000, 100_000}
	}
	for i, n := range c.Sizes {
		if n < growthPerStudy || n%growthPerStudy != 0 || i > 0 && n <= c.Sizes[i-1] {
			return nil, fmt.Errorf("benchmark: size %d: multiples of %d in rising order are expected", n, growthPerStudy)
		}
	}
	if c.Progress == nil {
		c.Progress = func(string, string, int) {}
	}
	r := &GrowthResult{Machine: machine(), Sizes: make([][]GrowthSize, len(targets))}
	for _, t := range targets {
		r.Targets = append(r.Targets, TargetInfo{Name: t.Name, Version: t.Version})
	}
	m, from := maker{template: c.Template, seed: c.Seed}, 0
	for _, n := range c.Sizes {
		for k, t := range targets {
			s, err := c.grow(ctx, m, t, from, n)
			if err != nil {
				return nil, err
			}
			r.Sizes[k] = append(r.Sizes[k], s)
			r.Targets[k].PeakMB = max(r.Targets[k].PeakMB, s.PeakMB)
		}
		from = n
	}
	return r, nil
}

// grow stores from one size to another and measures there.
func (c GrowthConfig) grow(ctx context.Context, m maker, t *Target, from, to int) (GrowthSize, error) {
	g := GrowthSize{Instances: to, Studies: to / growthPerStudy}
	for n := from / growthPerStudy; n < g.Studies; n += growthAtOnce {
		var jobs []job
		for i := n; i < min(n+growthAtOnce, g.Studies); i++ {
			s, err := m.small(i, growthSeries, growthObjects)
			if err != nil {
				return g, err
			}
			jobs = append(jobs, storeJobs(s.objects(), growthObjects)...)
		}
		c.Progress(fmt.Sprintf("store up to %d", to), t.Name, 0)
		s, err := load(ctx, t, jobs, growthClients, true)
		if err != nil {
			return g, err
		}
		g.Store.add(s)
		g.PeakMB = max(g.PeakMB, s.PeakMB)
	}
	s, err := m.small(g.Studies/2, growthSeries, growthObjects)
	if err != nil {
		return g, err
	}
	for _, p := range growthQueries(s, g.Studies) {
		c.Progress(p.name, t.Name, 0)
		sample, err := c.profiled(ctx, phase{name: fmt.Sprint(to, " ", p.name)}, 0, t, func() (Sample, error) { return load(ctx, t, p.again, 1, true) })
		if err != nil {
			return g, err
		}
		g.Queries = append(g.Queries, GrowthQuery{p.name, sample})
		g.PeakMB = max(g.PeakMB, sample.PeakMB)
	}
	if t.PID != 0 {
		now, _, err := memory(t.PID)
		if err != nil {
			return g, err
		}
		g.NowMB = 1e-6 * float64(now)
	}
	return g, nil
}

// add takes in what was measured of another part of the same work. Latencies are those of the last part.
func (s *Sample) add(o Sample) {
	o.Jobs, o.Units, o.Requests = o.Jobs+s.Jobs, o.Units+s.Units, o.Requests+s.Requests
	o.WallS, o.CPUS, o.Megabytes, o.PeakMB = o.WallS+s.WallS, o.CPUS+s.CPUS, o.Megabytes+s.Megabytes, max(o.PeakMB, s.PeakMB)
	o.CPUMSOfUnit, o.RequestsS = 1e3*o.CPUS/float64(o.Units), float64(o.Requests)/o.WallS
	*s = o
}

// growthQueries are the queries about a study in the middle of the archive.
func growthQueries(s study, studies int) []phase {
	at, series, object := "/"+s.ref.Path(), s.series[1], s.series[1].objects[7]
	number := studies / 2
	list := []struct {
		name, path string
		n          int
	}{
		{"studies, first 101", studyList, min(101, studies)},
		{"studies, last page", fmt.Sprintf("/studies?limit=101&offset=%d&%s", max(studies-50, 0), studyFields), min(50, studies)},
		{"study by UID", "/studies?StudyInstanceUID=" + s.ref.Study, 1},
		{"study by patient ID", fmt.Sprintf("/studies?PatientID=BENCH-%05d", number), 1},
		{"study by part of its patient's name", fmt.Sprintf("/studies?PatientName=*mall%%20%d", number), 1},
		{"study by accession number", fmt.Sprintf("/studies?AccessionNumber=A%d", number), 1},
		{"series of a study", at + "/series?" + seriesFields, growthSeries},
		{"series by UID, of all", "/series?SeriesInstanceUID=" + series.ref.Series, 1},
		{"series, first 101 of all", "/series?Modality=MR&limit=101", min(101, growthSeries*studies)},
		{"instances of a study (200)", at + "/instances", growthPerStudy},
		{"instances of a series (50)", "/" + series.ref.Path() + "/instances", growthObjects},
		{"instance by UID, of all", "/instances?SOPInstanceUID=" + object.ref.Instance, 1},
		{"instances, first 101 of all", "/instances?limit=101", min(101, growthPerStudy*studies)},
		{"series metadata (50)", "/" + series.ref.Path() + "/metadata", growthObjects},
	}
	var out []phase
	for _, q := range list {
		p := phase{name: q.name, unit: "query"}
		for range growthAsked {
			p.again = append(p.again, one(1, request{path: q.path, accept: acceptJSON, gzip: true, check: items(q.n)}))
		}
		out = append(out, p)
	}
	frame := phase{name: "frame 1"}
	for range growthAsked {
		frame.again = append(frame.again, one(1, frameRequest(object)))
	}
	return append(out, frame)
}

// Write prints the result as aligned text or, with markdown, as tables.
func (r *GrowthResult) Write(w io.Writer, markdown bool) error {
	fmt.Fprintf(w, "studies of %d instances with headers and hardly any pixels, one client; %s\n", growthPerStudy, r.Machine)
	for k, t := range r.Targets {
		fmt.Fprintf(w, "\n%s %s\n\n", t.Name, strings.TrimSpace(t.Version))
		if err := growthTable(r.Sizes[k]).write(w, markdown); err != nil {
			return err
		}
	}
	return nil
}

func growthTable(sizes []GrowthSize) table {
	out := table{{"median (p99), ms", "server CPU, ms, at most"}}
	memory, store := []string{"resident now (at most), MB", ""}, []string{"store, CPU (wall), ms an instance", ""}
	for _, s := range sizes {
		out[0] = append(out[0], fmt.Sprintf("%d instances", s.Instances))
		memory = append(memory, fmt.Sprintf("%.0f (%.0f)", s.NowMB, s.PeakMB))
		store = append(store, fmt.Sprintf("%s (%s)", significant(s.Store.CPUMSOfUnit), significant(1e3*s.Store.WallS/float64(s.Store.Units))))
	}
	for q := range sizes[0].Queries {
		row, cpu := []string{}, []float64{}
		for _, s := range sizes {
			row = append(row, fmt.Sprintf("%s (%s)", significant(s.Queries[q].P50MS), significant(s.Queries[q].P99MS)))
			cpu = append(cpu, s.Queries[q].CPUMSOfUnit)
		}
		out = append(out, append([]string{sizes[0].Queries[q].Name, significant(slices.Max(cpu))}, row...))
	}
	return append(out, memory, store)
}
