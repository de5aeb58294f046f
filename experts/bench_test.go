package experts_test

import (
	"testing"

	"mome/experts"
	"mome/experts/lesion"
	"mome/fixtures/phantom"
)

// BenchmarkExperts lets all experts read a small study with its candidates.
func BenchmarkExperts(b *testing.B) {
	e := examine(b, phantom.Config{Seed: 3})
	lesions, _, err := lesion.Detect(b.Context(), e.volumes, e.breasts, lesion.Config{})
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range experts.Modalities {
		b.Run(string(m), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(4 * e.volumes.DCE[0].Volume.Len() * len(e.volumes.DCE)))
			for b.Loop() {
				read(b, m, e, lesions)
			}
		})
	}
}
