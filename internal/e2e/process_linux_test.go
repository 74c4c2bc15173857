package e2e

import (
	"os/exec"
	"syscall"
)

// endWithTests has the system end a process with the tests, also where they are killed
// (prctl(2), PR_SET_PDEATHSIG).
func endWithTests(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
