package usage

// Forget overwrites what the Meter has kept of the response, which is over. What
// Report says stays; nothing that Feed, Finish or Withheld returned may be used
// any more, and no output be estimated.
func (m *Meter) Forget() {
	for _, kept := range [...][]byte{m.withheld, m.out, m.event, m.scanner.decoded, m.sample.text, m.head[:], m.kind[:], m.scanner.scratch[:]} {
		clear(kept[:cap(kept)])
	}
	m.withheld, m.out, m.event, m.sample.text = nil, nil, nil, nil
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

// emptied is a buffer with nothing in it and room for this many bytes; what it held is
// overwritten if it takes another array.
func emptied(kept []byte, size int) []byte {
	if size <= cap(kept) {
		return kept[:0]
	}
	clear(kept[:cap(kept)])
	return make([]byte, 0, size)
}
