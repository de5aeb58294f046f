package launch

import "mome/gpu/op"

func norms(k op.Kernel, p op.Precision) (List, bool) {
	return List{}, false
}
