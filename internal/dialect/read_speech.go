package dialect

import "unicode/utf8"

// Fields of speech.
const (
	speechModel field = iota + 1
	speechInput
	speechStream
)

// speechBody is what is read of POST /v1/audio/speech (openai-openapi,
// CreateSpeechRequest).
var speechBody = &place{names: []member{
	{text: "model", at: &place{field: speechModel}},
	{text: "input", at: &place{field: speechInput}},
	{text: "stream_format", at: &place{field: speechStream}},
}}

// maxSpeech bounds the text of one request (openai-openapi: 4,096 characters; newer
// models take 2,000 tokens).
const maxSpeech = 16 << 10

// What a text costs at most as audio, and what it costs mostly: 1,250 tokens make a
// minute (openai.com, gpt-4o-mini-tts: 0.015 USD a minute at 12 USD a million), in which
// 900 characters are read at an ordinary pace. Instructions can make it slow.
const (
	speechOverhead = 256
	speechTokens   = 8
)

// EstimatedSpeech is a likely number of tokens of the audio, where the answer tells none.
func (r *Request) EstimatedSpeech() int64 { return r.Characters * 1250 / 900 }

// readSpeech reads a body that asks for text to be spoken.
func (r *Request) readSpeech() error {
	b := &reading{request: r}
	err := b.scan(speechBody, func(f field, start, end int) (problem *Error) {
		switch f {
		case speechModel:
			return b.modelName(start, end)
		case speechInput:
			text, problem := b.string("input", start, end, maxSpeech)
			r.Characters = int64(utf8.RuneCountInString(text))
			return problem
		}
		format, problem := b.enumerated("stream_format", start, end)
		r.Stream = format == "sse"
		r.SSE = r.Stream
		return problem
	})
	switch {
	case err != nil:
		return err
	case r.Model == "":
		return noModel()
	case r.Characters == 0:
		return invalid("input", "is missing, or empty. Send the text to be spoken")
	}
	return nil
}
