//go:build !openjpeg

package pixel_test

import (
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/pixel"
)

// TestJPEG2000WithoutDecoder: the error says how to get one.
func TestJPEG2000WithoutDecoder(t *testing.T) {
	l := pixel.Layout{Rows: 2, Columns: 2, SamplesPerPixel: 1, BitsAllocated: 16, BitsStored: 12, HighBit: 11}
	for syntax, name := range map[string]string{"1.2.840.10008.1.2.4.90": "JPEG 2000", "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000"} {
		_, err := pixel.Native(l, syntax, []byte{1, 2})
		if dicomweb.KindOf(err) != dicomweb.UnsupportedMedia || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "tag openjpeg") {
			t.Errorf("%s: got %v", syntax, err)
		}
	}
}
