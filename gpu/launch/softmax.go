package launch

import "mome/gpu/op"

// softmaxes are softmax along either axis and its gradient.
func softmaxes(k op.Kernel, _ op.Precision) (List, bool) {
	switch k := k.(type) {
	case op.SoftmaxKernel:
		if k.Axis == 0 {
			return softmaxColumns("softmax_columns", k.Rows, k.Cols, In(0, 0)), true
		}
		return one(rowTeams("softmax_rows", k.Rows, k.Cols, Out(0), In(0, 0), Int(k.Rows), Int(k.Cols))), true
	case op.SoftmaxGradKernel:
		if k.Axis == 0 {
			return softmaxColumns("softmax_columns_grad", k.Rows, k.Cols, In(0, 0), In(1, 0)), true
		}
		return one(rowTeams("softmax_rows_grad", k.Rows, k.Cols, Out(0), In(0, 0), In(1, 0), Int(k.Rows), Int(k.Cols))), true
	}
	return List{}, false
}

// softmaxColumns takes a step for sums of chunks of rows and one that uses them. The sums are 8 bytes of every chunk and column: a
// double, or a maximum and a sum.
func softmaxColumns(kernel string, rows, cols int, in ...Param) List {
	count, length := columnChunks(rows, cols)
	sizes := []Param{Int(rows), Int(cols), Int(length)}
	first := append(append([]Param{Space(0)}, in...), sizes...)
	second := append(append(append([]Param{Out(0)}, in...), Space(0)), sizes...)
	return List{Workspace: 2 * count * cols, Steps: []Step{
		columns(kernel+"_sums", cols, count, first...),
		columns(kernel, cols, count, second...),
	}}
}
