//go:build unix && !linux

package main

import "syscall"

// serverProcess gives the server a process group of its own, so that Ctrl-C
// reaches it once, from us.
func serverProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
