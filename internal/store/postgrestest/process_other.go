//go:build !linux

package postgrestest

import "os/exec"

// run does nothing: where root runs the tests on such a system, initdb says that it
// will not.
func (owner) run(*exec.Cmd) {}

// endWithParent does nothing: only Linux ends children with their parent.
func endWithParent(*exec.Cmd) {}
