package usage

import "sync"

// Forget overwrites what the Meter has kept of the response, which is over. What
// Report says stays; nothing that Feed, Finish or Withheld returned may be used
// any more, and no output be estimated.
func (m *Meter) Forget() {
	for _, kept := range [...][]byte{m.withheld, m.out, m.carried, m.scanner.decoded, m.sample.text, m.head[:], m.kind[:], m.scanner.scratch[:]} {
		clear(kept[:cap(kept)])
	}
	giveOutput(m.out)
	giveOutput(m.withheld)
	m.withheld, m.out, m.event, m.carried, m.sample.text = nil, nil, nil, nil, nil
	if m.shortcut != nil {
		m.shortcut.forget()
	}
}

// add appends, and leaves nothing behind where that takes another array. Nothing
// else may look into the old one.
func add(kept []byte, pieces ...[]byte) []byte {
	length := len(kept)
	for _, piece := range pieces {
		length += len(piece)
	}
	if length > cap(kept) {
		const step = 1024 // so that pieces of about one size fit again
		larger := make([]byte, len(kept), (max(length, cap(kept)+cap(kept)/4)+step-1)/step*step)
		copy(larger, kept)
		clear(kept[:cap(kept)])
		kept = larger
	}
	for _, piece := range pieces {
		kept = append(kept, piece...)
	}
	return kept
}

// The sizes of pooled buffers, of output and of what is withheld: for a read of as much
// as net/http buffers of a connection (4 KiB), and for a full one of reverse_proxy's
// buffer (32 KiB), each with an event that began before.
const smallOutput, largeOutput = 5 << 10, 36 << 10

var (
	smallOutputs = sync.Pool{New: func() any { return new([smallOutput]byte) }}
	largeOutputs = sync.Pool{New: func() any { return new([largeOutput]byte) }}
)

// emptyOutput makes the output empty, with room for this many bytes.
func (m *Meter) emptyOutput(size int) {
	if size <= cap(m.out) {
		m.out = m.out[:0]
		return
	}
	clear(m.out[:cap(m.out)])
	giveOutput(m.out)
	if size <= 1024 { // of a stream that comes an event at a time, which may be one of many
		m.out = make([]byte, 0, size)
	} else {
		m.out = takeOutput(size)
	}
}

// takeOutput returns an empty buffer with room for this many bytes, pooled unless it is
// for more than the pools have.
func takeOutput(size int) []byte {
	switch {
	case size <= smallOutput:
		return smallOutputs.Get().(*[smallOutput]byte)[:0]
	case size <= largeOutput:
		return largeOutputs.Get().(*[largeOutput]byte)[:0]
	}
	return make([]byte, 0, size)
}

// giveOutput returns a buffer, which is overwritten, to its pool if it is of one.
func giveOutput(buffer []byte) {
	switch cap(buffer) {
	case smallOutput:
		smallOutputs.Put((*[smallOutput]byte)(buffer[:smallOutput]))
	case largeOutput:
		largeOutputs.Put((*[largeOutput]byte)(buffer[:largeOutput]))
	}
}
