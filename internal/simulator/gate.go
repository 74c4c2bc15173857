package simulator

import "sync"

// Gate lets a test stop an answer at a byte and let it go on, without sleeping.
// A gate may be used by several answers; open is open for all.
type Gate struct {
	reached, open           chan struct{}
	reachedOnce, openedOnce sync.Once
}

// NewGate returns a closed gate.
func NewGate() *Gate {
	return &Gate{reached: make(chan struct{}), open: make(chan struct{})}
}

// Reached is closed when the first answer has arrived at the gate: all its
// bytes before it are in the hands of the operating system.
func (g *Gate) Reached() <-chan struct{} { return g.reached }

// Open lets everybody through, now and later. It may be called more than once.
func (g *Gate) Open() { g.openedOnce.Do(func() { close(g.open) }) }

func (g *Gate) arrive() <-chan struct{} {
	g.reachedOnce.Do(func() { close(g.reached) })
	return g.open
}
