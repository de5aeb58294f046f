package launch

import (
	"mome/gpu/kernel"
	"mome/gpu/op"
)

// levels are Level and its gradient.
func levels(k op.Kernel, _ op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.LevelKernel:
		return level("level", k.LevelShape, In(0, 0), In(0, 0)), true
	case op.LevelGradKernel:
		return level("level_grad", k.LevelShape, In(1, 0), In(0, 0), In(1, 0)), true
	}
	return List{}, false
}

// level sums up the relative channels of x and has the kernel called name, which reads from, make the output of them; then it
// puts a window over the absolute channels of the kernel's first input.
func level(name string, s kernel.LevelShape, x Param, from ...Param) List {
	var l List
	voxels := s.Size[0] * s.Size[1] * s.Size[2]
	relative := (s.Channels - s.Absolute) * voxels
	if relative > 0 {
		count, length := chunked(1, relative)
		l.Workspace = 4 * count
		last := append(append([]Param{Out(0)}, from...), Space(0), Int(count), Int(relative), Int(length))
		l.Steps = append(l.Steps,
			chunks("level_sums", count, Space(0), x, from[0], Int(relative), Int(length)),
			chunks(name, count, last...))
	}
	if s.Absolute > 0 {
		rows := s.Absolute * s.Size[0] * s.Size[1]
		params := []Param{Out(relative), {Buffer: from[0].Buffer, Offset: relative}, Int(rows)}
		for _, n := range s.Size {
			params = append(params, Int(n))
		}
		for _, step := range s.Step {
			params = append(params, Float(step/s.Sigma))
		}
		l.Steps = append(l.Steps,
			Step{Kernel: "level_window", Grid: [3]int{blocks(rows, 8), 1, 1}, Block: [3]int{32, 8, 1}, Params: params})
	}
	return l
}
