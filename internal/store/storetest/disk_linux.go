package storetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// inNamespace in the environment says that this process may mount what it likes.
const inNamespace = "STORE_TEST_OWN_MOUNTS"

// SmallDisk mounts a disk of this size, in memory, and returns its directory. Where only
// root may mount, the whole test runs again in a process with mounts of its own, and
// ends with what came of it there; the test's functions must not be subtests.
func SmallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	directory := t.TempDir()
	err := syscall.Mount("tmpfs", directory, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", megabytes))
	if errors.Is(err, syscall.EPERM) && os.Getenv(inNamespace) == "" {
		runWithOwnMounts(t)
	}
	if err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		// Not only when nobody uses it any more: a process that was killed may end later.
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	return directory
}

// runWithOwnMounts does not return.
func runWithOwnMounts(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	command.Env = append(os.Environ(), inNamespace+"=1")
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		t.Skip("passed in a process with mounts of its own")
	case errors.As(err, &exit):
		t.Fatalf("in a process with mounts of its own: %v\n%s", err, output)
	}
	t.Skipf("NOT TESTED on a disk that is full: neither mounts nor namespaces are allowed here (%v); run this as root", err)
}

// FillDisk takes all the room that is left in a directory, until the returned function
// is called.
func FillDisk(t *testing.T, directory string) (empty func()) {
	t.Helper()
	path := filepath.Join(directory, "somebody else's file")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}
