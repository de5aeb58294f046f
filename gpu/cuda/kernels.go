//go:build gpu

package cuda

import (
	"embed"
	"errors"
	"fmt"
	"sync"

	"gorgonia.org/cu"

	"mome/gpu"
)

// fatbins are the kernels, one file for each of gpu/kernel's; generate.go makes them.
//
//go:embed kernels/*.fatbin
var fatbins embed.FS

// kernels are the modules that a context has loaded, and their functions by name. It is safe for concurrent use.
type kernels struct {
	modules []cu.Module

	turn  sync.Mutex
	found map[string]*kernel
}

type kernel struct {
	function cu.Function
	shared   int // dynamic shared memory in bytes that was asked for so far
}

// freeShared is the dynamic shared memory that a kernel may use without asking.
const freeShared = 48 << 10

// loadKernels loads all modules into the context that is current.
func loadKernels() (*kernels, error) {
	k := &kernels{found: map[string]*kernel{}}
	files, err := fatbins.ReadDir("kernels")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		image, err := fatbins.ReadFile("kernels/" + f.Name())
		if err != nil {
			return nil, errors.Join(err, k.unload())
		}
		m, err := cu.LoadData(string(image))
		if err != nil {
			return nil, errors.Join(explain("load "+f.Name(), err), k.unload())
		}
		k.modules = append(k.modules, m)
	}
	return k, nil
}

func (k *kernels) unload() (err error) {
	for _, m := range k.modules {
		err = errors.Join(err, explain("unload kernels", m.Unload()))
	}
	k.modules = nil
	return err
}

// prepare finds the kernel of a launch and sees that it may have the shared memory that it asks for.
func (k *kernels) prepare(l gpu.Launch) (cu.Function, error) {
	k.turn.Lock()
	defer k.turn.Unlock()
	f, err := k.find(l.Kernel)
	if err != nil {
		return cu.Function{}, err
	}
	if l.Shared > max(f.shared, freeShared) {
		if err := allowShared(f.function, l.Shared); err != nil {
			return cu.Function{}, explain(fmt.Sprintf("kernel %s: %d bytes of shared memory", l.Kernel, l.Shared), err)
		}
		f.shared = l.Shared
	}
	return f.function, nil
}

func (k *kernels) find(name string) (*kernel, error) {
	if f, ok := k.found[name]; ok {
		return f, nil
	}
	for _, m := range k.modules {
		f, err := m.Function(name)
		if err == nil {
			k.found[name] = &kernel{function: f}
			return k.found[name], nil
		}
		if !errors.Is(err, cu.NotFound) {
			return nil, explain("kernel "+name, err)
		}
	}
	return nil, fmt.Errorf("no kernel %s", name)
}
