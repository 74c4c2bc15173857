// Package usage reads what a provider's response says about its consumption,
// while the response passes through. It is the only place where response bytes
// are read.
//
// A Meter takes the bytes in pieces of any size and gives back those that may go
// to the client now. From the point on after which no more content can follow it
// withholds them, so that the settlement can be made durable before the client
// sees the end:
//
//	meter := usage.NewMeter(usage.Options{Format: usage.OpenAIChat, Framing: usage.SSE})
//	for piece := range pieces {
//		client.Write(meter.Feed(piece))
//	}
//	client.Write(meter.Finish())
//	settle(meter.Report().Usage)
//	client.Write(meter.Withheld())
//
// Its memory does not grow with the response: content is skipped over. Only where a
// model has a tokenizer the first tokens.AnswerSample bytes of its text are kept, until
// Forget.
package usage

import (
	"errors"

	"github.com/faregate/faregate/metering/tokens"
)

// Format is a provider's wire format.
type Format uint8

// The formats. OpenAI's are those of all that are compatible.
const (
	OpenAIChat          Format = iota // chat completions
	AnthropicMessages                 // Anthropic's messages, also on Vertex
	GeminiGenerate                    // Gemini's generateContent and streamGenerateContent, also on Vertex
	OpenAICompletions                 // completions of the older kind
	OpenAIResponses                   // responses, and their compaction
	OpenAIEmbeddings                  // embeddings
	OpenAIImages                      // images generated and edited
	OpenAITranscription               // audio transcribed and translated
	OpenAISpeech                      // text spoken
	GeminiEmbed                       // embedContent and batchEmbedContents, also on Vertex
	MistralOCR                        // documents read
	FreeAnswer                        // what no provider charges for: tokens counted by any of them, moderations
)

// Framing is how a response is cut into documents.
type Framing uint8

// The framings. Gemini's stream without alt=sse is JSON: one array, sent in
// pieces. Raw is anything else, audio and plain text.
const (
	JSON Framing = iota
	SSE
	Raw
)

// Profile says how a provider's completions count differently from OpenAI's,
// where cached and written tokens are inside prompt_tokens and reasoning is
// inside completion_tokens. Where the numbers show that themselves, as the total
// is larger by just the part that is left out, it need not be given.
type Profile uint8

// The profiles.
const (
	ProfileStandard Profile = iota
	// ProfileReasoningApart: completion_tokens lacks the reasoning tokens, which
	// are output all the same. xAI and the Vercel AI gateway.
	ProfileReasoningApart
	// ProfileThoughtsHidden: completion_tokens lacks the thoughts, which show
	// only in total_tokens. Gemini's OpenAI-compatible endpoint.
	ProfileThoughtsHidden
	// ProfileAudioApart: prompt_tokens lacks the audio tokens. Mistral.
	ProfileAudioApart
)

// Options says what a Meter is going to read.
type Options struct {
	Format  Format
	Framing Framing
	// Choices is how many alternatives were asked for (n, candidateCount), for
	// completions times the prompts, and how many images; 0 is 1.
	Choices int
	// StripUsage says that the gateway, not the client, asked for usage in a stream
	// of completions, chat or others (stream_options.include_usage), so that what this adds to the stream
	// is taken out again: the null usage member of each chunk and the extra last
	// chunk. Not for providers that report usage unasked.
	StripUsage bool
	Profile    Profile
	// Estimator says how the model counts.
	Estimator tokens.Estimator
	// LongCache says that the request asked for caches to be kept for hours. The response
	// says it too, with most providers.
	LongCache bool
	// Units of the request, which stand where the response does not tell:
	// characters to be spoken or embedded, milliseconds of audio, pages. Not for
	// conversations.
	Units Units
	// LongestAudio is how many milliseconds of audio the request may have at most, where
	// those of Units are a guess: what was heard in it can show that it is longer.
	LongestAudio int64
}

var (
	// ErrMalformed says that a response was not in its wire format.
	ErrMalformed = errors.New("response is malformed")
	// ErrTruncated says that a response ended before its wire format allows.
	ErrTruncated = errors.New("response is truncated")
	// ErrTooLarge says that more than maxWithheld bytes came after the point
	// where a response was over; the rest was dropped.
	ErrTooLarge = errors.New("response goes on for too long after its end")
)
