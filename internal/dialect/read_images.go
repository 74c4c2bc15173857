package dialect

import (
	"strconv"
	"strings"
)

// Fields of images.
const (
	imagesModel field = iota + 1
	imagesCount
	imagesSize
	imagesQuality
	imagesStream
	imagesPrevious
)

// imagesBody is what is read of POST /v1/images/generations (openai-openapi,
// CreateImageRequest).
var imagesBody = &place{names: []member{
	{text: "model", at: &place{field: imagesModel}},
	{text: "n", at: &place{field: imagesCount}},
	{text: "size", at: &place{field: imagesSize}},
	{text: "quality", at: &place{field: imagesQuality}},
	{text: "stream", at: &place{field: imagesStream}},
	{text: "partial_images", at: &place{field: imagesPrevious}},
}}

const (
	maxImages  = 10 // openai-openapi, n of images
	maxPartial = 3  // openai-openapi, partial_images
)

// readImages reads a body that asks for images.
func (r *Request) readImages() error {
	b := &reading{request: r}
	err := b.scan(imagesBody, func(f field, start, end int) (problem *Error) {
		switch f {
		case imagesModel:
			return b.modelName(start, end)
		case imagesCount:
			r.Images.Count, problem = b.integer("n", start, end, 1, maxImages)
		case imagesSize:
			r.Images.Size, problem = b.enumerated("size", start, end)
		case imagesQuality:
			r.Images.Quality, problem = b.enumerated("quality", start, end)
		case imagesStream:
			r.Stream, problem = b.boolean("stream", start, end)
		case imagesPrevious:
			r.Images.partial, problem = b.integer("partial_images", start, end, 0, maxPartial)
		}
		return problem
	})
	if err != nil {
		return err
	}
	if problem := r.imagesRead(); problem != nil {
		return problem
	}
	return nil
}

// imagesRead checks what was read of a request for images.
func (r *Request) imagesRead() *Error {
	if r.Model == "" {
		return noModel()
	}
	r.SSE = r.Stream
	r.Images.Count = max(r.Images.Count, 1)
	r.noOutput = true // of text
	return nil
}

// Images is what a request for images asks for.
type Images struct {
	Count         int64
	Size, Quality string // empty if not said

	partial int64
}

// The most tokens of one image: of 1536×1024 at high quality, and for each preview
// (guides/image-generation, "Cost and latency"). Larger ones are taken to need more in
// proportion.
const (
	dearestImage  = 6240
	dearestPixels = 1536 * 1024
	previewTokens = 100
)

// OutputBound is the most tokens that the images can have.
func (i Images) OutputBound() int64 {
	return i.Count * (dearestImage*i.scale() + previewTokens*i.partial)
}

// Likely tokens of an image of 1024×1024 by its quality (guides/image-generation, "Cost and
// latency"). Larger ones have more in proportion, and what the model chooses by itself is
// mostly the highest.
const (
	squarePixels = 1024 * 1024
	lowImage     = 272
	mediumImage  = 1056
	highImage    = 4160
)

// Estimated is a likely number of tokens of one image, where the answer tells none; 0 if
// none is asked for.
func (i Images) Estimated() int64 {
	if i.Count == 0 {
		return 0
	}
	tokens := int64(highImage)
	switch i.Quality {
	case "low":
		tokens = lowImage
	case "medium":
		tokens = mediumImage
	}
	if pixels := i.pixels(); pixels > 0 {
		tokens = tokens * min(pixels, 1<<40) / squarePixels
	}
	return tokens
}

// scale is how many times larger an image is than the largest whose tokens are known.
func (i Images) scale() int64 {
	return max((i.pixels()+dearestPixels-1)/dearestPixels, 1)
}

// pixels is how many an image has; 0 if the request does not say.
func (i Images) pixels() int64 {
	width, height, ok := strings.Cut(i.Size, "x")
	w, errW := strconv.ParseInt(width, 10, 32)
	h, errH := strconv.ParseInt(height, 10, 32)
	if !ok || errW != nil || errH != nil || w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}
