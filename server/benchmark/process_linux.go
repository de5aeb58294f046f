package benchmark

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuClock is the clock of the user and system time of a whole process, threads that ended included: what
// clock_getcpuclockid(3) answers, CPUCLOCK_SCHED in the kernel's posix-timers.h. It counts nanoseconds where
// /proc/PID/stat counts hundredths of a second.
func cpuClock(pid int) int32 { return int32(^pid<<3 | 2) }

// cpuTime returns the CPU time that a process of this machine has taken, user and system, of all cores together.
func cpuTime(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(cpuClock(pid), &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// memory returns what a process holds, and the most that it held since its start or the last resetPeak, in bytes:
// VmRSS and VmHWM of proc(5).
func memory(pid int) (now, peak int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(string(fields[1]), 10, 64) // what is no number is not asked for
		switch string(fields[0]) {
		case "VmRSS:":
			now = kib << 10
		case "VmHWM:":
			peak = kib << 10
		}
	}
	if peak == 0 {
		return 0, 0, fmt.Errorf("/proc/%d/status names no VmHWM", pid)
	}
	return now, peak, nil
}

// resetPeak begins the measurement of the peak anew, proc(5) on clear_refs. Where that is not allowed the peak is that
// since the start.
func resetPeak(pid int) { os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) }
