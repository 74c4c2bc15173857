package price

import "github.com/faregate/faregate/metering/usage"

// Class is a class of tokens with a price.
type Class uint8

// The classes of tokens, named as in a price book and in a usage record.
const (
	Input Class = iota
	CacheRead
	CacheWrite
	CacheWrite5m
	CacheWrite1h
	InputAudio
	InputImage
	InputVideo
	CacheReadAudio
	CacheReadImage
	CacheReadVideo
	Output
	OutputAudio
	OutputImage
	OutputVideo
	classCount
)

var classNames = [classCount]string{
	Input: "input", CacheRead: "cache_read", CacheWrite: "cache_write", CacheWrite5m: "cache_write_5m", CacheWrite1h: "cache_write_1h",
	InputAudio: "input_audio", InputImage: "input_image", InputVideo: "input_video",
	CacheReadAudio: "cache_read_audio", CacheReadImage: "cache_read_image", CacheReadVideo: "cache_read_video",
	Output: "output", OutputAudio: "output_audio", OutputImage: "output_image", OutputVideo: "output_video",
}

// String is the class's name, "cache_read".
func (c Class) String() string { return classNames[c] }

func (c Class) isInput() bool { return c < Output }

// fallbacks lists what a class without a price of its own costs; the package
// comment says why. Input and Output always have a price.
var fallbacks = [classCount][]Class{
	CacheRead:      {Input},
	CacheWrite:     {CacheWrite5m, Input},
	CacheWrite5m:   {CacheWrite, Input},
	CacheWrite1h:   {CacheWrite, CacheWrite5m, Input},
	InputAudio:     {Input},
	InputImage:     {Input},
	InputVideo:     {Input},
	CacheReadAudio: {InputAudio, CacheRead, Input},
	CacheReadImage: {InputImage, CacheRead, Input},
	CacheReadVideo: {InputVideo, CacheRead, Input},
	OutputAudio:    {Output},
	OutputImage:    {Output},
	OutputVideo:    {Output},
}

// Classes is a set of classes. The zero value is empty.
type Classes uint32

// ClassesOf is the set of the given classes.
func ClassesOf(classes ...Class) Classes {
	var set Classes
	for _, class := range classes {
		set |= 1 << class
	}
	return set
}

// Has tells whether the class is in the set.
func (s Classes) Has(class Class) bool { return s&(1<<class) != 0 }

// Any tells whether the usage has tokens of a class in the set.
func (s Classes) Any(u usage.Usage) bool {
	counts, _ := countsOf(&u)
	for class, count := range counts {
		if count > 0 && s.Has(Class(class)) {
			return true
		}
	}
	return false
}

func classNamed(name string) (Class, bool) {
	for class, known := range classNames {
		if known == name {
			return Class(class), true
		}
	}
	return 0, false
}
