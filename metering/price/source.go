package price

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Source is a price book that is a file laid over another book, and follows the
// file. It is safe for concurrent use.
type Source struct {
	base *Book
	path string
	book atomic.Pointer[Book]

	mutex sync.Mutex
	seen  fileState // what was last read, or failed
}

// fileState tells whether a file has changed since.
type fileState struct {
	modified time.Time
	size     int64
	failure  string // of a file that cannot be looked at
}

// NewSource reads a price file; an empty path is the base alone. A file with
// mistakes is an error here.
func NewSource(base *Book, path string) (*Source, error) {
	s := &Source{base: base, path: path}
	if path == "" {
		s.book.Store(base)
		return s, nil
	}
	s.seen = stateOf(path)
	book, err := Load(base, path)
	if err != nil {
		return nil, err
	}
	s.book.Store(book)
	return s, nil
}

// Book is the present book. Whoever prices a request keeps the one that it began
// with.
func (s *Source) Book() *Book { return s.book.Load() }

// Refresh reads the file again if it has changed, and tells whether there is
// another book now. A file that cannot be used leaves the present book in force
// and is an error, once for each state of the file.
func (s *Source) Refresh() (changed bool, err error) {
	if s.path == "" {
		return false, nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	state := stateOf(s.path)
	if state == s.seen {
		return false, nil
	}
	s.seen = state
	book, err := Load(s.base, s.path)
	if err != nil {
		return false, fmt.Errorf("the prices of %s stay in force: %w", s.Book().Version(), err)
	}
	if book.Version() == s.Book().Version() {
		return false, nil // touched, or mended to what it was
	}
	s.book.Store(book)
	return true, nil
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{failure: err.Error()}
	}
	return fileState{modified: info.ModTime(), size: info.Size()}
}
