package dialect

import (
	"bytes"
	"strings"
)

// Tokens that one image can cost at most.
//
// OpenAI: 2,833 and 5,667 for each tile of 512 px after scaling into 768×2048, so
// eight tiles at most, with gpt-4o-mini, whose tokens are the cheapest and most per
// image; all later models need fewer (guides/images-vision, "Calculating costs").
//
// Anthropic: 4,784 with models that see 2,576 px (build-with-claude/vision).
//
// Google: 2,240 at the highest media_resolution; before that 258 for each tile of
// 768 px, of which 64 make an image of 6,144×6,144 (gemini-api/docs/tokens,
// gemini-api/docs/media-resolution).
var imageTokens = [...]int64{OpenAI: 2833 + 8*5667, Anthropic: 4784, Google: 64 * 258}

// toolTokens is what the provider's own description of one of its tools costs at
// most; Anthropic's largest is below 2,000 (build-with-claude/tool-use, pricing).
const toolTokens = 2000

// toolPrompt is what Anthropic puts before tools, whoever runs them: 804 tokens at most
// (build-with-claude/tool-use, pricing, of Opus 4.7). toolTokens has room for it.
const toolPrompt = 1024

// frameTokens is what a request costs beside its text: the chat template's own.
const frameTokens = 256

// InputBound is an upper bound of the input tokens of what is in the body, for
// one pass of the model. Where HasUnboundedInput, there is more input than that.
//
// Text: one token for each byte of the body, as tokenizers with bytes at their base
// never make more tokens than bytes, and JSON's own signs make up for the roles'.
// Images: the most that one can cost, whatever its size, as a small file can be a
// large image. Audio in formats of a constant rate: its bytes, as no provider
// counts more than 32 tokens for a second.
func (r *Request) InputBound() int64 {
	bound := int64(len(r.body)-r.imageSize) + int64(r.images)*imageTokens[r.Operation.Dialect] +
		int64(r.toolKinds)*toolTokens + frameTokens
	if r.tooled && r.toolKinds == 0 {
		bound += toolPrompt
	}
	return bound
}

// mediaType notes what media is being read.
func (b *reading) mediaType(start, end int) {
	kind := string(b.prefix(start, end))
	switch {
	case strings.HasPrefix(kind, "image/"):
		b.image = true
	case !boundedByBytes(kind):
		b.request.unbounded++
	}
	b.typed = true
	switch class, _, _ := strings.Cut(kind, "/"); {
	case class == "image":
		b.request.Reach.InputImage = true
	case class == "audio":
		b.request.Reach.InputAudio = true
	case class != "text" && kind != "application/json":
		b.request.Reach.anyInput() // a video has a sound, a document pictures
	}
}

// boundedByBytes tells whether media of a type has fewer tokens than bytes in
// base64. A PDF of a few bytes can have a hundred pages, a video an hour.
func boundedByBytes(kind string) bool {
	if strings.HasPrefix(kind, "text/") {
		return true
	}
	switch kind {
	case "application/json", "audio/wav", "audio/x-wav", "audio/mp3", "audio/mpeg", "audio/aiff":
		return true
	}
	return false
}

// mediaBegins forgets the media read before.
func (b *reading) mediaBegins() { b.image, b.typed, b.mediaSize = false, false, 0 }

// mediaEnds counts the media that was read.
func (b *reading) mediaEnds() {
	if !b.typed {
		b.request.Reach.anyInput()
	}
	if b.image {
		b.request.images++
		b.request.imageSize += b.mediaSize
	}
	b.mediaBegins()
}

// mediaAddress notes media that is given by address, with its data in a data URL
// or to be fetched by the provider.
func (b *reading) mediaAddress(start, end int) {
	isImage := bytes.HasPrefix(b.prefix(start, end), []byte("data:image/"))
	clear(b.beginning[:]) // it may be of an address that is nobody else's business
	if isImage {
		b.request.images++
		b.request.imageSize += end - start
		return
	}
	if !b.null(start, end) {
		b.request.unbounded++
	}
}
