package launch

import "mome/gpu/op"

func layouts(k op.Kernel, p op.Precision) (List, bool) {
	return List{}, false
}
