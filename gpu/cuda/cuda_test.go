package cuda_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mome/gpu"
	"mome/gpu/cuda"
	"mome/gpu/kernel"
)

// What is embedded must be what the sources say, in every build.
func TestKernelsAreCompiledFromTheirSources(t *testing.T) {
	const remedy = `run "go generate ./gpu/cuda" (needs nvcc of CUDA 11.8 or later)`
	hash, err := os.ReadFile("kernels/SOURCES")
	if err != nil {
		t.Fatalf("%v: %s", err, remedy)
	}
	if got, want := strings.TrimSpace(string(hash)), kernel.SourceHash(); got != want {
		t.Errorf("gpu/cuda/kernels was compiled from sources with hash %s, gpu/kernel has %s: %s", got, want, remedy)
	}
	sources, err := fs.Glob(kernel.Sources, "*.cu")
	if err != nil {
		t.Fatal(err)
	}
	binaries, err := filepath.Glob("kernels/*.fatbin")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, b := range binaries {
		got = append(got, strings.TrimSuffix(filepath.Base(b), ".fatbin"))
	}
	for _, s := range sources {
		want = append(want, strings.TrimSuffix(s, ".cu"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("compiled are %v, sources are %v: %s", got, want, remedy)
	}
}

func TestOpenRefusesOtherNames(t *testing.T) {
	for _, name := range []string{"", "gpu", "cuda0", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2"} {
		if _, err := cuda.Open(name); err == nil || !strings.Contains(err.Error(), "want cuda") || errors.Is(err, gpu.ErrNoDevice) {
			t.Errorf("open %q: %v, want an error that says which names there are", name, err)
		}
	}
}

func TestChoose(t *testing.T) {
	old := cuda.Info{Name: "cuda:9", Model: "Old", Major: 7, Minor: 5}
	old.Err = old.Capable()
	device := func(name string, free int64) cuda.Info { return cuda.Info{Name: name, Major: 9, Free: free} }
	broken := device("cuda:3", 1000)
	broken.Err = cuda.ErrLost
	for _, c := range []struct {
		name    string
		devices []cuda.Info
		want    string
	}{
		{"most free memory", []cuda.Info{device("cuda:0", 10), device("cuda:1", 30), device("cuda:2", 20)}, "cuda:1"},
		{"the first of equals", []cuda.Info{device("cuda:0", 10), device("cuda:1", 10)}, "cuda:0"},
		{"only what works", []cuda.Info{old, device("cuda:0", 10), broken}, "cuda:0"},
	} {
		if got, err := cuda.Choose(c.devices); err != nil || got.Name != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got.Name, err, c.want)
		}
	}
	if _, err := cuda.Choose(nil); !errors.Is(err, gpu.ErrNoDevice) {
		t.Errorf("no devices: %v, want ErrNoDevice", err)
	}
	if _, err := cuda.Choose([]cuda.Info{old}); !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), "7.5") {
		t.Errorf("an old device: %v, want ErrNoDevice and its compute capability", err)
	}
	if _, err := cuda.Choose([]cuda.Info{broken}); !errors.Is(err, gpu.ErrNoDevice) || !errors.Is(err, cuda.ErrLost) {
		t.Errorf("a broken device: %v, want ErrNoDevice and the reason", err)
	}
}
