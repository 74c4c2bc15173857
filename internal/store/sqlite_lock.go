package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
)

// One process may hold a store's lock several times: while a server reloads, the
// old and the new configuration run side by side.
var serverLocks = struct {
	sync.Mutex
	byPath map[string]*serverLock
}{byPath: make(map[string]*serverLock)}

// RealPath is the one name of a file, or of where it is to be: absolute and without symbolic
// links.
func RealPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the store's file: %w", err)
	}
	if directory, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(directory, filepath.Base(path))
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return path, nil
}

type serverLock struct {
	file  *flock.Flock
	users int
}

// lock takes a file of its own beside the store's (its name with .lock), which the
// system frees when the process ends in whatever way.
func (f *sqliteFile) lock() (unlock func() error, err error) {
	path := f.path
	// A server's first start locks before there is anything to migrate.
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the store's directory: %w", permitted(path, err))
	}
	// The same file by another name is the same store, also if its directory was not there
	// when it was opened.
	path, err = RealPath(path)
	if err != nil {
		return nil, err
	}
	serverLocks.Lock()
	defer serverLocks.Unlock()
	lock := serverLocks.byPath[path]
	if lock == nil {
		lock = &serverLock{file: flock.New(path+".lock", flock.SetPermissions(0o600))}
		locked, err := lock.file.TryLock()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock the store %s: %w", f.path, permitted(path, err)), lock.file.Close())
		}
		if !locked {
			return nil, errors.Join(fmt.Errorf("%s: %w", f.path, ErrLocked), lock.file.Close())
		}
		serverLocks.byPath[path] = lock
	}
	lock.users++
	var once sync.Once
	return func() (err error) {
		once.Do(func() { err = lock.release(path) })
		return err
	}, nil
}

func (l *serverLock) release(path string) error {
	serverLocks.Lock()
	defer serverLocks.Unlock()
	if l.users--; l.users > 0 {
		return nil
	}
	delete(serverLocks.byPath, path)
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("unlock the store: %w", err)
	}
	return nil
}
