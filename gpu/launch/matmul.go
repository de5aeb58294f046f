package launch

import "mome/gpu/op"

func products(k op.Kernel, p op.Precision) (List, bool) {
	return List{}, false
}
