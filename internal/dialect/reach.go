package dialect

import "bytes"

// Reach is which kinds of tokens a request can lead to beside text. A kind that cannot
// be ruled out counts as reachable.
type Reach struct {
	InputAudio, InputImage, InputVideo bool
	// CacheWrite tells that the input may be written to a cache of the provider.
	CacheWrite               bool
	OutputAudio, OutputImage bool
}

// everything is what a request reaches of which nothing is known.
var everything = Reach{
	InputAudio: true, InputImage: true, InputVideo: true, CacheWrite: true, OutputAudio: true, OutputImage: true,
}

// anyInput notes input of a kind that is not known.
func (r *Reach) anyInput() { r.InputAudio, r.InputImage, r.InputVideo = true, true, true }

// modality reads one kind of output that is asked for.
func (b *reading) modality(start, end int) {
	switch string(b.prefix(start, end)) {
	case "text":
	case "audio":
		b.asked.audio = true
	case "image":
		b.asked.image = true
	default:
		b.asked.audio, b.asked.image = true, true
	}
}

// modalities ends the list of the kinds of output that are asked for, which may be a
// single one. An empty list asks for nothing.
func (b *reading) modalities(start, end int) {
	switch first := b.scanner.data[start]; {
	case b.null(start, end), first == '[' && b.scanner.data[b.scanner.space(start+1)] == ']':
		return
	case first != '[':
		b.modality(start, end)
	}
	b.request.Reach.OutputAudio, b.request.Reach.OutputImage = b.asked.audio, b.asked.image
}

// speaksOfCache tells whether a member's name has "cach" in it, in any case, or an
// escape, which could hide it.
func speaksOfCache(name []byte) bool {
	for i, c := range name {
		if c == '\\' {
			return true
		}
		if c|0x20 == 'c' && len(name)-i >= 4 && bytes.EqualFold(name[i:i+4], []byte("cach")) {
			return true
		}
	}
	return false
}
