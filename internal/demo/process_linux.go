package main

import "syscall"

// serverProcess gives the server a process group of its own, so that Ctrl-C
// reaches it once, from us; and a SIGTERM from the kernel should we be killed
// (prctl(2), PR_SET_PDEATHSIG: sent when the starting thread ends).
func serverProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
