package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/query"
)

// metricsType is the text format of Prometheus, version 0.0.4.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// buckets are the upper bounds of the latencies' histogram, in seconds.
var buckets = [...]float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60}

// metrics counts requests. Its labels are methods, routes of the table and statuses: nothing that a client chooses.
type metrics struct {
	mu       sync.Mutex
	requests map[request]*tally
	running  int
}

type request struct {
	method, route string
	status        int
}

type tally struct {
	count   int64
	in, out int64 // bytes of bodies
	seconds float64
	within  [len(buckets)]int64
}

func newMetrics() *metrics { return &metrics{requests: map[request]*tally{}} }

// begin counts a request that runs, until the returned function is called.
func (m *metrics) begin() (end func()) {
	m.mu.Lock()
	m.running++
	m.mu.Unlock()
	return func() {
		m.mu.Lock()
		m.running--
		m.mu.Unlock()
	}
}

// add counts a request that has ended. Route is "" for a path that no route has.
func (m *metrics) add(method, route string, status int, in, out int64, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := request{method, cmp.Or(route, "none"), status}
	t := m.requests[key]
	if t == nil {
		t = &tally{}
		m.requests[key] = t
	}
	t.count++
	t.in, t.out, t.seconds = t.in+in, t.out+out, t.seconds+took.Seconds()
	for i, bound := range buckets {
		if took.Seconds() <= bound {
			t.within[i]++
		}
	}
}

// write writes all counts, in an order that does not change.
func (m *metrics) write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]request, 0, len(m.requests))
	for k := range m.requests {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b request) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.method, b.method), cmp.Compare(a.status, b.status))
	})
	each := func(name, kind, help string, value func(*tally) string) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		for _, k := range keys {
			fmt.Fprintf(w, "%s{%s} %s\n", name, k.labels(), value(m.requests[k]))
		}
	}
	each("mome_http_requests_total", "counter", "Requests answered.", func(t *tally) string { return fmt.Sprint(t.count) })
	each("mome_http_received_bytes_total", "counter", "Bytes of requests' bodies.", func(t *tally) string { return fmt.Sprint(t.in) })
	each("mome_http_sent_bytes_total", "counter", "Bytes of answers' bodies.", func(t *tally) string { return fmt.Sprint(t.out) })
	const histogram = "mome_http_request_duration_seconds"
	fmt.Fprintf(w, "# HELP %s Time until the whole answer was sent.\n# TYPE %s histogram\n", histogram, histogram)
	for _, k := range keys {
		t := m.requests[k]
		for i, bound := range buckets {
			fmt.Fprintf(w, "%s_bucket{%s,le=%q} %d\n", histogram, k.labels(), strconv.FormatFloat(bound, 'g', -1, 64), t.within[i])
		}
		fmt.Fprintf(w, "%s_bucket{%s,le=\"+Inf\"} %d\n%s_sum{%s} %g\n%s_count{%s} %d\n", histogram, k.labels(), t.count, histogram, k.labels(), t.seconds, histogram, k.labels(), t.count)
	}
	fmt.Fprintf(w, "# HELP mome_http_running_requests Requests that run now.\n# TYPE mome_http_running_requests gauge\nmome_http_running_requests %d\n", m.running)
}

func (r request) labels() string {
	return fmt.Sprintf("method=%q,route=%q,status=\"%d\"", r.method, r.route, r.status)
}

// maxCounted is how many analyses are counted by state; those that changed last come first, so all that run are among them.
const maxCounted = 100_000

// showMetrics answers GET /metrics in the text format of Prometheus.
func (s *services) showMetrics(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	var b bytes.Buffer
	s.metrics.write(&b)
	if err := s.stored(r.Context(), &b); err != nil {
		return err
	}
	list, err := s.cfg.Jobs.List(r.Context(), maxCounted)
	if err != nil {
		return fmt.Errorf("count analyses: %w", err)
	}
	states := map[string]int{}
	for _, name := range []string{"waiting", "queued", "running", "retrying", "done", "failed"} {
		states[name] = 0
	}
	for _, j := range list {
		states[string(j.State)]++
	}
	fmt.Fprint(&b, "# HELP mome_jobs Analyses by state.\n# TYPE mome_jobs gauge\n")
	for _, name := range slices.Sorted(maps.Keys(states)) {
		fmt.Fprintf(&b, "mome_jobs{state=%q} %d\n", name, states[name])
	}
	fmt.Fprintf(&b, "# HELP mome_info The software that runs.\n# TYPE mome_info gauge\nmome_info{version=%q} 1\n", s.cfg.Version)
	w.Header().Set("Content-Type", metricsType)
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(b.Bytes())
	return err
}

// stored writes how much the archive holds.
func (s *services) stored(ctx context.Context, w io.Writer) error {
	for _, level := range []query.Level{query.Study, query.Series, query.Instance} {
		_, n, err := s.cfg.Archive.Find(ctx, query.Query{Level: level, Limit: -1})
		if err != nil {
			return fmt.Errorf("count %s: %w", level, err)
		}
		fmt.Fprintf(w, "# HELP mome_stored_%[1]s Stored %[1]s.\n# TYPE mome_stored_%[1]s gauge\nmome_stored_%[1]s %[2]d\n", level, n)
	}
	return nil
}
