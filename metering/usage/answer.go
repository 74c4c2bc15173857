package usage

import (
	"bytes"

	"github.com/faregate/faregate/metering/tokens"
)

// The places of interest in answers that are no conversation.
const (
	answerType field = iota + 1
	answerText
	answerDelta
	answerMedia
	answerItem
	answerImage
	answerDuration
	answerCounted
)

var (
	embeddingRoot = answerDocument(
		member{"data", &node{element: &node{field: answerItem, marks: true, members: []member{}}}},
	)
	imageRoot = answerDocument(
		member{"type", value(answerType)},
		member{"data", &node{element: &node{field: answerImage, marks: true, members: []member{
			{"b64_json", length(answerMedia)},
			{"url", presence(answerItem)},
		}}}},
		member{"b64_json", length(answerMedia)},
		member{"url", presence(answerItem)},
	)
	// The text of an answer in segments, words or speakers is there as a whole too.
	transcriptionRoot = answerDocument(
		member{"type", value(answerType)},
		member{"text", length(answerText)},
		member{"delta", length(answerDelta)},
		member{"duration", value(answerDuration)},
	)
	speechRoot = answerDocument(
		member{"type", value(answerType)},
		member{"audio", length(answerMedia)},
		member{"audio_data", length(answerMedia)}, // Mistral
	)
	pagesRoot = answerDocument(
		member{"usage_info", openAIUsageNode},
		member{"pages", &node{element: &node{members: []member{{"markdown", length(answerText)}}}}},
		member{"document_annotation", length(answerText)},
	)
	freeRoot = answerDocument(
		member{"input_tokens", value(answerCounted)}, // Anthropic and OpenAI
		member{"totalTokens", value(answerCounted)},  // Gemini
	)

	answerRoots = map[Format]*node{
		OpenAIEmbeddings: embeddingRoot, OpenAIImages: imageRoot, OpenAITranscription: transcriptionRoot,
		OpenAISpeech: speechRoot, MistralOCR: pagesRoot, FreeAnswer: freeRoot,
	}
)

func answerDocument(members ...member) *node {
	return &node{members: append(members, openAICommon...)}
}

// answer reads embeddings, images, transcriptions, speech and documents.
type answer struct {
	openAI
	format Format
	wanted int   // images
	given  Units // by the request
	// longestAudio is Options'.
	longestAudio int64
	images       int64
	counted      int64

	// Of the document being read.
	event       answerEvent
	text, delta tokens.Text
	encoded     int64
	shows       bool

	milliseconds int64
}

// answerEvent is what an event of a stream is about.
type answerEvent uint8

const (
	answerWhole   answerEvent = iota // no event, but the answer
	answerPart                       // a further piece
	answerPreview                    // of an image
	answerRepeat                     // of what pieces said
	answerDone
	answerFailed
)

func answerEventOf(name []byte) answerEvent {
	switch {
	case bytes.HasSuffix(name, []byte(".delta")):
		return answerPart
	case bytes.HasSuffix(name, []byte(".partial_image")):
		return answerPreview
	case bytes.HasSuffix(name, []byte(".done")), bytes.HasSuffix(name, []byte(".completed")):
		return answerDone
	case bytes.HasSuffix(name, []byte(".segment")):
		return answerRepeat
	case string(name) == "error", bytes.HasSuffix(name, []byte(".failed")):
		return answerFailed
	}
	return answerWhole
}

func (a *answer) begin(f field) {
	if f == answerImage {
		a.encoded, a.shows = 0, false
		return
	}
	a.openAI.begin(f)
}

func (a *answer) end(f field) {
	switch f {
	case answerItem:
		a.present()
	case answerImage:
		a.addImage()
	default:
		a.openAI.end(f)
	}
}

// addImage counts an image that was made. One that was refused has no data.
func (a *answer) addImage() {
	if a.encoded > 0 || a.shows {
		a.images++
		a.present()
	}
	a.media(a.encoded)
	a.encoded, a.shows = 0, false
}

func (a *answer) value(f field, k kind, text []byte) {
	if k == kindNull {
		return
	}
	switch f {
	case answerType:
		a.event = answerEventOf(text)
		switch a.event {
		case answerDone:
			a.final = a.final || a.format != OpenAIImages || a.images+1 >= int64(a.wanted)
		case answerFailed:
			a.fail()
		}
	case answerDuration:
		if n := decimal(text, 3); a.sensible(n) {
			a.milliseconds = n
		}
	case answerCounted:
		a.counted = count(text)
	default:
		a.openAI.value(f, k, text)
	}
}

func (a *answer) length(f field, text *tokens.Text) {
	switch f {
	case openAIErrorText:
		a.errorSays = true
	case answerText:
		a.text.Join(text)
	case answerDelta:
		a.delta.Join(text)
	case answerMedia:
		a.encoded += text.Bytes
	case answerItem:
		a.shows = true
	}
}

func (a *answer) endDocument(whole bool) {
	switch a.event {
	case answerWhole:
		a.outcome.text(&a.text)
		a.media(a.encoded)
	case answerPart:
		a.outcome.text(&a.delta)
		a.media(a.encoded)
	case answerPreview:
		a.present()
	case answerDone:
		if a.format == OpenAIImages {
			a.addImage()
		}
		if a.text.Bytes > a.output.Bytes { // no pieces came before
			a.content, a.fresh, a.output = true, true, a.text
		}
	}
	before := a.last
	if a.commit(whole) && a.event == answerDone && a.images > 1 {
		a.last = before.plusImage(a.last)
	}
	a.event, a.text, a.delta, a.encoded, a.shows = answerWhole, tokens.Text{}, tokens.Text{}, 0, false
}

// endBody ends a stream of fewer images than were asked for.
func (a *answer) endBody() { a.final = a.final || a.format == OpenAIImages && a.images > 0 }

// plusImage adds the usage of a further image of one stream. Where it is that of
// all so far, the output has grown.
func (c openAICounts) plusImage(next openAICounts) openAICounts {
	if next.output > c.output || next.completion > c.completion {
		return next
	}
	sum := next
	sum.prompt = plus(sum.prompt, c.prompt)
	sum.completion = plus(sum.completion, c.completion)
	sum.input = plus(sum.input, c.input)
	sum.output = plus(sum.output, c.output)
	sum.total = plus(sum.total, c.total)
	sum.cached = plus(sum.cached, c.cached)
	sum.cachedImage = plus(sum.cachedImage, c.cachedImage)
	sum.promptImage = plus(sum.promptImage, c.promptImage)
	sum.outputText = plus(sum.outputText, c.outputText)
	sum.outputImage = plus(sum.outputImage, c.outputImage)
	return sum
}

// imageUsage is that of a model which makes images: output that is not told apart is image.
func (c openAICounts) imageUsage(profile Profile, model string) Usage {
	if c.outputText == 0 && c.outputImage == 0 {
		c.outputImage = max(c.output, c.completion)
	}
	return c.usage(profile, model)
}

func (a *answer) fill(r *Report) {
	a.openAI.fill(r)
	units := &r.Usage.Units
	switch a.format {
	case OpenAIImages:
		r.Usage = a.last.imageUsage(a.profile, a.model)
		units.Images = a.images
	case OpenAITranscription:
		if units.Milliseconds == 0 && a.milliseconds > 0 {
			units.Milliseconds = a.milliseconds
			r.Reported = true
		}
		if units.Milliseconds == 0 {
			a.given.Milliseconds = max(a.given.Milliseconds, min(spokenFor(&r.Output), a.longestAudio))
		}
	case FreeAnswer:
		r.Free, r.Counted = true, a.counted
	}
	*units = units.orElse(a.given)
}

// spokenFor is for how many milliseconds somebody must have spoken at least, to have said
// this: 25 letters in a second are 300 words in a minute, which nobody is understood at, and
// nine syllables of Chinese, Japanese or Korean are as fast. What makes subtitles of it, numbers
// and signs, does not count.
func spokenFor(said *tokens.Text) int64 {
	return 40*(said.Letters+said.Alphabets) + 110*said.Ideographs
}
