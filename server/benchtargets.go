package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"mome/server/benchmark"
)

// benchTargets says which DICOMweb servers are measured, and how that is told.
type benchTargets struct {
	Node           []string `sep:"none" type:"existingfile" placeholder:"FILE" help:"Start this build of the node; may be repeated, to hold builds against each other. Default: this program, unless --url says where a server runs."`
	URL            []string `name:"url" sep:"none" placeholder:"URL" help:"Root of a DICOMweb server that runs; may be repeated. It keeps what is stored."`
	PID            []int    `name:"pid" help:"Process of each --url, where it runs on this machine: without it there is no CPU time."`
	Token          string   `placeholder:"TOKEN" help:"Bearer token that every --url is asked with. Better given as MOME_TOKEN."`
	AgainstOrthanc bool     `help:"Start the Orthanc on the PATH with its DICOMweb plug-in too, and print it beside."`
	Orthanc        string   `type:"existingfile" placeholder:"FILE" help:"Start this Orthanc too."`
	OrthancPlugin  string   `type:"existingfile" placeholder:"FILE" help:"DICOMweb plug-in of Orthanc, if not the one that Debian installs."`
	Dir            string   `type:"existingdir" placeholder:"DIR" help:"Where archives are made; removed at the end. Default: the system's folder for temporary files."`
	CPUProfile     string   `name:"cpuprofile" type:"path" placeholder:"DIR" help:"Write a CPU profile of the first node for each phase, for go tool pprof."`
	JSON           bool     `name:"json" help:"Print JSON."`
	Markdown       bool     `help:"Print tables in Markdown."`
}

// benchReport is what was measured.
type benchReport interface {
	Write(w io.Writer, markdown bool) error
}

// measure starts the servers, lets run measure them and prints its report.
func (c *benchTargets) measure(ctx context.Context, run func(benchmark.Config, []*benchmark.Target) (benchReport, error)) (err error) {
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
	r, err := run(benchmark.Config{
		Template: template, Seed: time.Now().String(), CPUProfile: c.CPUProfile,
		Progress: func(phase, target string, pass int) {
			line.show(fmt.Sprintf("%s, %s, pass %d", phase, target, pass+1), 0, "")
		},
	}, targets)
	line.end()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(r)
	}
	return r.Write(os.Stdout, c.Markdown)
}

// start starts and names the servers. What was started is returned with an error too.
func (c *benchTargets) start(ctx context.Context) (list []*benchmark.Target, err error) {
	if len(c.PID) > 0 && len(c.PID) != len(c.URL) {
		return nil, fmt.Errorf("%d --pid for %d --url: one for each is needed", len(c.PID), len(c.URL))
	}
	nodes := c.Node
	if len(nodes) == 0 && len(c.URL) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		nodes = []string{self}
	}
	for i, program := range nodes {
		name := "this node"
		if i > 0 {
			name = fmt.Sprintf("node %d", i+1)
		}
		t, err := benchmark.StartNode(ctx, name, program, c.Dir, c.CPUProfile != "" && i == 0)
		if err != nil {
			return list, err
		}
		list = append(list, t)
	}
	for i, root := range c.URL {
		pid := 0
		if len(c.PID) > 0 {
			pid = c.PID[i]
		}
		t, err := benchmark.At(root, root, pid)
		if err != nil {
			return list, err
		}
		if c.Token != "" {
			t.Header = http.Header{"Authorization": {"Bearer " + c.Token}}
		}
		list = append(list, t)
	}
	orthanc := c.Orthanc
	if orthanc == "" && c.AgainstOrthanc {
		if orthanc, err = exec.LookPath("Orthanc"); err != nil {
			return list, fmt.Errorf("Orthanc is not installed (Debian: orthanc, orthanc-dicomweb): %w", err)
		}
	}
	if orthanc != "" {
		t, err := benchmark.StartOrthanc(ctx, orthanc, c.OrthancPlugin, c.Dir)
		if err != nil {
			return list, err
		}
		list = append(list, t)
	}
	return list, nil
}
