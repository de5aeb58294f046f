package series

import (
	"fmt"
	"math"

	"mome/experts"
	"mome/experts/volume"
)

// sorter chooses among the candidates for each role, the dynamic series first: the others are measured against it.
type sorter struct {
	Result
	dynamic   *volume.Plane // of the dynamic series, nil if there is none
	dynamicS  float64       // when the dynamic series began, NaN if unknown
	first     *Frame        // with which the dynamic series must begin, nil: any
	other     *dynamic      // that of the other breast, nil if there is none
	diffusion *volume.Grid  // of the diffusion series, nil if there is none
}

// single is a candidate for a role that one stack fills.
type single struct {
	part   *part
	images []image // one for each place, ascending
	setting
}

// setting is how a candidate's volume lies.
type setting struct {
	grid      volume.Grid
	gridErr   error
	sameSpace bool // it shares the frame of reference of the dynamic series
	parallel  bool // it has the orientation of the dynamic series, or is transverse where there is none
	sameExam  bool // it began within examS of the dynamic series, as far as times tell
	likeDWI   bool // it has the grid of the diffusion series
}

func (s *sorter) settingOf(of *part, images []image) setting {
	p := &images[0].plane
	g, err := gridOf(images)
	out := setting{grid: g, gridErr: err, sameSpace: true, sameExam: true, parallel: math.Abs(p.Normal()[2]) > 0.9}
	if s.dynamic != nil {
		out.sameSpace = p.FrameOfReference == s.dynamic.FrameOfReference
		out.parallel = math.Abs(p.Normal().Dot(s.dynamic.Normal())) > 0.9
		out.sameExam = !(math.Abs(of.beganS()-s.dynamicS) > examS)
	}
	out.likeDWI = s.diffusion == nil || err == nil && g.Same(s.diffusion)
	return out
}

// fineness grows as voxels shrink, in steps of 10 %.
func (s *setting) fineness() float64 { return -math.Round(10 * math.Log(s.grid.VoxelMM3()+1e-6)) }

var t2Preferences = []preference[*single]{
	{"its slices make a regular volume", func(s *single) float64 { return truth(s.gridErr == nil) }},
	{"it was acquired in the exam of the dynamic series", func(s *single) float64 { return truth(s.sameExam) }},
	{"it shares the frame of reference of the dynamic series", func(s *single) float64 { return truth(s.sameSpace) }},
	{"its planes are parallel to the dynamic series'", func(s *single) float64 { return truth(s.parallel) }},
	{"it has the slices of a full volume", func(s *single) float64 { return truth(len(s.images) >= 10) }},
	{"its images are not derived ones", func(s *single) float64 { return truth(!s.images[0].derived()) }},
	{"its attributes are surer", func(s *single) float64 { return math.Round(5 * s.part.confidence) }},
	{"it holds the water images", func(s *single) float64 { return dixonRank(s.images[0].kind, s.part.description()) }},
	{"fat is suppressed in it", func(s *single) float64 { return truth(s.part.fatSuppressed()) }},
	{"its voxels are finer", func(s *single) float64 { return s.fineness() }},
	{"it covers more slices", func(s *single) float64 { return float64(len(s.images)) }},
	{"it comes first", func(s *single) float64 { return -float64(s.part.series.number) }},
}

var adcPreferences = []preference[*single]{
	{"its slices make a regular volume", func(s *single) float64 { return truth(s.gridErr == nil) }},
	{"it has the grid of the diffusion series", func(s *single) float64 { return truth(s.likeDWI) }},
	{"it was acquired in the exam of the dynamic series", func(s *single) float64 { return truth(s.sameExam) }},
	{"it shares the frame of reference of the dynamic series", func(s *single) float64 { return truth(s.sameSpace) }},
	{"its planes are parallel to the dynamic series'", func(s *single) float64 { return truth(s.parallel) }},
	{"its attributes are surer", func(s *single) float64 { return math.Round(5 * s.part.confidence) }},
	{"its voxels are finer", func(s *single) float64 { return s.fineness() }},
	{"it covers more slices", func(s *single) float64 { return float64(len(s.images)) }},
	{"it comes first", func(s *single) float64 { return -float64(s.part.series.number) }},
}

// fatSuppressed reports whether attributes or, where they are silent, the description tell of suppressed fat.
func (p *part) fatSuppressed() bool {
	s := &p.images[0].sequence
	return s.fatSuppressed || s.inversion || p.images[0].kind == kindWater ||
		has(words(p.description()), "fs", "fatsat", "fat", "spair", "spir", "tirm", "stir*", "fatsup*", "water", "dixon", "ideal", "sfs")
}

// chooseOne takes the best of the parts of one contrast as the stack of a role; nil if there is none.
func (s *sorter) chooseOne(parts []*part, contrast, role experts.Role, grounds []preference[*single]) *Stack {
	var all []*single
	var best *single
	for _, p := range parts {
		if !p.candidate(contrast) {
			continue
		}
		moments, _, err := split(p)
		if err != nil {
			p.verdict = verdict{experts.RoleUncertain, "stack unclear", p.reason + " But there are " + err.Error() + ".", 0.2}
			continue
		}
		c := &single{part: p, images: moments[0].images, setting: s.settingOf(p, moments[0].images)}
		if len(moments) > 1 {
			p.reason += fmt.Sprintf(" The slices are there %d times; the first were taken.", len(moments))
		}
		all = append(all, c)
		if best == nil {
			best = c
		} else if better, _ := compare(grounds, c, best); better > 0 {
			best = c
		}
	}
	for _, c := range all {
		p := c.part
		p.role = role
		if c != best {
			_, why := compare(grounds, best, c)
			p.detail = "not used"
			p.reason += fmt.Sprintf(" Series %d was taken because %s.", best.part.series.number, why)
			p.confidence *= 0.9
		}
	}
	if best == nil {
		return nil
	}
	stack := stackOf(best.images)
	best.part.used = true
	best.part.stacks = append(best.part.stacks, stack)
	best.part.detail = fmt.Sprintf("%d slices", len(stack.Slices))
	if role == experts.RoleT2 && best.part.fatSuppressed() {
		best.part.detail += ", fat-suppressed"
	}
	if !best.sameExam {
		s.Notes = append(s.Notes, fmt.Sprintf("the %s series was acquired more than %d minutes from the dynamic series", role, examS/60))
	}
	if !best.sameSpace {
		s.Notes = append(s.Notes, fmt.Sprintf("the %s series has another frame of reference than the dynamic series: their alignment is not assured", role))
	}
	return &stack
}

// stackOf makes a stack of one image for each slice.
func stackOf(images []image) Stack {
	out := Stack{SeriesUID: images[0].series}
	for i := range images {
		out.Slices = append(out.Slices, []Frame{images[i].Frame})
	}
	return out
}
