package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"mome/experts/series"
	"mome/server/analysis"
)

type explainCommand struct {
	studyFlags
	JSON bool `name:"json" help:"Print JSON instead of a table."`
}

// Help is the longer text of "server explain --help".
func (explainCommand) Help() string {
	return `Headers only, nothing is analysed. For each series: its role (DCE, T2, DWI, ADC, excluded, uncertain), whether the analysis would
use it, how sure that is (0 to 1), and the attributes that decided. Below the table stand assumptions, such as unknown phase times.`
}

// Run prints the roles.
func (c *explainCommand) Run(ctx context.Context, log *slog.Logger) (err error) {
	objects, done, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	result, err := analysis.Explain(ctx, objects)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(explanation(result))
	}
	w := tabwriter.NewWriter(os.Stdout, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NO\tROLE\tUSED\tSURE\tDETAIL\tDESCRIPTION\tREASON")
	for _, s := range result.Series {
		fmt.Fprintf(w, "%d\t%s\t%s\t%.2f\t%s\t%s\t%s\n", s.Number, s.Role, yes(s.Used), s.Confidence, s.Detail, oneLine(s.Description), s.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range result.Notes {
		fmt.Println("note:", n)
	}
	return nil
}

// explanationJSON is the form of "server explain --json".
type explanationJSON struct {
	Study  string     `json:"study"`
	Series []roleJSON `json:"series"`
	Notes  []string   `json:"notes,omitempty"`
}

type roleJSON struct {
	analysis.SeriesFinding
	Description string `json:"description"`
	Modality    string `json:"modality"`
	Instances   int    `json:"instances_used"`
}

func explanation(r series.Result) explanationJSON {
	out := explanationJSON{Study: r.StudyUID, Notes: r.Notes}
	for _, s := range r.Series {
		out.Series = append(out.Series, roleJSON{
			SeriesFinding: analysis.SeriesFinding{Series: s.SeriesUID, Number: s.Number, Role: s.Role, Used: s.Used, Detail: s.Detail, Reason: s.Reason, Confidence: s.Confidence},
			Description:   s.Description, Modality: s.Modality, Instances: len(s.Instances),
		})
	}
	return out
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// oneLine keeps a sender's text from breaking the table.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func printJSON(v any) error { return writeJSON(os.Stdout, v) }

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
