// Package gpu says what a device is that runs kernels in memory of its own. Package gpu/cuda opens one, gpu/launch says which
// kernels compute an operation, gpu/vm runs graphs on it, and gpu/emulator is a device for tests that needs no hardware.
package gpu

import "errors"

var (
	// ErrNoDevice is wrapped where there is no device, no driver, or no support for either in this program.
	ErrNoDevice = errors.New("no device")
	// ErrOutOfMemory is wrapped where the device's memory does not suffice. The device goes on working.
	ErrOutOfMemory = errors.New("out of device memory")
)

// Address is a place in a device's memory, in bytes. 0 is no place.
type Address uint64

// Launch is a kernel's name, its grid and block along x, y, z, its dynamic shared memory in bytes, and its parameters, 8 bytes
// each: an Address, an int64, or the bits of a float64.
type Launch struct {
	Kernel      string
	Grid, Block [3]int
	Shared      int
	Parameters  []uint64
}

// Device has memory and queues of work. It is safe for concurrent use.
type Device interface {
	// String is what the device is called, such as "cuda:0 NVIDIA H200".
	String() string
	// Memory is the memory that is free and that there is, in bytes.
	Memory() (free, total int64, err error)
	// Allocate returns bytes of memory with arbitrary contents, aligned to 256 bytes.
	Allocate(bytes int64) (Address, error)
	// Free gives back what Allocate returned; work that uses it must be done.
	Free(Address) error
	// NewQueue makes a queue. Queues run side by side.
	NewQueue() (Queue, error)
	// Close ends the device; nothing made of it may be used any more.
	Close() error
}

// Queue is work that is done in the order in which it was given. It is not safe for concurrent use.
type Queue interface {
	// Upload copies from to the device. It returns when from may be changed.
	Upload(to Address, from []float32) error
	// Download copies to the host, after everything given before. It returns when to is filled.
	Download(to []float32, from Address) error
	// Prepare makes launches, with their parameters as they are, ready to be run again and again.
	Prepare(launches []Launch) (Job, error)
	// Close ends the queue, whose jobs must be closed.
	Close() error
}

// Job is a list of launches made ready for its queue.
type Job interface {
	// Run adds the launches to the queue. Errors of kernels may come only with the next Download.
	Run() error
	Close() error
}
