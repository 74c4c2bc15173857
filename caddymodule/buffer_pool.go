package caddymodule

import "sync"

// bodySizes are the sizes of pooled buffers, in bytes: in closer steps where they count
// for much of what bodies may take, as of long prompts and images. Larger bodies get a
// buffer of their own, as keeping those would hold memory for the rare case.
var bodySizes = [...]int{
	4 << 10, 32 << 10, 256 << 10, 512 << 10, 1 << 20,
	2 << 20, 2<<20 + 512<<10, 3 << 20, 3<<20 + 512<<10, 4 << 20, 5 << 20, 6 << 20, 7 << 20, 8 << 20,
}

var bodyPools [len(bodySizes)]sync.Pool

// bufferBoxes are what buffers are pooled in, without one: a new one for each return
// would be allocated.
var bufferBoxes = sync.Pool{New: func() any { return new([]byte) }}

// bufferSize is the capacity of the buffer that takeBuffer returns for a size.
func bufferSize(size int) int {
	for _, classSize := range bodySizes {
		if size <= classSize {
			return classSize
		}
	}
	return size
}

func takeBuffer(size int) []byte {
	for class, classSize := range bodySizes {
		if size <= classSize {
			if box, ok := bodyPools[class].Get().(*[]byte); ok {
				buffer := *box
				*box = nil
				bufferBoxes.Put(box)
				return buffer
			}
			return make([]byte, 0, classSize)
		}
	}
	return make([]byte, 0, size)
}

// appendPooled appends to a pooled buffer, and takes a larger one in its place when it
// is full. Nothing else may look into the old one.
func appendPooled(buffer, p []byte) []byte {
	if length := len(buffer) + len(p); length > cap(buffer) {
		larger := append(takeBuffer(max(length, 2*cap(buffer))), buffer...)
		giveBuffer(buffer)
		buffer = larger
	}
	return append(buffer, p...)
}

// giveBuffer wipes a buffer, as far as it was used, and returns it to its pool if it is
// of one.
func giveBuffer(buffer []byte) {
	clear(buffer)
	for class, classSize := range bodySizes {
		if cap(buffer) == classSize {
			box := bufferBoxes.Get().(*[]byte)
			*box = buffer[:0]
			bodyPools[class].Put(box)
			return
		}
	}
}
