//go:build !linux

package benchmark

import (
	"errors"
	"time"
)

var errElsewhere = errors.New("the CPU time and memory of another process are read on Linux only")

func cpuTime(int) (time.Duration, error) { return 0, errElsewhere }

func memory(int) (now, peak int64, err error) { return 0, 0, errElsewhere }

func resetPeak(int) {}
