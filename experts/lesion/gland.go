package lesion

import (
	"context"
	"math"

	"mome/experts/volume"
)

const (
	skinMM       = 3.0  // skin, left out, and a cell more, of the tissue that is clustered: 0.5 to 3 mm thick, more at the areola
	fromShellMM  = 5.0  // the layer under the skin from here, where no cell holds a part of the skin,
	shellMM      = 10.0 // to here is mostly fat,
	offWallMM    = 15.0 // unless the chest's muscles follow within this distance
	biasMM       = 25.0 // smoothness of the coil's sensitivity; gland varies faster
	leastGap     = 3.0  // distance of the two classes' means over their common deviation; a split single Gaussian has 2.65
	glandRounds  = 3    // of clustering and bias estimation; the threshold no longer moves then
	minGlandCM3  = 1.0
	minimumCells = 200 // cells below which no clustering is tried
)

// gland returns the fibroglandular tissue of a breast: the signal, freed of the coil's bias, is parted in two classes
// (Otsu), and fibroglandular is the class that is rarer under the skin, where fat lies. So the same rule serves images
// with fat suppression (gland bright) and without (gland dark). The result is nil with a sentence where the classes
// are not apart.
func (ch *chest) gland(ctx context.Context, pre *volume.Volume, area columns, breast *volume.Mask) (*volume.Mask, string, error) {
	cells, shell := ch.deepCells(area)
	if len(cells) < minimumCells {
		return nil, "too small to part fibroglandular tissue from fat.", nil
	}
	bias := make([]float64, len(cells)) // ln of the coil's sensitivity, relative
	value := make([]float64, len(cells))
	var threshold float64
	bright := true
	for range glandRounds {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		for n, at := range cells {
			value[n] = math.Log(max(float64(ch.value[at]), 1e-6)) - bias[n]
		}
		var ok bool
		if threshold, ok = split(value); !ok {
			return nil, "fibroglandular tissue could not be told from fat.", nil
		}
		var above, aboveShell, inShell float64
		for n, v := range value {
			if v > threshold {
				above++
			}
			if shell[n] {
				inShell++
				if v > threshold {
					aboveShell++
				}
			}
		}
		bright = inShell == 0 || aboveShell/inShell < above/float64(len(value))
		fat := func(n int) bool { return (value[n] > threshold) != bright }
		ch.sensitivity(cells, bias, fat)
	}
	threshold = middle(value, threshold)
	at := make(map[int]float64, len(cells))
	for n, cell := range cells {
		at[cell] = math.Exp(threshold + bias[n])
	}
	g := pre.Grid
	m := volume.NewMask(g)
	err := ch.each(ctx, area, func(index, x, y, z int, depthMM float64) {
		limit, deep := at[ch.at(x, y, z)]
		if !deep || !breast.Data[index] {
			return
		}
		i, j, k := g.Voxel(index)
		sum, n := 0.0, 0.0
		for dj := max(j-1, 0); dj <= min(j+1, g.Size[1]-1); dj++ { // 3x3 in the slice: a third of the noise
			for di := max(i-1, 0); di <= min(i+1, g.Size[0]-1); di++ {
				sum += float64(pre.Data[g.Index(di, dj, k)])
				n++
			}
		}
		m.Data[index] = (sum/n > limit) == bright
	})
	if err != nil {
		return nil, "", err
	}
	if m.VolumeCM3() < minGlandCM3 {
		return nil, "hardly any fibroglandular tissue was found.", nil
	}
	return m, "", nil
}

// middle returns ln of the signal half way between the medians of two classes of ln signal: that of a voxel that is half gland
// and half fat. Otsu's threshold on logarithms lies lower, in suppressed fat by a third of the way.
func middle(values []float64, threshold float64) float64 {
	var low, high []float64
	for _, v := range values {
		if v > threshold {
			high = append(high, v)
		} else {
			low = append(low, v)
		}
	}
	if len(low) == 0 || len(high) == 0 {
		return threshold
	}
	return math.Log((math.Exp(median(low)) + math.Exp(median(high))) / 2)
}

// deepCells returns the cells of the area's breast below the skin, and which of them belong to the layer of fat.
func (ch *chest) deepCells(area columns) (cells []int, shell []bool) {
	// Depth runs from the middle of a cell to that of the first one outside: half of each is not the body's own tissue below
	// the skin, though half of a cell in skin is enough to be as bright as gland.
	half := (ch.cellMM[0] + ch.cellMM[1] + ch.cellMM[2]) / 3
	for z := range ch.size[2] {
		for x := range ch.size[0] {
			if !area.set[z*ch.size[0]+x] {
				continue
			}
			wall := ch.wallMM(float64(x), z)
			for y := range ch.size[1] {
				at := ch.at(x, y, z)
				toWall := wall - (float64(y)+0.5)*ch.cellMM[1]
				if toWall <= 0 {
					break
				}
				if d := float64(ch.depth[at]); d > skinMM+half {
					cells = append(cells, at)
					shell = append(shell, d > fromShellMM && d <= shellMM && toWall > offWallMM)
				}
			}
		}
	}
	return cells, shell
}

// split returns Otsu's threshold between two classes of values and whether they are apart.
func split(values []float64) (threshold float64, ok bool) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if !(high > low) {
		return 0, false
	}
	width := (high - low) / bins
	var n, s, q [bins + 1]float64 // cumulative count, sum, sum of squares
	var c0, c1, c2 [bins]float64
	for _, v := range values {
		b := min(int((v-low)/width), bins-1)
		c0[b], c1[b], c2[b] = c0[b]+1, c1[b]+v-low, c2[b]+(v-low)*(v-low)
	}
	for b := range bins {
		n[b+1], s[b+1], q[b+1] = n[b]+c0[b], s[b]+c1[b], q[b]+c2[b]
	}
	best, at := -1.0, 0
	for b := 1; b < bins; b++ {
		if n[b] == 0 || n[b] == n[bins] {
			continue
		}
		d := s[b]/n[b] - (s[bins]-s[b])/(n[bins]-n[b])
		if v := n[b] * (n[bins] - n[b]) * d * d; v > best {
			best, at = v, b
		}
	}
	if at == 0 {
		return 0, false
	}
	m1, m2 := s[at]/n[at], (s[bins]-s[at])/(n[bins]-n[at])
	within := (q[bins] - n[at]*m1*m1 - (n[bins]-n[at])*m2*m2) / n[bins]
	return low + float64(at)*width, (m2-m1)*(m2-m1) > leastGap*leastGap*within
}
