//go:build linux && !race

package attacks

// watched is how much more memory a gateway takes that the race detector watches.
const watched = 1
