//go:build !linux

package main

import (
	"os/exec"
	"runtime"
	"time"
)

const supported = false

func startPinned(*exec.Cmd, int) error        { return errUnsupported }
func pinSelf(int) error                       { return errUnsupported }
func cpuTime(int) (time.Duration, error)      { return 0, errUnsupported }
func resetPeak(int) error                     { return errUnsupported }
func memory(int) (now, peak int64, err error) { return 0, 0, errUnsupported }
func sleepUntil(at time.Time)                 { time.Sleep(time.Until(at)) }
func machine() string                         { return runtime.GOOS + ", " + runtime.Version() }
