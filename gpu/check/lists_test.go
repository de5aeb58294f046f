package check_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mome/gpu/check"
	"mome/gpu/kernel"
	"mome/gpu/launch"
	"mome/gpu/op"
)

var precisions = []op.Precision{op.Float32, op.TF32, op.BFloat16}

// What the devices that kernels are compiled for allow: the CUDA C++ Programming Guide's table of technical specifications.
const (
	mostBlocksX  = 1<<31 - 1
	mostBlocksYZ = 65535
	mostThreads  = 1024
	mostThreadsZ = 64
	mostShared   = 163 << 10 // of compute capability 8.0; 9.0 has more
)

// published are operations at the sizes of the published model, eight patients at once where there is a batch, and beyond.
var published = []op.Kernel{
	op.GELUKernel{Rows: 4481, Cols: 3072},
	op.GELUGradKernel{Rows: 8 * 4481, Cols: 3072},
	op.SumKernel{Rows: 4481, Cols: 768, Terms: 12},
	op.ScaleKernel{Rows: 1 << 20, Cols: 4096},
	op.InstanceNormReLUKernel{Batch: 8, Channels: 64, Size: [3]int{192, 128, 64}, Eps: 1e-5},
	op.InstanceNormReLUGradKernel{Batch: 8, Channels: 64, Size: [3]int{192, 128, 64}, Eps: 1e-5},
	op.InstanceNormReLUKernel{Batch: 1, Channels: 768, Size: [3]int{48, 32, 16}, Eps: 1e-5},
	op.InstanceNormReLUKernel{Batch: 1, Channels: 1, Size: [3]int{1024, 1024, 1024}, Eps: 1e-5},
	op.LayerNormKernel{NormShape: kernel.NormShape{Rows: 4481, Cols: 3072, Eps: 1e-5}},
	op.LayerNormGradInputKernel{NormShape: kernel.NormShape{Rows: 8 * 4481, Cols: 768, Eps: 1e-5}},
	op.LayerNormGradScaleKernel{NormShape: kernel.NormShape{Rows: 8 * 4481, Cols: 768, Eps: 1e-5}},
	op.SumRowsKernel{Rows: 1 << 22, Cols: 3072},
	op.SoftmaxKernel{Rows: 4481, Cols: 128, Axis: 0},
	op.SoftmaxKernel{Rows: 1 << 24, Cols: 128, Axis: 1},
	op.SoftmaxGradKernel{Rows: 8 * 4481, Cols: 1 << 20, Axis: 0},
	op.MaxPool3dKernel{PoolShape: publishedPool, Batch: 100},
	op.MaxPool3dGradKernel{PoolShape: publishedPool, Batch: 100},
	op.TokensKernel{Channels: 768, Size: [3]int{384, 256, 128}},
	op.TokensGradKernel{Channels: 768, Size: [3]int{384, 256, 128}},
	op.SliceKernel{Rows: 1 << 22, Cols: 3072, Axis: 1, From: 768, To: 1536},
	op.SliceGradKernel{Rows: 1 << 22, Cols: 3072, Axis: 0, From: 1, To: 3073},
	op.ConcatKernel{Axis: 1, Across: 1 << 22, Lengths: []int{1, 2, 3, 4, 5}},
	op.LevelKernel{LevelShape: publishedLevel},
	op.LevelGradKernel{LevelShape: publishedLevel},
}

var (
	publishedPool = kernel.PoolShape{Channels: 100 * 768, Size: [3]int{48, 32, 16},
		Kernel: [3]int{3, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3]int{1, 1, 1}}
	publishedLevel = kernel.LevelShape{Channels: 7, Absolute: 1, Size: [3]int{384, 256, 128}, Step: [3]float64{1, 1, 2}, Sigma: 60}
)

// Nothing that a device would refuse, and no parameter outside its buffer.
func TestListsAreLegal(t *testing.T) {
	kernels := append([]op.Kernel(nil), published...)
	for _, c := range check.Cases() {
		kernels = append(kernels, c.Kernel)
	}
	for _, k := range kernels {
		for _, p := range precisions {
			l, err := launch.For(k, p)
			if err != nil {
				t.Errorf("%T%+v: %v", k, k, err)
				continue
			}
			written := false
			for _, s := range l.Steps {
				if err := legal(k, l, s); err != nil {
					t.Errorf("%T%+v in %v: %s: %v", k, k, p, s.Kernel, err)
				}
				for _, param := range s.Params {
					written = written || param.Buffer == launch.Output
				}
			}
			if !written {
				t.Errorf("%T%+v in %v: no step has the output", k, k, p)
			}
		}
	}
}

func legal(k op.Kernel, l launch.List, s launch.Step) error {
	for axis, most := range []int{mostBlocksX, mostBlocksYZ, mostBlocksYZ} {
		if n := s.Grid[axis]; n < 1 || n > most {
			return fmt.Errorf("grid of %v", s.Grid)
		}
	}
	for axis, most := range []int{mostThreads, mostThreads, mostThreadsZ} {
		if n := s.Block[axis]; n < 1 || n > most {
			return fmt.Errorf("block of %v", s.Block)
		}
	}
	if n := s.Block[0] * s.Block[1] * s.Block[2]; n > mostThreads || n%32 != 0 {
		return fmt.Errorf("block of %d threads, want whole warps and at most %d", n, mostThreads)
	}
	if s.Shared < 0 || s.Shared > mostShared {
		return fmt.Errorf("%d bytes of shared memory", s.Shared)
	}
	in, out := k.Shapes()
	for i, p := range s.Params {
		room := 0
		switch p.Buffer {
		case launch.Number:
			continue
		case launch.Output:
			room = out.TotalSize()
		case launch.Workspace:
			room = l.Workspace
		default:
			if p.Buffer < 0 || int(p.Buffer) >= len(in) {
				return fmt.Errorf("parameter %d is of input %d, there are %d", i, p.Buffer, len(in))
			}
			room = in[p.Buffer].TotalSize()
		}
		if p.Offset < 0 || p.Offset >= room {
			return fmt.Errorf("parameter %d is at %d of a buffer of %d floats", i, p.Offset, room)
		}
	}
	return nil
}

// Every type of package op that is a Kernel, found in its sources, has a case: a new operation does not go unseen.
func TestEveryOperationHasACase(t *testing.T) {
	has := map[string]bool{}
	names := map[string]bool{}
	for _, c := range check.Cases() {
		has[reflect.TypeOf(c.Kernel).Name()] = true
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
	}
	operations := kernelTypes(t, "../op")
	if len(operations) < 20 {
		t.Fatalf("found only %v", operations)
	}
	for _, name := range operations {
		if !has[name] {
			t.Errorf("no case of op.%s", name)
		}
	}
}

// kernelTypes are the types in a folder that have the methods Shapes and Run.
func kernelTypes(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	shapes, runs := map[string]bool{}, map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			shapes[receiverOf(d, "Shapes")] = true
			runs[receiverOf(d, "Run")] = true
		}
	}
	var both []string
	for name := range runs {
		if name != "" && shapes[name] {
			both = append(both, name)
		}
	}
	slices.Sort(both)
	return both
}

// receiverOf is the type whose method of that name a declaration is, or "".
func receiverOf(d ast.Decl, method string) string {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Recv == nil || f.Name.Name != method {
		return ""
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if id, ok := receiver.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
