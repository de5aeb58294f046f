package training

import (
	"context"
	"errors"
	"fmt"
	"math"

	"mome/experts"
	"mome/experts/volume"
	"mome/fixtures/phantom"
	"mome/fusion"
	"mome/fusion/explain"
	"mome/fusion/train/measure"
	"mome/server/analysis"
)

// Pointing is how often an explanation points at a lesion (the pointing game, Zhang et al., "Top-down Neural Attention by
// Excitation Backprop", arXiv 1608.00507): the peak of the heat map of the finding with the highest probability lies on a
// planted lesion, or within ToleranceMM of it. A study in which nothing was found is a miss, and so is a map without a
// peak.
type Pointing struct {
	Studies int // with a planted lesion that a dynamic series can show
	Without int // of those, without a finding
	Hits    int
	// What chance would hit, as the expected share of studies: a point drawn evenly from the box that the finding was cut
	// to, and a voxel drawn evenly from those in that box that enhance by EnhancingPct.
	RandomPoint, RandomEnhancing float64
}

// Settings of the pointing game.
const (
	ToleranceMM  = 3.0
	EnhancingPct = 70 // of the early phase: the least that counts as tumour in the functional tumour volume (UCSF, I-SPY)
)

// Share is the part of the studies that were hit, with its 95 % interval; see measure.Wilson. NaN without studies.
func (p *Pointing) Share() (share, low, high float64) {
	if p.Studies == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	share = float64(p.Hits) / float64(p.Studies)
	interval := measure.Wilson(share, p.Studies)
	return share, interval.Low, interval.High
}

// Point plays the pointing game on phantoms. Each is read anew, since the cache has candidates only.
func (p *Preparer) Point(ctx context.Context, model *fusion.Model, configs []phantom.Config, progress func(done, total int)) (Pointing, error) {
	var out Pointing
	if p.whole() {
		return out, errors.New("explain: the weights read whole examinations, there is no finding to explain")
	}
	explainer, err := explain.New(model)
	if err != nil {
		return out, err
	}
	for n, cfg := range configs {
		study, r, err := p.analyse(ctx, cfg)
		if err != nil {
			return out, fmt.Errorf("phantom %d: %w", cfg.Seed, err)
		}
		if err := p.point(ctx, &out, explainer, model, study, r); err != nil {
			return out, fmt.Errorf("phantom %d: %w", cfg.Seed, err)
		}
		progress(n+1, len(configs))
	}
	if out.Studies > 0 {
		out.RandomPoint /= float64(out.Studies)
		out.RandomEnhancing /= float64(out.Studies)
	}
	return out, nil
}

// point adds one study; the shares are sums until the end.
func (p *Preparer) point(ctx context.Context, out *Pointing, explainer *explain.Explainer, model *fusion.Model, study *phantom.Study, r *analysis.Reading) error {
	target, any := around(study, &r.Assessment.Grid)
	if !any {
		return nil
	}
	out.Studies++
	var best *experts.Lesion
	var input fusion.Input
	highest := math.Inf(-1)
	for _, l := range r.Lesions {
		in, err := fusion.Crop(p.cfg.Boxes, r.Channels(), l.CentreMM)
		if err != nil {
			return err
		}
		probability, err := model.Probability(ctx, in)
		if err != nil {
			return err
		}
		if probability > highest {
			best, input, highest = l, in, probability
		}
	}
	if best == nil {
		out.Without++
		return nil
	}
	e, err := explainer.Explain(ctx, input)
	if err != nil {
		return err
	}
	heat, err := e.Heatmap(best.CentreMM, target.Grid)
	if err != nil {
		return err
	}
	if i, j, k, _, ok := explain.Peak(heat); ok && target.Data[target.Index(i, j, k)] {
		out.Hits++
	}
	point, enhancing := p.chance(target, r, best.CentreMM)
	out.RandomPoint += point
	out.RandomEnhancing += enhancing
	return nil
}

// around is what lies on a planted lesion or within ToleranceMM of its voxels. Cysts are none: they do not enhance.
func around(study *phantom.Study, grid *volume.Grid) (target *volume.Mask, any bool) {
	target = volume.NewMask(*grid)
	var reach [3]int
	for a := range reach {
		reach[a] = int(ToleranceMM / grid.SpacingMM[a])
	}
	for at, label := range planted(study, grid) {
		if label == 0 || study.Truth.Lesions[label-1].Kind == phantom.Cyst {
			continue
		}
		any = true
		i, j, k := grid.Voxel(at)
		for dk := -reach[2]; dk <= reach[2]; dk++ {
			for dj := -reach[1]; dj <= reach[1]; dj++ {
				for di := -reach[0]; di <= reach[0]; di++ {
					far := volume.Vec{float64(di) * grid.SpacingMM[0], float64(dj) * grid.SpacingMM[1], float64(dk) * grid.SpacingMM[2]}
					if grid.Contains(i+di, j+dj, k+dk) && far.Norm() <= ToleranceMM {
						target.Data[grid.Index(i+di, j+dj, k+dk)] = true
					}
				}
			}
		}
	}
	return target, any
}

// chance is the part of the box's voxels that lies on the target, and of those that enhance.
func (p *Preparer) chance(target *volume.Mask, r *analysis.Reading, centreMM volume.Vec) (point, enhancing float64) {
	var early *volume.Volume
	for _, o := range r.Opinions {
		if o.Modality == experts.DCE {
			early = o.Maps["PE_early"]
		}
	}
	box := fusion.BoxGrid(p.cfg.Boxes.DCE, centreMM, target.FrameOfReference)
	var inside, hit, bright, brightHit int
	for at, on := range target.Data {
		i, j, k := target.Voxel(at)
		place := target.Point(float64(i), float64(j), float64(k))
		x, y, z := box.At(place)
		if x < -0.5 || y < -0.5 || z < -0.5 || x > float64(box.Size[0])-0.5 || y > float64(box.Size[1])-0.5 || z > float64(box.Size[2])-0.5 {
			continue
		}
		shines := early != nil && early.Sample(early.At(place)) >= EnhancingPct
		inside++
		if shines {
			bright++
		}
		if on {
			hit++
			if shines {
				brightHit++
			}
		}
	}
	if inside > 0 {
		point = float64(hit) / float64(inside)
	}
	if bright > 0 {
		enhancing = float64(brightHit) / float64(bright)
	}
	return point, enhancing
}
