package fusion

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npy"

	"mome/experts/weights"
)

// oracle is the folder with a small checkpoint and what the published code computes with it; the test skips without it.
func oracle(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, "../shared/data/mome-small")
			if _, err := os.Stat(path); err != nil {
				t.Skipf("the published code's results are not at %s", path)
			}
			return path
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

func oracleWeights(t testing.TB, dir string) weights.Set {
	t.Helper()
	set, err := weights.Open(filepath.Join(dir, "model.th"))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"heads": "4", "box.dce": "6,64,48,32", "box.dwi": "1,48,32,16", "box.t2": "1,64,48,16",
	} {
		set.Metadata[key] = value
	}
	return set
}

// npyFile reads a NumPy file of float32, whatever its shape.
func npyFile(t testing.TB, path ...string) []float32 {
	t.Helper()
	f, err := os.Open(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return npyData(t, filepath.Join(path...), f)
}

func npyData(t testing.TB, name string, r io.Reader) []float32 {
	t.Helper()
	var data []float32
	if err := npy.Read(bufio.NewReaderSize(r, 1<<20), &data); err != nil { // the library reads number by number
		t.Fatalf("%s: %v", name, err)
	}
	return data
}

// sample is one of the n equal parts of an array over the batch.
func sample(data []float32, n, i int) []float32 {
	size := len(data) / n
	return data[i*size : (i+1)*size]
}

func oracleInputs(t testing.TB, dir string) [2]Input {
	var in [2]Input
	d := npyFile(t, dir, "dce.npy")
	w := npyFile(t, dir, "dwi.npy")
	z := npyFile(t, dir, "t2.npy")
	for i := range in {
		in[i] = Input{DCE: sample(d, 2, i), DWI: sample(w, 2, i), T2: sample(z, 2, i)}
	}
	return in
}

// table collects what was compared, for the log of a verbose run.
type table struct{ lines []string }

// add notes the largest difference of an item and fails the test where it is over the bound.
func (b *table) add(t *testing.T, item string, difference, bound float64) {
	t.Helper()
	b.lines = append(b.lines, fmt.Sprintf("%-28s %9.2g of %g", item, difference, bound))
	if !(difference <= bound) {
		t.Errorf("%s: largest difference %.2g, want at most %g", item, difference, bound)
	}
}

func (b *table) log(t *testing.T, title string) {
	t.Helper()
	t.Logf("%s\n%s", title, strings.Join(b.lines, "\n"))
}
