package dialect

import (
	"bytes"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/faregate/faregate/metering/tokens"
)

const (
	// imageLikely is how many tokens an image likely is: one of 1,024 by 1,024 is 765
	// to 1,400 with most models of all providers. Whatever is given by address, and a
	// document, is taken for one too: it is hardly less.
	imageLikely = 1000
	// audioToken is how much of a recording is likely one token (OpenAI,
	// guides/realtime-costs: one for 100 ms of what users say).
	audioToken = 100 * time.Millisecond
)

// EstimateInput counts the input by our own means, for a charge where the provider
// reported none: the text of messages, tools and schemas as a model of the estimator's
// counts it, and likely numbers for images and recordings. The syntax of JSON, names of
// members and media in base64 are no text. It reads the body again, so that it is for
// the rare case, and for as long as the request has its body.
func (r *Request) EstimateInput(estimator tokens.Estimator) int64 {
	if r.AudioBytes > 0 {
		return int64(r.EstimatedAudio() / audioToken)
	}
	media := int64(r.images+r.unbounded) * imageLikely
	if r.Operation.IsForm() {
		return int64(len(r.body)-r.imageSize)/4 + media
	}
	p, numbers := r.prompt(estimator)
	if p == nil { // the body was read before, so that this cannot be
		return int64(len(r.body)-r.imageSize)/4 + media
	}
	defer clear(p.Sample)
	return estimator.Input(p) + numbers + media
}

// prompt is what the body has for a model to read, and how many numbers in place of
// texts; nil if the body is no JSON.
func (r *Request) prompt(estimator tokens.Estimator) (*tokens.Prompt, int64) {
	p := promptReader{decoder: jsontext.NewDecoder(bytes.NewBuffer(r.body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	if estimator.HasTokenizer() {
		p.schemas = true
		p.prompt.Sample = make([]byte, 0, min(len(r.body), tokens.PromptSample))
	}
	defer func() { clear(p.decoded[:cap(p.decoded)]) }()
	if p.body() != nil {
		return nil, 0
	}
	if r.noOutput || r.Characters > 0 {
		p.prompt.Messages = 0 // no conversation
	}
	return &p.prompt, p.numbers
}

// promptReader finds what a model gets to read in a body that is known to be good.
type promptReader struct {
	decoder *jsontext.Decoder
	prompt  tokens.Prompt
	numbers int64  // each a token, where the caller has made tokens of a text itself
	decoded []byte // the text being read
	schemas bool   // the model is shown the schema of its answer, as OpenAI's are
}

// member says how a member of a body is read, under the names of all dialects;
// whatever else is in it is about the answer and none of the prompt.
func (p *promptReader) member(name string) func(*promptReader) error {
	switch name {
	case "messages", "contents", "input":
		return (*promptReader).messages
	case "system", "systemInstruction", "system_instruction", "instructions", "content":
		return (*promptReader).message
	case "prompt", "suffix":
		return (*promptReader).content
	case "tools", "functions":
		return (*promptReader).tools
	case "response_format", "text":
		if p.schemas {
			return (*promptReader).structure
		}
	case "generateContentRequest", "generate_content_request":
		return (*promptReader).body
	case "requests":
		return (*promptReader).bodies
	}
	return nil
}

// notRead are the members of messages that the model does not see, or not as text.
var notRead = namesOf("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "status", "phase", "object", "model", "format", "detail", "index",
	"signature", "thoughtSignature", "thought_signature", "encrypted_content", "data", "file_data", "inlineData", "inline_data", "fileData", "file_data",
	"image_url", "video_url", "audio_url", "input_audio", "file_url", "file_id", "url", "uri", "source_url",
	"media_type", "mimeType", "mime_type", "cache_control", "annotations", "citations", "logprobs", "extra_content", "caller", "videoMetadata")

// structured are those whose values are shown to the model as they are, with names and
// signs.
var structured = namesOf("args", "response", "arguments", "parameters", "input_schema", "schema", "json_schema", "output", "action")

func namesOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// members reads an object with what visit says for the name of each member; null skips.
func (p *promptReader) members(visit func(name string) func(*promptReader) error) error {
	if p.decoder.PeekKind() != '{' {
		return p.decoder.SkipValue()
	}
	if _, err := p.decoder.ReadToken(); err != nil {
		return err
	}
	for p.decoder.PeekKind() == '"' {
		name, err := p.decoder.ReadToken()
		if err != nil {
			return err
		}
		read := visit(name.String())
		if read == nil {
			read = (*promptReader).skip
		}
		if err := read(p); err != nil {
			return err
		}
	}
	_, err := p.decoder.ReadToken()
	return err
}

// elements reads each element of an array.
func (p *promptReader) elements(read func(*promptReader) error) error {
	if _, err := p.decoder.ReadToken(); err != nil {
		return err
	}
	for kind := p.decoder.PeekKind(); kind != ']' && kind > 0; kind = p.decoder.PeekKind() {
		if err := read(p); err != nil {
			return err
		}
	}
	_, err := p.decoder.ReadToken()
	return err
}

func (p *promptReader) skip() error { return p.decoder.SkipValue() }

func (p *promptReader) body() error {
	return p.members(p.member)
}

func (p *promptReader) bodies() error {
	if p.decoder.PeekKind() != '[' {
		return p.skip()
	}
	return p.elements((*promptReader).body)
}

// messages reads a list of messages, or what stands for one.
func (p *promptReader) messages() error {
	if p.decoder.PeekKind() == '[' {
		return p.elements((*promptReader).message)
	}
	return p.message()
}

func (p *promptReader) message() error {
	if p.decoder.PeekKind() != 'n' {
		p.prompt.Messages++
	}
	return p.content()
}

// content reads a text, or anything that has texts in it.
func (p *promptReader) content() error {
	switch p.decoder.PeekKind() {
	case '"':
		return p.text()
	case '[':
		return p.elements((*promptReader).content)
	case '{':
		return p.members(func(name string) func(*promptReader) error {
			switch {
			case notRead[name]:
				return nil
			case name == "arguments" || name == "args" || name == "input":
				p.prompt.Text.Calls++
				return (*promptReader).structure
			case structured[name]:
				return (*promptReader).structure
			}
			return (*promptReader).content
		})
	case '0':
		p.numbers++
	}
	return p.skip()
}

func (p *promptReader) tools() error {
	if p.decoder.PeekKind() != '[' {
		return p.skip()
	}
	return p.elements((*promptReader).tool)
}

// tool reads the description of a tool, or of several: Gemini's are in lists.
func (p *promptReader) tool() error {
	listed := false
	err := p.members(func(name string) func(*promptReader) error {
		switch name {
		case "functionDeclarations", "function_declarations":
			listed = true
			return (*promptReader).tools
		case "type", "cache_control", "strict":
			return nil
		}
		return (*promptReader).structure
	})
	if !listed {
		p.prompt.Tools++
	}
	return err
}

// structure reads a value with its names and signs, as far as they are not just its
// nesting.
func (p *promptReader) structure() error {
	switch p.decoder.PeekKind() {
	case '"':
		return p.text()
	case '[':
		return p.elements((*promptReader).structure)
	case '{':
		return p.members(func(name string) func(*promptReader) error {
			if name == "cache_control" {
				return nil
			}
			p.add([]byte(name))
			p.add(colon)
			return (*promptReader).structure
		})
	case 'n':
		return p.skip()
	}
	value, err := p.decoder.ReadValue()
	p.add(value)
	return err
}

var colon = []byte(":")

// text reads a string.
func (p *promptReader) text() error {
	value, err := p.decoder.ReadValue()
	if err != nil {
		return err
	}
	// What cannot be decoded has lone surrogates, which do not change its length much.
	if len(value) > cap(p.decoded) { // decoding makes nothing longer
		clear(p.decoded[:cap(p.decoded)])
		p.decoded = make([]byte, 0, 2*len(value))
	}
	p.decoded, _ = jsontext.AppendUnquote(p.decoded[:0], value)
	p.add(p.decoded)
	return nil
}

func (p *promptReader) add(text []byte) {
	p.prompt.Text.Add(text)
	if room := cap(p.prompt.Sample) - len(p.prompt.Sample); room > 0 {
		p.prompt.Sample = append(p.prompt.Sample, text[:min(room, len(text))]...)
	}
}
