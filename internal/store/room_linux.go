package store

import (
	"path/filepath"
	"syscall"
)

// roomBeside is how many bytes a file in this one's directory can still take.
func roomBeside(path string) (int64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &disk); err != nil {
		return 0, err
	}
	return int64(disk.Bavail) * disk.Bsize, nil
}
