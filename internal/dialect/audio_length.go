package dialect

import (
	"encoding/binary"
	"time"
)

// AudioBound is the longest that the audio to be written down can be.
//
// A WAV file says how many bytes make a second. Everything else is taken to be coded
// as low as speech can be: 6 kbit/s, Opus's least (RFC 6716, section 2.1.1).
func (r *Request) AudioBound() time.Duration {
	if r.AudioBytes == 0 {
		return 0
	}
	if length, ok := wavLength(r.body[r.audio.start:r.audio.end]); ok {
		return length
	}
	return perSecond(r.AudioBytes, 6_000/8)
}

// EstimatedAudio is a likely length of it, where the answer does not tell: at
// 64 kbit/s, which is usual for speech.
func (r *Request) EstimatedAudio() time.Duration {
	if r.AudioBytes == 0 {
		return 0
	}
	if length, ok := wavLength(r.body[r.audio.start:r.audio.end]); ok {
		return length
	}
	return perSecond(r.AudioBytes, 64_000/8)
}

func perSecond(size, each int64) time.Duration {
	return time.Duration(size) * time.Second / time.Duration(each)
}

// wavLength is the length of a WAV file that is not compressed, by its header: a RIFF
// chunk of WAVE with a chunk "fmt " in it (Microsoft, Multimedia Programming Interface,
// "WAVE Form"). Whoever plays it goes by the same numbers, so that a file cannot be
// longer than it claims. They must agree with each other, as players differ in which of
// them they go by.
func wavLength(file []byte) (time.Duration, bool) {
	if len(file) < 12 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" {
		return 0, false
	}
	for at := 12; at+8 <= len(file); {
		size := int64(binary.LittleEndian.Uint32(file[at+4:]))
		if string(file[at:at+4]) == "fmt " && size >= 16 && at+24 <= len(file) {
			format := binary.LittleEndian.Uint16(file[at+8:])
			channels := int64(binary.LittleEndian.Uint16(file[at+10:]))
			samples := int64(binary.LittleEndian.Uint32(file[at+12:]))
			each := int64(binary.LittleEndian.Uint32(file[at+16:]))
			block := int64(binary.LittleEndian.Uint16(file[at+20:]))
			bits := int64(binary.LittleEndian.Uint16(file[at+22:]))
			plain := (format == 1 || format == 3) && plainSample(bits) // integers, or floating point
			if !plain || each == 0 || block > 64 || samples > 768_000 || each != samples*block || block != channels*bits/8 {
				return 0, false
			}
			return perSecond(int64(len(file)), each), true
		}
		if size > int64(len(file)) {
			return 0, false
		}
		at += 8 + int(size+size%2)
	}
	return 0, false
}

// plainSample tells whether a sample of so many bits is one that players know, and fills
// its bytes.
func plainSample(bits int64) bool {
	switch bits {
	case 8, 16, 24, 32, 64:
		return true
	}
	return false
}
