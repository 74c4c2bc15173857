package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// supported tells whether this system can pin processes and tell their CPU time.
const supported = true

// startPinned starts a command that runs on one processor only: Go programs count their
// processors when they begin. core -1 is all.
func startPinned(command *exec.Cmd, core int) error {
	// The child has the mask of the thread that starts it, and ends with that thread
	// (prctl(2), PR_SET_PDEATHSIG): this goroutine's is the main one, which lasts.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if core < 0 {
		return command.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := affinity(0)
	if err != nil {
		return err
	}
	if err := setAffinity(0, 1<<core); err != nil {
		return err
	}
	err = command.Start()
	if restored := setAffinity(0, before); err == nil {
		err = restored
	}
	return err
}

// pinSelf puts all threads of this process on one processor; later ones inherit it.
func pinSelf(core int) error {
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		thread, err := strconv.Atoi(filepath.Base(task))
		if err != nil {
			return err
		}
		if err := setAffinity(thread, 1<<core); err != nil && err != syscall.ESRCH { //nolint:errorlint // a bare errno
			return err
		}
	}
	return nil
}

// affinity is the mask of processors of a thread, 0 being this one; of the first 64.
func affinity(thread int) (mask uint64, err error) {
	var set [16]uint64
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, uintptr(thread), unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if errno != 0 {
		return 0, fmt.Errorf("sched_getaffinity: %w", errno)
	}
	return set[0], nil
}

func setAffinity(thread int, mask uint64) error {
	set := [16]uint64{mask}
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(thread), unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if errno != 0 {
		if errno == syscall.ESRCH {
			return errno
		}
		return fmt.Errorf("sched_setaffinity: %w", errno)
	}
	return nil
}

// cpuTime is what a process has used, all its threads together, those that have ended
// too: from the scheduler and so to the nanosecond, where /proc/PID/stat has ticks of 10 ms
// (clock_getcpuclockid(3); the number is made as in the kernel's posix-timers.h).
func cpuTime(pid int) (time.Duration, error) {
	const schedulerClock = 2
	var at syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(int32(^pid<<3|schedulerClock)), uintptr(unsafe.Pointer(&at)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, errno)
	}
	return time.Duration(at.Nano()), nil
}

// resetPeak begins a new peak of a process's resident memory (proc(5), clear_refs).
func resetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// memory is the resident memory of a process in bytes: now, and at its peak.
func memory(pid int) (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = kilobytes << 10
		case "VmHWM":
			peak = kilobytes << 10
		}
	}
	return now, peak, nil
}

// sleepUntil waits to within the kernel's precision. The runtime's own timers round to
// a millisecond when nothing else is to be done (netpoll_epoll.go).
func sleepUntil(at time.Time) {
	for wait := time.Until(at); wait > 0; wait = time.Until(at) {
		span := syscall.NsecToTimespec(int64(wait))
		_ = syscall.Nanosleep(&span, nil) // a signal only makes it look again
	}
}

// machine is what the figures were measured on.
func machine() string {
	model, kernel := "unknown processor", "unknown kernel"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = "Linux " + strings.TrimSpace(string(text))
	}
	load, _ := os.ReadFile("/proc/loadavg")
	loads := strings.Fields(string(load) + " ? ? ?")
	return fmt.Sprintf("%s, %d processors; %s; %s; load average at the start %s", model, runtime.NumCPU(), kernel, runtime.Version(), loads[0])
}
