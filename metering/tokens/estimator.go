// Package tokens counts the tokens of text by our own means, for what no provider
// has counted: what a request is charged whose client left before its usage came.
//
// For OpenAI's models it has their tokenizers. It counts the beginning of a text with
// them, and the rest by what it is made of, in the proportion that was found in the
// counted part. For all other models it goes by what the text is made of alone: see
// family.
package tokens

import (
	"math"
	"math/bits"
)

// How many bytes of a text are counted with a model's tokenizer, at most: of an answer,
// where they are kept until it has ended, and of a prompt, which is in memory anyway.
const (
	AnswerSample = 8 << 10
	PromptSample = 32 << 10
)

// Estimator counts as one model would; the zero Estimator as any.
type Estimator struct{ known *family }

func (e Estimator) family() *family {
	if e.known == nil {
		return &anyFamily
	}
	return e.known
}

// For returns the Estimator of the first name that is known.
func For(names ...string) Estimator {
	for _, name := range names {
		if f := familyOf(name); f != nil {
			return Estimator{f}
		}
	}
	return Estimator{}
}

// Family is the name of the kind of model that is counted for.
func (e Estimator) Family() string { return e.family().name }

// HasTokenizer tells whether a sample of the text makes the count better.
func (e Estimator) HasTokenizer() bool { return e.family().encoding != nil }

// Answer counts what a model generated. sample is the beginning of the text, as far as
// it was kept.
func (e Estimator) Answer(sample []byte, text *Text) int64 {
	return e.family().answerOf(e.Count(sample, text), text)
}

// Count counts a text alone.
func (e Estimator) Count(sample []byte, text *Text) int64 {
	f := e.family()
	whole := f.tokens(text)
	if f.encoding == nil || len(sample) == 0 {
		return whole
	}
	counted := f.encoding.count(sample)
	if int64(len(sample)) == text.Bytes {
		return counted
	}
	var part Text
	part.Add(sample)
	expected := max(f.tokens(&part), 1)
	rest := max(whole-expected, 0)
	if len(sample) >= tellingSample {
		// rest × counted ÷ expected, in 128 bits.
		high, low := bits.Mul64(uint64(rest), uint64(counted))
		if high < uint64(expected) {
			scaled, _ := bits.Div64(high, low, uint64(expected))
			rest = int64(min(scaled, math.MaxInt64-uint64(counted)))
		}
	}
	return counted + rest
}

// tellingSample is how long a sample must be to tell what the rest of a text is like.
const tellingSample = 1 << 10

// Prompt is what a request has for a model to read.
type Prompt struct {
	Text   Text
	Sample []byte // the beginning of the text
	// Messages that are in the prompt; 0 of what is no conversation.
	Messages int64
	Tools    int64 // that are described to the model
}

// Input counts what a model has to read.
func (e Estimator) Input(p *Prompt) int64 {
	return e.family().inputOf(e.Count(p.Sample, &p.Text), p)
}

// answerOf adds the marks around an answer to the tokens of its text.
func (f *family) answerOf(text int64, made *Text) int64 {
	if made.Bytes == 0 {
		return 0
	}
	return text + f.answer + made.Calls*f.call
}

// inputOf adds the marks around a prompt to the tokens of its text.
func (f *family) inputOf(text int64, p *Prompt) int64 {
	n := text + p.Messages*f.message + p.Text.Calls*f.call
	if p.Messages > 0 {
		n += f.request
	}
	if p.Tools > 0 {
		n += f.tools + p.Tools*f.tool
	}
	return n
}
