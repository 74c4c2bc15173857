//go:build race

package main

// raceDetector tells that pools lose what is put into them at times, on purpose
// (sync/pool.go), so that buffers are made anew.
const raceDetector = true
