//go:build unix

package main

import (
	"runtime"
	"syscall"
	"time"
)

// usage is the CPU time, user and system, that the process has taken, and the most memory that it has held at once in
// bytes.
func usage() (cpu time.Duration, peak int64, ok bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0, false
	}
	peak = int64(u.Maxrss) // bytes there, KiB elsewhere (getrusage(2))
	if runtime.GOOS != "darwin" && runtime.GOOS != "ios" {
		peak <<= 10
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), peak, true
}
