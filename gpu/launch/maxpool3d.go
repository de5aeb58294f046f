package launch

import (
	"mome/gpu/kernel"
	"mome/gpu/op"
)

// pools are the maximum over windows and its gradient. Kernels count the voxels of one channel by 32 bits.
func pools(k op.Kernel, _ op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.MaxPool3dKernel:
		return one(pool("max_pool3d", k.PoolShape, k.OutSize(), Out(0), In(0, 0))), true
	case op.MaxPool3dGradKernel:
		out, places := k.OutSize(), Space(0)
		return List{Workspace: k.Channels * out[0] * out[1] * out[2], Steps: []Step{
			pool("max_pool3d_places", k.PoolShape, out, places, In(0, 0)),
			pool("max_pool3d_grad", k.PoolShape, k.Size, Out(0), places, In(1, 0)),
		}}, true
	}
	return List{}, false
}

// pool is a step of one thread for each place in a channel of the given size. Channels beyond what a grid holds are done in turn.
func pool(name string, s kernel.PoolShape, size [3]int, params ...Param) Step {
	params = append(params, Int(s.Channels))
	for _, axes := range [][3]int{s.Size, s.OutSize(), s.Kernel, s.Stride, s.Pad} {
		params = append(params, Int(axes[0]), Int(axes[1]), Int(axes[2]))
	}
	n := size[0] * size[1] * size[2]
	block := min(threads, 32*blocks(n, 32))
	return Step{Kernel: name, Grid: [3]int{blocks(n, block), min(s.Channels, maxGrid), 1}, Block: [3]int{block, 1, 1}, Params: params}
}

// maxGrid is the most blocks along y and z.
const maxGrid = 65535
