package postgrestest

import (
	"os/exec"
	"syscall"
)

// run makes a program run as the owner.
func (o owner) run(command *exec.Cmd) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = new(syscall.SysProcAttr)
	}
	if o.root {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
}

// endWithParent makes the system end the server when this process ends, as by a
// panic or by go test's time limit, which run no clean-up.
func endWithParent(command *exec.Cmd) { command.SysProcAttr.Pdeathsig = syscall.SIGQUIT }
