package report_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mome/dicomweb/dicom/tag"
)

// files writes the objects of each outcome into a folder and returns their paths by outcome.
func files(t *testing.T) map[string][]string {
	t.Helper()
	dir, out := t.TempDir(), map[string][]string{}
	for _, c := range outcomes {
		o := mustBuild(t, c.make(), source())
		for _, d := range o.InOrder() {
			path := filepath.Join(dir, c.name+"-"+d.String(tag.Modality)+".dcm")
			if err := os.WriteFile(path, written(t, d), 0o600); err != nil {
				t.Fatal(err)
			}
			out[c.name] = append(out[c.name], path)
		}
	}
	return out
}

// program returns the path of a program, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: the check of the results by it is left out", name)
	}
	return path
}

// harmless are messages about things that are as they should be.
var harmless = regexp.MustCompile(`Warning - .*(DeviceUID|CodingSchemeUID|99BRMOME)`)

func TestDciodvfy(t *testing.T) {
	program(t, "dciodvfy")
	for name, paths := range files(t) {
		for _, path := range paths {
			out, _ := exec.Command("dciodvfy", "-new", path).CombinedOutput()
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "Error") || strings.Contains(line, "Warning") && !harmless.MatchString(line) {
					t.Errorf("%s %s: %s", name, filepath.Base(path), line)
				}
			}
		}
	}
}
