//go:build unix && !solaris && !aix

package disk

import (
	"os"
	"syscall"
)

// lock keeps other processes out for as long as this one lives: the system gives it back when the process ends,
// however that happens.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
