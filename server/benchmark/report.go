package benchmark

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write prints the result as aligned text or, with markdown, as tables.
func (r *Result) Write(w io.Writer, markdown bool) error {
	fmt.Fprintf(w, "%d instances in 8 series, %.0f MB, and %d small studies; %s\n", r.Instances, r.Megabytes, r.Small, r.Machine)
	for _, t := range r.Targets {
		fmt.Fprintf(w, "%s: %s at most %.0f MB resident\n", t.Name, strings.TrimSpace(t.Version+";"), t.PeakMB)
	}
	for _, p := range r.Phases {
		for k, why := range p.Missing {
			if why != "" {
				fmt.Fprintf(w, "%s: left out for %s: %s\n", p.Name, r.Targets[k].Name, why)
			}
		}
	}
	fmt.Fprintln(w)
	if err := r.cpuTable().write(w, markdown); err != nil {
		return err
	}
	for pass := range r.passes() {
		fmt.Fprintln(w)
		if err := r.loadTable(pass).write(w, markdown); err != nil {
			return err
		}
	}
	return nil
}

// passes is how many passes the most thorough phase has.
func (r *Result) passes() (n int) {
	for _, p := range r.Phases {
		for _, s := range p.Samples {
			n = max(n, len(s))
		}
	}
	return n
}

// table is a table of text; the first row is its head.
type table [][]string

// cpuTable has the server's CPU time for each unit, first and second pass, and how many times that of the first target
// the others take.
func (r *Result) cpuTable() table {
	head := []string{"server CPU, ms", "a"}
	for _, t := range r.Targets {
		head = append(head, t.Name+" first", "second")
	}
	for _, t := range r.Targets[1:] {
		head = append(head, t.Name+" / "+r.Targets[0].Name, "second")
	}
	out := table{head}
	for _, p := range r.Phases {
		row := []string{p.Name, p.Unit}
		for k := range r.Targets {
			row = append(row, p.cpu(k, 0), p.cpu(k, 1))
		}
		for k := range r.Targets[1:] {
			row = append(row, p.ratio(k+1, 0), p.ratio(k+1, 1))
		}
		out = append(out, row)
	}
	return out
}

func (p *PhaseResult) sample(target, pass int) (Sample, bool) {
	if pass >= len(p.Samples[target]) {
		return Sample{}, false
	}
	return p.Samples[target][pass], true
}

func (p *PhaseResult) cpu(target, pass int) string {
	s, ok := p.sample(target, pass)
	if !ok || s.CPUS == 0 {
		return "-"
	}
	return significant(s.CPUMSOfUnit)
}

func (p *PhaseResult) ratio(target, pass int) string {
	s, ok := p.sample(target, pass)
	base, has := p.sample(0, pass)
	if !ok || !has || base.CPUMSOfUnit == 0 || s.CPUS == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", s.CPUMSOfUnit/base.CPUMSOfUnit)
}

// loadTable has wall times and latencies of a pass.
func (r *Result) loadTable(pass int) table {
	clients := 0
	for _, p := range r.Phases {
		for k := range r.Targets {
			if s, ok := p.sample(k, pass); ok {
				clients = s.Clients
			}
		}
	}
	name := "first pass"
	if pass > 0 {
		name = "again"
	}
	out := table{{fmt.Sprintf("%s, %d clients", name, clients), "a"}}
	for _, t := range r.Targets {
		out[0] = append(out[0], t.Name+" wall, ms", "requests/s", "p50, ms", "p99, ms", "MB/s", "peak MB")
	}
	for _, p := range r.Phases {
		row, any := []string{p.Name, p.Unit}, false
		for k := range r.Targets {
			s, ok := p.sample(k, pass)
			if !ok {
				row = append(row, "-", "-", "-", "-", "-", "-")
				continue
			}
			any = true
			row = append(row, significant(1e3*s.WallS/float64(s.Units)), significant(s.RequestsS), significant(s.P50MS), significant(s.P99MS),
				significant(s.Megabytes/s.WallS), fmt.Sprintf("%.0f", s.PeakMB))
		}
		if any {
			out = append(out, row)
		}
	}
	return out
}

// significant writes three digits that count, without an exponent.
func significant(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func (t table) write(w io.Writer, markdown bool) error {
	if markdown {
		for i, row := range t {
			fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				fmt.Fprintln(w, "|---|---"+strings.Repeat("|---:", len(row)-2)+"|")
			}
		}
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, row := range t {
		fmt.Fprintf(tw, "%-28s\t%s\t\n", row[0], strings.Join(row[1:], "\t"))
	}
	return tw.Flush()
}
