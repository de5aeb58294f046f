package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// request is one request of a phase.
type request struct {
	path        string // below the DICOMweb root, with its query
	accept      string
	gzip        bool   // compression is welcome, as browsers and most libraries say
	contentType string // of the body
	body        []io.ReaderAt
	size        int64               // of the body
	check       func(*answer) error // what the answer, decompressed, must hold; run outside the measured time
}

// answer is what came.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// job is what one client does before it takes the next: steps one after the other, the requests of a step at once. Its
// latency is that of all of it.
type job struct {
	steps [][]request
	units int
}

// one is a job of one request.
func one(units int, r request) job { return job{steps: [][]request{{r}}, units: units} }

// atOnce is how many requests a browser sends at the same time over HTTP/1.1.
const atOnce = 6

// largestAnswer bounds what is read of an answer, in bytes.
const largestAnswer = 1 << 30

// Sample is what a pass over a phase measured.
type Sample struct {
	Clients     int     `json:"clients"`
	Jobs        int     `json:"jobs"`
	Units       int     `json:"units"`
	Requests    int     `json:"requests"`
	WallS       float64 `json:"wall_s"`
	CPUS        float64 `json:"cpu_s"` // of the server, 0 where not known
	P50MS       float64 `json:"p50_ms"`
	P99MS       float64 `json:"p99_ms"`
	Megabytes   float64 `json:"megabytes"` // of the answers' bodies, 10^6 bytes
	PeakMB      float64 `json:"peak_mb"`   // of the server's resident memory, 10^6 bytes
	CPUMSOfUnit float64 `json:"cpu_ms_per_unit"`
	RequestsS   float64 `json:"requests_per_s"`
}

// load sends the jobs to the server with so many clients and measures. An answer that is not the wanted one ends it.
func load(ctx context.Context, t *Target, jobs []job, clients int, checked bool) (Sample, error) {
	s := Sample{Clients: clients, Jobs: len(jobs)}
	if t.PID != 0 {
		resetPeak(t.PID)
	}
	before, err := t.cpu()
	if err != nil {
		return s, err
	}
	var mu sync.Mutex
	latencies := make([]time.Duration, 0, len(jobs))
	next := 0
	take := func() (job, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(jobs) {
			return job{}, false
		}
		next++
		return jobs[next-1], true
	}
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range clients {
		group.Go(func() error {
			for {
				j, ok := take()
				if !ok {
					return nil
				}
				took, n, size, err := t.do(ctx, j, checked)
				if err != nil {
					return err
				}
				mu.Lock()
				latencies = append(latencies, took)
				s.Requests, s.Units, s.Megabytes = s.Requests+n, s.Units+j.units, s.Megabytes+1e-6*float64(size)
				mu.Unlock()
			}
		})
	}
	if err := group.Wait(); err != nil {
		return s, err
	}
	s.WallS = time.Since(began).Seconds()
	after, err := t.cpu()
	if err != nil {
		return s, err
	}
	if t.PID != 0 {
		_, peak, err := memory(t.PID)
		if err != nil {
			return s, err
		}
		s.PeakMB = 1e-6 * float64(peak)
	}
	s.CPUS = (after - before).Seconds()
	s.CPUMSOfUnit, s.RequestsS = 1e3*s.CPUS/float64(s.Units), float64(s.Requests)/s.WallS
	slices.Sort(latencies)
	s.P50MS, s.P99MS = quantileMS(latencies, 0.5), quantileMS(latencies, 0.99)
	return s, nil
}

// quantileMS is the smallest of the sorted values that a share q of all does not exceed, in ms.
func quantileMS(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	k := min(int(q*float64(len(sorted))+0.999999), len(sorted))
	return 1e3 * sorted[max(k-1, 0)].Seconds()
}

// do does one job and tells how long it took without the checks, how many requests it sent, and how many bytes came.
func (t *Target) do(ctx context.Context, j job, checked bool) (took time.Duration, n int, size int64, err error) {
	for _, step := range j.steps {
		answers := make([]*answer, len(step))
		began := time.Now()
		if len(step) == 1 {
			answers[0], err = t.send(ctx, step[0])
		} else {
			group, ctx := errgroup.WithContext(ctx)
			group.SetLimit(atOnce)
			for i, r := range step {
				group.Go(func() (err error) {
					answers[i], err = t.send(ctx, r)
					return err
				})
			}
			err = group.Wait()
		}
		took += time.Since(began)
		if err != nil {
			return took, n, size, err
		}
		n += len(step)
		for i, r := range step {
			a := answers[i]
			size += int64(len(a.body))
			switch {
			case a.status != http.StatusOK:
				return took, n, size, &statusError{t.Name, r.path, a.status, a.body}
			case checked:
				if err := a.verify(r.check); err != nil {
					return took, n, size, fmt.Errorf("%s answers %s wrongly: %w", t.Name, r.path, err)
				}
			}
		}
	}
	return took, n, size, nil
}

// statusError is an answer that is no success.
type statusError struct {
	target, path string
	status       int
	body         []byte
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %s with %d: %.300s", e.target, e.path, e.status, strings.Join(strings.Fields(string(e.body)), " "))
}

// missing reports whether err means that the server has no such resource.
func missing(err error) bool {
	var s *statusError
	if !errors.As(err, &s) {
		return false
	}
	switch s.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented, http.StatusUnsupportedMediaType:
		return true
	}
	return false
}

// send sends one request and reads the whole answer, compressed as it came.
func (t *Target) send(ctx context.Context, r request) (*answer, error) {
	method, body := http.MethodGet, func() io.ReadCloser { return http.NoBody }
	if r.body != nil {
		method = http.MethodPost
		body = func() io.ReadCloser { return io.NopCloser(reader(r.body)) }
	}
	req, err := http.NewRequestWithContext(ctx, method, t.URL+r.path, body())
	if err != nil {
		return nil, err
	}
	req.GetBody = func() (io.ReadCloser, error) { return body(), nil }
	req.ContentLength = r.size
	for name, values := range t.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("Accept", r.accept)
	if r.gzip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name, err)
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if n := resp.ContentLength; n > 0 && n <= largestAnswer {
		a.body = make([]byte, n)
		_, err = io.ReadFull(resp.Body, a.body)
	} else {
		a.body, err = io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read the answer to %s: %w", t.Name, r.path, err)
	}
	return a, nil
}

// reader reads the pieces one after the other.
func reader(pieces []io.ReaderAt) io.Reader {
	all := make([]io.Reader, len(pieces))
	for i, p := range pieces {
		all[i] = io.NewSectionReader(p, 0, 1<<40)
	}
	return io.MultiReader(all...)
}
