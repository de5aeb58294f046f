//go:build ignore

// Generate compiles the kernels of gpu/kernel with nvcc, one fat binary each, with the hash of their sources beside them, into the
// folder kernels, where "go generate ./gpu/cuda" runs it, or into another that it is given.
package main

import (
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"mome/gpu/kernel"
)

// flags of nvcc: machine code for A100 and H100 and their kin, PTX for what comes after them, all of it compressed.
var flags = []string{
	"-std=c++17", "-O3", "--expt-relaxed-constexpr", "-fatbin", "-Xfatbin", "-compress-all",
	"-gencode", "arch=compute_80,code=sm_80", "-gencode", "arch=compute_90,code=sm_90", "-gencode", "arch=compute_80,code=compute_80",
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("generate: ")
	folder := "kernels"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := generate(folder); err != nil {
		log.Fatal(err)
	}
}

func generate(folder string) error {
	sources, err := os.MkdirTemp("", "kernels")
	if err != nil {
		return err
	}
	defer os.RemoveAll(sources)
	if err := os.CopyFS(sources, kernel.Sources); err != nil {
		return err
	}
	units, err := fs.Glob(kernel.Sources, "*.cu")
	if err != nil {
		return err
	}
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	failures := make([]error, len(units))
	var wait sync.WaitGroup
	for i, u := range units {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			failures[i] = compile(sources, u)
		})
	}
	wait.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return replace(folder, sources, units)
}

func compile(folder, unit string) error {
	c := exec.Command("nvcc", append(flags, "-o", unit+".fatbin", unit)...)
	c.Dir = folder
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("nvcc %s: %w\n%s", unit, err, out)
	}
	if len(out) > 0 {
		log.Printf("nvcc %s:\n%s", unit, out) // warnings
	}
	return nil
}

// replace puts the fat binaries of all units in the place of those that were in the folder.
func replace(folder, from string, units []string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for _, u := range units {
		data, err := os.ReadFile(filepath.Join(from, u+".fatbin"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, strings.TrimSuffix(u, ".cu")+".fatbin"), data, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "SOURCES"), []byte(kernel.SourceHash()+"\n"), 0o644)
}
