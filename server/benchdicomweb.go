package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"mome/dicomweb/dicom"
	"mome/fixtures/phantom"
	"mome/server/benchmark"
)

type benchDICOMwebCommand struct {
	Node           []string `sep:"none" type:"existingfile" placeholder:"FILE" help:"Start this build of the node; may be repeated, to hold builds against each other. Default: this program, unless --url says where a server runs."`
	URL            []string `name:"url" sep:"none" placeholder:"URL" help:"Root of a DICOMweb server that runs; may be repeated. It keeps what is stored."`
	PID            []int    `name:"pid" help:"Process of each --url, where it runs on this machine: without it there is no CPU time."`
	AgainstOrthanc bool     `help:"Start Debian's Orthanc with its DICOMweb plug-in too, and print it beside."`
	Orthanc        string   `placeholder:"FILE" help:"Start this Orthanc too."`
	OrthancPlugin  string   `placeholder:"FILE" help:"DICOMweb plug-in of --orthanc, if not the one that Debian installs."`
	Slices         int      `default:"150" help:"Instances of each of eight series: four of 512x512 pixels, four of 256x256."`
	Studies        int      `default:"300" help:"Further small studies, for queries."`
	Clients        []int    `default:"4,16" help:"Clients at once, of each pass after the first."`
	Dir            string   `type:"existingdir" placeholder:"DIR" help:"Where archives are made; removed at the end. Default: the system's folder for temporary files."`
	CPUProfile     string   `name:"cpuprofile" type:"path" placeholder:"DIR" help:"Write a CPU profile of the first --node for each phase, for go tool pprof."`
	JSON           bool     `name:"json" help:"Print JSON."`
	Markdown       bool     `help:"Print tables in Markdown."`
}

// Help is the longer text of "server bench dicomweb --help".
func (benchDICOMwebCommand) Help() string {
	return `Stores synthetic MR studies over the network and asks for them as viewers do, phase by phase, of all servers in turn. CPU time is
that of the server's process, user and system, all cores together, and says more than wall time on a machine that does other things
too. First is the first time that something is asked, right after it was stored; second is once more. Answers of the first
pass are held against what was stored, byte for byte.

Examples:
    server bench dicomweb --against-orthanc
    server bench dicomweb --node ./old --node ./new --slices 20
    server bench dicomweb --url http://127.0.0.1:8042/dicom-web --pid 1234`
}

// Run measures.
func (c *benchDICOMwebCommand) Run(ctx context.Context) (err error) {
	template, err := benchTemplate()
	if err != nil {
		return err
	}
	targets, err := c.targets(ctx)
	defer func() {
		for _, t := range targets {
			err = errors.Join(err, t.Close())
		}
	}()
	if err != nil {
		return err
	}
	line := newProgressLine(os.Stderr)
	r, err := benchmark.Run(ctx, benchmark.Config{
		Template: template, Slices: c.Slices, Small: c.Studies, Seed: time.Now().String(), Clients: c.Clients, CPUProfile: c.CPUProfile,
		Progress: func(phase, target string, pass int) {
			line.show(fmt.Sprintf("%s, %s, pass %d", phase, target, pass+1), 0, "")
		},
	}, targets...)
	line.end()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(r)
	}
	return r.Write(os.Stdout, c.Markdown)
}

// targets starts and names the servers. What was started is returned with an error too.
func (c *benchDICOMwebCommand) targets(ctx context.Context) (list []*benchmark.Target, err error) {
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

// benchTemplate is the header of a phantom's image, as a scanner sends it.
func benchTemplate() (*dicom.Dataset, error) {
	s, err := phantom.New(phantom.Config{Seed: 1, Resolution: phantom.Tiny, Phases: 2, Without: []string{"T2", "DWI"}})
	if err != nil {
		return nil, err
	}
	for _, d := range s.Instances() {
		return d, nil
	}
	return nil, errors.New("the phantom has no image")
}
