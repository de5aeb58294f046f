package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mome/server/viewer"
)

// viewerCommand has the commands that install OHIF for the node to serve.
type viewerCommand struct {
	Install viewerInstallCommand `cmd:"" help:"Fetch OHIF from npm, check it, and put it where the node serves it."`
	Status  viewerStatusCommand  `cmd:"" help:"Tell which viewer is installed."`
	Remove  viewerRemoveCommand  `cmd:"" help:"Remove the installed viewer."`
}

// viewerFolder says where the viewer is.
type viewerFolder struct {
	Data string `default:"data" type:"path" help:"Folder of the node's archive; the viewer is in its folder viewer."`
}

func (f viewerFolder) dir() string { return viewerDir(f.Data) }

// viewerDir is where a node over the archive in data has its viewer.
func viewerDir(data string) string { return filepath.Join(data, "viewer") }

// viewer returns which viewer the node serves and links to.
func (f nodeFlags) viewer() viewer.Config {
	c := viewer.Config{Dir: f.ViewerDir, URL: f.ViewerURL}
	switch {
	case !f.Viewer:
		c.Dir = ""
	case c.Dir == "":
		c.Dir = viewerDir(f.Data)
	}
	return c
}

type viewerInstallCommand struct {
	viewerFolder
	From      string `type:"existingfile" placeholder:"FILE.tgz" help:"Take this file, as \"npm pack\" made it elsewhere, instead of fetching."`
	Release   string `placeholder:"X.Y.Z" default:"${ohif}" help:"Version to fetch (default ${ohif}, which the node was tried with)."`
	Integrity string `env:"-" placeholder:"sha512-..." help:"Digest that the package must have; needed for a version other than ${ohif}."`
}

// Help is the longer text of "server viewer install --help".
func (viewerInstallCommand) Help() string {
	return fmt.Sprintf(`Installs the viewer OHIF (MIT licence, https://ohif.org), which is no part of this node, from its npm package %s, and the node
serves it at /viewer, at once if it runs. The package is fetched by the npm on your PATH, or comes from a file:

  npm pack %s@%s          on a machine that reaches the registry
  server viewer install --from ohif-app-%s.tgz

It is unpacked only if its SHA-512 is the known one. Source maps and the ONNX runtime, whose only use is a tool that loads
its model from the internet, are left out.`, viewer.Package, viewer.Package, viewer.Version, viewer.Version)
}

// Run fetches, checks and installs.
func (c *viewerInstallCommand) Run(ctx context.Context) error {
	file := c.From
	if file == "" {
		temporary, err := os.MkdirTemp("", "mome-viewer-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		if file, err = viewer.Pack(ctx, c.Release, temporary); err != nil {
			return err
		}
	}
	in, err := viewer.Install(ctx, c.dir(), file, c.Integrity)
	if err != nil {
		return err
	}
	fmt.Println(describeViewer(in, c.dir()))
	return nil
}

type viewerStatusCommand struct{ viewerFolder }

// Run tells what is installed.
func (c *viewerStatusCommand) Run() error {
	list, err := viewer.Status(c.dir())
	if err != nil {
		return err
	}
	for _, in := range list {
		fmt.Println(describeViewer(in, c.dir()))
	}
	if len(list) == 0 {
		fmt.Printf("no viewer is installed in %s (server viewer install)\n", c.dir())
	}
	return nil
}

type viewerRemoveCommand struct{ viewerFolder }

// Run removes it.
func (c *viewerRemoveCommand) Run() error { return viewer.Remove(c.dir()) }

func describeViewer(in viewer.Installed, dir string) string {
	return fmt.Sprintf("%s %s (%s), %d files, %.1f MB, in %s\n%s", in.Package, in.Version, in.Licence, in.Files,
		float64(in.Bytes)/1e6, filepath.Join(dir, in.Version), in.Integrity)
}
