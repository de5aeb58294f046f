package emulator

import (
	"errors"
	"testing"
)

// Start opens an emulator for a test and closes it behind it. Where there is no compiler the test is skipped.
func Start(t testing.TB, o Options) *Device {
	t.Helper()
	d, err := Open(o)
	if errors.Is(err, ErrNoCompiler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
