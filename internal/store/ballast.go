package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"modernc.org/sqlite"
	library "modernc.org/sqlite/lib"
)

const (
	// ballastSize is room for the write-ahead log to grow to where it is used anew (6 MiB, see
	// dataSource), for one posting of records of as many accounts as there can be beyond that
	// (mostSums and a commit's, of eight pages each: 6 MiB), and for the records of ten
	// thousand requests.
	ballastSize = 32 << 20
	// roomNeeded must be free before the ballast is made, so that making it does not
	// fill the disk again.
	roomNeeded = 2 * ballastSize
)

// ballast is a file beside the store's, of as much as the last requests need. It is
// given up when the disk is full: what runs can then be settled, and what is new is
// refused until there is a ballast again. It holds noise, which no file system can
// keep in less room. Only a server has one.
type ballast struct {
	path string

	mutex sync.Mutex
	// wanted says that a server works on the store, kept that the file is there.
	wanted, kept bool
}

// keep makes the file where it is missing: ErrFull while there is no room for it.
func (b *ballast) keep() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.wanted = true
	info, err := os.Stat(b.path)
	b.kept = err == nil && info.Mode().IsRegular() && info.Size() == ballastSize
	if b.kept {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for the ballast: %w", err)
	}
	if room, err := roomBeside(b.path); err != nil {
		return fmt.Errorf("look for room on the disk: %w", err)
	} else if room < roomNeeded {
		return fmt.Errorf("%s has %d MiB left and needs %d: %w", filepath.Dir(b.path), room>>20, roomNeeded>>20, ErrFull)
	}
	if err := b.fill(); err != nil {
		return fmt.Errorf("make the ballast: %w", errors.Join(ErrFull, err, os.Remove(b.path)))
	}
	b.kept = true
	return nil
}

func (b *ballast) fill() (err error) {
	file, err := os.OpenFile(b.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	noise, chunk := rand.NewChaCha8([32]byte{}), make([]byte, 64<<10)
	for range ballastSize / len(chunk) {
		_, _ = noise.Read(chunk) // never fails
		if _, err := file.Write(chunk); err != nil {
			return err
		}
	}
	// Nothing is lost with it in a power cut: there is no need to wait for the disk.
	return nil
}

// giveUp makes room; false where there is none to make.
func (b *ballast) giveUp() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if !b.kept {
		return false
	}
	b.kept = false
	// Where somebody else has removed it, the room may be there all the same.
	err := os.Remove(b.path)
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// missing tells whether a server has to do without its ballast.
func (b *ballast) missing() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.wanted && !b.kept
}

// noRoom tells whether a write failed for want of room on the disk. SQLite has a code
// for that, but not where the system says so late, or in other words (a quota).
func noRoom(err error) bool {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Code() {
	case library.SQLITE_FULL, library.SQLITE_IOERR_WRITE, library.SQLITE_IOERR_FSYNC, library.SQLITE_IOERR_SHMSIZE:
		return true
	}
	return false
}
