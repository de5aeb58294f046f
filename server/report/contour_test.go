package report

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// drawnSection reads a section from lines of '#' and '.'.
func drawnSection(lines ...string) ([]bool, int) {
	var section []bool
	for _, r := range strings.Join(lines, "") {
		section = append(section, r == '#')
	}
	return section, len(lines[0])
}

func TestContour(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  []float32
		area  float64
	}{
		{"one pixel", []string{"...", ".#.", "..."}, []float32{2, 1, 2, 2, 1, 2, 1, 1, 2, 1}, 1},
		{"the whole image", []string{"##", "##"}, []float32{2, 0, 2, 2, 0, 2, 0, 0, 2, 0}, 4},
		{"an L", []string{"#.", "##"}, []float32{1, 0, 1, 1, 2, 1, 2, 2, 0, 2, 0, 0, 1, 0}, 3},
		{"a ring's hole counts", []string{"###", "#.#", "###"}, []float32{3, 0, 3, 3, 0, 3, 0, 0, 3, 0}, 9},
		{"the larger of two that touch at a corner", []string{"#..", ".##"}, []float32{3, 1, 3, 2, 1, 2, 1, 1, 3, 1}, 2},
		{"not joined over the edge of the image", []string{"..#", "#.#"}, []float32{3, 0, 3, 2, 2, 2, 2, 0, 3, 0}, 2},
		{"nothing", []string{"..", ".."}, nil, 0},
	} {
		section, columns := drawnSection(c.lines...)
		if got, area := contour(section, columns); !slices.Equal(got, c.want) || area != c.area {
			t.Errorf("%s: %v of %v pixels, want %v of %v", c.name, got, area, c.want, c.area)
		}
	}
}

// TestContourEncloses: filling the outline by the even-odd rule gives back the piece, its holes filled.
func TestContourEncloses(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const columns, rows = 13, 9
	for range 200 {
		section := make([]bool, columns*rows)
		for i := range section {
			section[i] = random.IntN(10) < 6
		}
		points, area := contour(section, columns)
		filled := 0
		for at := range section {
			x, y := float32(at%columns)+0.5, float32(at/columns)+0.5
			inside := false
			for n := 0; n+3 < len(points); n += 2 { // edges that run north or south, right of the pixel's centre
				x1, y1, y2 := points[n], points[n+1], points[n+3]
				if x1 == points[n+2] && x1 > x && (y1 > y) != (y2 > y) {
					inside = !inside
				}
			}
			if inside {
				filled++
			}
		}
		if float64(filled) != area {
			t.Fatalf("the outline encloses %d pixels, its area is %v: %v", filled, area, points)
		}
		piece := largestPiece(section, columns)
		if x, y := float32(piece%columns), float32(piece/columns); !slices.Contains(points, x) || !slices.Contains(points, y) {
			t.Fatalf("the outline does not pass the first pixel of the piece")
		}
	}
}
