//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"gorgonia.org/cu"

	"mome/gpu"
)

// Built says whether this program was built with CUDA.
const Built = true

// Driver is the version of CUDA that the driver supports, such as "12.4".
func Driver() (string, error) {
	if err := noDriver(); err != nil {
		return "", err
	}
	v := cu.Version() // 1000 major + 10 minor
	if v < 0 {
		return "", errors.New("the driver does not tell its version")
	}
	return fmt.Sprintf("%d.%d", v/1000, v%1000/10), nil
}

// Devices are the devices that the driver has. It makes a context on each, for a moment, to ask for its free memory.
func Devices() ([]Info, error) {
	if err := noDriver(); err != nil {
		return nil, err
	}
	count, err := cu.NumDevices()
	if err != nil {
		return nil, explain("count devices", err)
	}
	all := make([]Info, count)
	for i := range all {
		all[i] = describe(i)
	}
	return all, nil
}

// describe asks for what Info holds of device number i.
func describe(i int) Info {
	info := Info{Name: fmt.Sprintf("cuda:%d", i)}
	info.Err = func() (err error) {
		d, err := cu.GetDevice(i)
		if err != nil {
			return explain("find device", err)
		}
		if info.Model, err = d.Name(); err != nil {
			return explain("ask for the name", err)
		}
		if info.Major, info.Minor, err = d.ComputeCapability(); err != nil {
			return explain("ask for the compute capability", err)
		}
		if info.Shared, err = blockShared(d); err != nil {
			return explain("ask for the shared memory", err)
		}
		if err := info.Capable(); err != nil {
			return err
		}
		c, err := retain(d)
		if err != nil {
			return err
		}
		err = c.do("ask for free memory", func() (err error) {
			info.Free, info.Total, err = cu.MemInfo()
			return err
		})
		return errors.Join(err, c.release())
	}()
	return info
}

// context is a device's primary context, which is shared by all who retain it.
type context struct {
	device cu.Device
	handle cu.CUContext
}

func retain(d cu.Device) (context, error) {
	handle, err := d.RetainPrimaryCtx()
	return context{d, handle}, explain("make a context", err)
}

func (c context) release() error { return explain("release the context", c.device.ReleasePrimaryCtx()) }

// do calls the driver with the context current. Contexts are current for threads, goroutines change theirs: hence the lock.
func (c context) do(tried string, call func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cu.SetCurrentContext(c.handle); err != nil {
		return explain(tried, err)
	}
	return explain(tried, call())
}

// device implements gpu.Device.
type device struct {
	context
	name    string // "cuda:0 NVIDIA H200"
	kernels *kernels

	turn   sync.Mutex
	memory map[gpu.Address]struct{} // what is allocated
	queues map[*queue]struct{}      // that are open
	closed bool
}

// Open opens the device "cuda:N", or with "cuda" the one that Choose chooses.
func Open(name string) (gpu.Device, error) {
	n, err := number(name)
	if err != nil {
		return nil, err
	}
	info, err := find(n)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	d, err := open(info)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", info.Name, err)
	}
	return d, nil
}

// find looks at device n, or at all and chooses one where n is -1.
func find(n int) (Info, error) {
	if n < 0 {
		all, err := Devices()
		if err != nil {
			return Info{}, err
		}
		return Choose(all)
	}
	if err := noDriver(); err != nil {
		return Info{}, err
	}
	count, err := cu.NumDevices()
	if err != nil {
		return Info{}, explain("count devices", err)
	}
	if n >= count {
		return Info{}, fmt.Errorf("%w: the driver has %d devices", gpu.ErrNoDevice, count)
	}
	info := describe(n)
	return info, info.Err
}

func open(info Info) (*device, error) {
	n, err := number(info.Name)
	if err != nil {
		return nil, err
	}
	handle, err := cu.GetDevice(n)
	if err != nil {
		return nil, explain("find device", err)
	}
	c, err := retain(handle)
	if err != nil {
		return nil, err
	}
	d := &device{
		context: c, name: info.Name + " " + info.Model,
		memory: map[gpu.Address]struct{}{}, queues: map[*queue]struct{}{},
	}
	if err := c.do("load kernels", func() (err error) {
		d.kernels, err = loadKernels()
		return err
	}); err != nil {
		return nil, errors.Join(err, c.release())
	}
	return d, nil
}

// String implements gpu.Device.
func (d *device) String() string { return d.name }

// Memory implements gpu.Device.
func (d *device) Memory() (free, total int64, err error) {
	err = d.do(d.name+": ask for free memory", func() (err error) {
		free, total, err = cu.MemInfo()
		return err
	})
	return free, total, err
}

// Allocate implements gpu.Device. The driver aligns to 256 bytes at least.
func (d *device) Allocate(bytes int64) (gpu.Address, error) {
	var at cu.DevicePtr
	err := d.do(fmt.Sprintf("%s: allocate %d bytes", d.name, bytes), func() (err error) {
		at, err = cu.MemAlloc(max(bytes, 1)) // none at all is an error there
		return err
	})
	if err != nil {
		return 0, err
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	d.memory[gpu.Address(at)] = struct{}{}
	return gpu.Address(at), nil
}

// Free implements gpu.Device.
func (d *device) Free(at gpu.Address) error {
	d.turn.Lock()
	_, ok := d.memory[at]
	delete(d.memory, at)
	d.turn.Unlock()
	if !ok {
		return fmt.Errorf("%s: free %#x: was not allocated", d.name, uint64(at))
	}
	return d.do(d.name+": free", func() error { return cu.MemFree(cu.DevicePtr(at)) })
}

// Close implements gpu.Device. It gives back everything that was made of the device, and goes on where something cannot be.
func (d *device) Close() error {
	d.turn.Lock()
	if d.closed {
		d.turn.Unlock()
		return nil
	}
	d.closed = true
	queues, memory := d.queues, d.memory
	d.queues, d.memory = map[*queue]struct{}{}, map[gpu.Address]struct{}{}
	d.turn.Unlock()
	var errs []error
	for q := range queues {
		errs = append(errs, q.end())
	}
	errs = append(errs, d.do(d.name+": close", func() error {
		var errs []error
		for at := range memory {
			errs = append(errs, cu.MemFree(cu.DevicePtr(at)))
		}
		return errors.Join(append(errs, d.kernels.unload())...)
	}), d.release())
	return errors.Join(errs...)
}
