//go:build race

package simulation

// shortForm is how many seeds run when nobody asks for more: with the race detector
// each takes ten times as long.
const shortForm = 40
