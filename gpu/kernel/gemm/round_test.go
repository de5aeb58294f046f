package gemm

import (
	"math"
	"testing"
)

func TestRound(t *testing.T) {
	for _, c := range []struct {
		name    string
		x, want uint32
	}{
		{"exact", 0x3f800000, 0x3f800000},
		{"below half", 0x3f807fff, 0x3f800000},
		{"half to even below", 0x3f808000, 0x3f800000},
		{"half to even above", 0x3f818000, 0x3f820000},
		{"above half", 0x3f808001, 0x3f810000},
		{"negative", 0xbf808001, 0xbf810000},
		{"overflow", 0x7f7fffff, 0x7f800000},
		{"infinity", 0xff800000, 0xff800000},
		{"subnormal", 0x00018001, 0x00020000},
	} {
		if got := rounded(c.x); got != c.want {
			t.Errorf("%s: %#x becomes %#x, want %#x", c.name, c.x, got, c.want)
		}
	}
	if got := rounded(0x7f800001); got != 0x7fc00000 {
		t.Errorf("a NaN becomes %#x", got)
	}
}

func rounded(bits uint32) uint32 {
	x := []float32{math.Float32frombits(bits)}
	Round(x)
	return math.Float32bits(x[0])
}
