//go:build gpu

package cuda_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mome/gpu"
	"mome/gpu/cuda"
)

// Wherever the program starts, it says why there is no device instead of ending.
func TestWithoutADevice(t *testing.T) {
	if want := os.Getenv("WANT_REASON"); want != "" {
		lookForDevices(t, want)
		return
	}
	noLibrary := t.TempDir()
	if err := os.WriteFile(filepath.Join(noLibrary, "libcuda.so.1"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	old := t.TempDir() // knows two calls
	build := exec.Command("gcc", "-shared", "-fPIC", "-o", filepath.Join(old, "libcuda.so.1"), "-x", "c", "-")
	build.Stdin = strings.NewReader("int cuInit(unsigned f) { return 0; } int cuDeviceGetCount(int *n) { return *n = 1, 0; }")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fake := os.Getenv(fakeFolder)
	for _, c := range []struct{ name, libraries, setting, want string }{
		{"no driver", noLibrary, "", "no driver found"},
		{"old driver", old, "", "too old: CUDA 11.4"},
		{"driver that does not start", fake, "FAKE_FAIL=cuInit=804", "the driver does not start: error 804"},
		{"driver without devices", fake, "FAKE_DEVICES=0", "the driver has no devices"},
	} {
		t.Run(c.name, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestWithoutADevice$", "-test.v")
			child.Env = append(os.Environ(), "LD_LIBRARY_PATH="+c.libraries, "WANT_REASON="+c.want, c.setting)
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestWithoutADevice") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func lookForDevices(t *testing.T, want string) {
	all, err := cuda.Devices()
	if len(all) > 0 || err != nil && !errors.Is(err, gpu.ErrNoDevice) {
		t.Errorf("devices %v, %v, want none", all, err)
	}
	for _, name := range []string{"cuda", "cuda:0"} {
		_, err := cuda.Open(name)
		if name == "cuda:0" && strings.Contains(want, "no devices") {
			want = "has 0 devices"
		}
		if !errors.Is(err, gpu.ErrNoDevice) || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: %v, want ErrNoDevice with %q", name, err, want)
		}
	}
}
