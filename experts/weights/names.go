package weights

import (
	"fmt"
	"math"
	"strings"
)

// name pushes the name of a class or function, if it is one that checkpoints have.
func (m *machine) name(name string) error {
	if !harmless(name) {
		return fmt.Errorf("%.100s has no place in a checkpoint; save the model's state_dict() alone", name)
	}
	return m.push(global(name))
}

// harmless lists the names of classes and functions that state dictionaries, optimizers and the settings saved beside
// them are made of. None of them is called: all but those of construct and persistent stand for inert values.
func harmless(name string) bool {
	switch name {
	case "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
		"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
		"torch._utils._rebuild_parameter_with_state", "torch._tensor._rebuild_from_type_v2",
		"torch.Tensor", "torch.nn.parameter.Parameter", "torch.Size", "torch.device",
		"torch.DoubleStorage", "torch.FloatStorage", "torch.HalfStorage", "torch.BFloat16Storage",
		"torch.LongStorage", "torch.IntStorage", "torch.ShortStorage", "torch.CharStorage", "torch.ByteStorage", "torch.BoolStorage",
		"torch.float64", "torch.float32", "torch.float16", "torch.bfloat16",
		"torch.int64", "torch.int32", "torch.int16", "torch.int8", "torch.uint8", "torch.bool",
		"numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
		"numpy._core.multiarray.scalar", "numpy._core.multiarray._reconstruct", "_codecs.encode",
		"argparse.Namespace", "types.SimpleNamespace", "pathlib.Path", "pathlib.PosixPath", "pathlib.PurePosixPath",
		"builtins.set", "builtins.frozenset", "builtins.complex", "builtins.bytearray", "builtins.slice",
		"__builtin__.set", "__builtin__.frozenset", "__builtin__.complex", "__builtin__.bytearray", "__builtin__.slice":
		return true
	}
	return false
}

// construct answers a call of the few things that tensors are made of, and with an inert value otherwise.
func construct(callable, arguments any) any {
	args, ok := arguments.(*tuple)
	if !ok {
		return inert{}
	}
	switch callable {
	case global("collections.OrderedDict"):
		return &dict{}
	case global("torch._utils._rebuild_tensor"), global("torch._utils._rebuild_tensor_v2"):
		return rebuild(args.items) // storage, offset, shape, stride, and more in v2
	case global("torch._utils._rebuild_parameter"), global("torch._utils._rebuild_parameter_with_state"): // tensor, ...
		if len(args.items) > 0 {
			if t, ok := args.items[0].(*tensorRef); ok {
				return t
			}
		}
	case global("torch._tensor._rebuild_from_type_v2"): // function, class, its arguments, attributes
		if len(args.items) > 2 && args.items[0] != callable {
			return construct(args.items[0], args.items[2])
		}
	}
	return inert{}
}

// maxAxes is the greatest number of axes of a tensor.
const maxAxes = 16

// rebuild makes a tensor of storage, offset, shape and stride.
func rebuild(args []any) any {
	if len(args) < 4 {
		return inert{}
	}
	ref, ok1 := args[0].(storageRef)
	offset, ok2 := args[1].(int)
	shape, ok3 := integers(args[2])
	stride, ok4 := integers(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(stride) {
		return inert{}
	}
	return &tensorRef{storage: ref, offset: offset, shape: shape, stride: stride}
}

// persistent reads ("storage", class, key, device, count).
func persistent(v any) any {
	id, ok := v.(*tuple)
	if !ok || len(id.items) < 5 || id.items[0] != any("storage") {
		return inert{}
	}
	class, ok1 := id.items[1].(global)
	key, ok2 := id.items[2].(string)
	count, ok3 := id.items[4].(int)
	if !ok1 || !ok2 || !ok3 || count < 0 || count > math.MaxInt/8 {
		return inert{}
	}
	return storageRef{class: strings.TrimPrefix(string(class), "torch."), key: key, count: count}
}

// integers are those of a tuple of at most maxAxes.
func integers(v any) ([]int, bool) {
	t, ok := v.(*tuple)
	if !ok || len(t.items) > maxAxes { // a program can name one long tuple again and again
		return nil, false
	}
	out := make([]int, len(t.items))
	for i, item := range t.items {
		if out[i], ok = item.(int); !ok {
			return nil, false
		}
	}
	return out, true
}
