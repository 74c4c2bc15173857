package dialect

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// span is a part of a body; the zero span is none.
type span struct{ start, end int }

func (p span) present() bool { return p.end > 0 }

// places are where the body is edited.
type places struct {
	model           span
	models          []span // Google's: the model is in the path and may be in the body
	toolCalls       span   // responses: max_tool_calls
	store           span   // responses
	outputCap       span   // max_completion_tokens, max_tokens, generationConfig.maxOutputTokens
	oldOutputCap    span   // chat: max_tokens
	settings        span   // generationConfig
	streamOptions   span
	streamOptionUse span // stream_options.include_usage
}

// reading is a body while it is read: what was found so far of the media and the
// tool that are being read.
type reading struct {
	request *Request
	scanner scanner

	image     bool // the media is an image
	typed     bool // the kind of the media is known
	mediaSize int  // bytes of its data

	// asked are the kinds of output that are listed so far.
	asked struct{ audio, image bool }

	beginning [64]byte // what prefix reads into

	toolType      string
	toolExecution string // where a tool search runs
	maxUses       int64
}

func (b *reading) scan(root *place, visit func(field, int, int) *Error) error {
	b.scanner.data, b.scanner.visit = b.request.body, visit
	if problem := b.scanner.scan(root); problem != nil {
		return problem
	}
	return nil
}

// null tells whether a value is null, which all dialects read as absent.
func (b *reading) null(start, end int) bool { return end-start == 4 && b.scanner.data[start] == 'n' }

// boolean reads true or false; null is false.
func (b *reading) boolean(param string, start, end int) (bool, *Error) {
	switch b.scanner.data[start] {
	case 't':
		return true, nil
	case 'f', 'n':
		return false, nil
	}
	return false, invalid(param, "must be true or false")
}

// integer reads an integer between least and most, written as digits only: what
// 1.0, 1e3 and "1" mean differs between parsers. null is 0.
func (b *reading) integer(param string, start, end int, least, most int64) (int64, *Error) {
	if b.null(start, end) {
		return 0, nil
	}
	number, err := strconv.ParseInt(string(b.scanner.data[start:end]), 10, 64)
	if err != nil || number < least || number > most {
		return 0, invalid(param, "must be an integer from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10)+", written without fraction, exponent or quotes")
	}
	return number, nil
}

// string reads a string of at most length bytes; null is empty.
func (b *reading) string(param string, start, end, length int) (string, *Error) {
	if b.null(start, end) {
		return "", nil
	}
	value := b.scanner.data[start:end]
	if value[0] != '"' {
		return "", invalid(param, "must be a string")
	}
	if len(value) <= length*6+2 { // an escape is up to six bytes for one
		var space [64]byte
		if decoded, err := jsontext.AppendUnquote(space[:0], value); err == nil && len(decoded) <= length {
			return string(decoded), nil
		}
	}
	return "", invalid(param, "is too long or not valid text")
}

// modelName reads the model that is called.
func (b *reading) modelName(start, end int) *Error {
	name, problem := b.string("model", start, end, maxModelName)
	if problem != nil || !ValidModelName(name) {
		return invalid("model", "must be a model's name: a string of 1 to 128 letters, digits and . _ : @ / -")
	}
	b.request.Model = name
	b.request.places.model = span{start, end}
	return nil
}

// enumerated reads a name that may have prices of its own.
func (b *reading) enumerated(param string, start, end int) (string, *Error) {
	name, problem := b.string(param, start, end, 64)
	if problem != nil {
		return "", problem
	}
	if !enumeration(name) {
		return "", invalid(param, "must be one of the names that the provider documents")
	}
	return name, nil
}

// enumeration tells whether a text can be a name out of a provider's documents.
func enumeration(name string) bool {
	for _, c := range []byte(name) {
		if !alphanumeric(c) && strings.IndexByte("._:/@-", c) < 0 {
			return false
		}
	}
	return len(name) <= 64
}

// prefix reads the beginning of a string, in lower case, up to 64 bytes. It is for
// telling kinds of addresses and media apart, without copying all of them. The bytes
// are valid until the next call.
func (b *reading) prefix(start, end int) []byte {
	value := b.scanner.data[start:end]
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	value = value[1 : len(value)-1]
	decoded := &b.beginning
	n := 0
	for i := 0; i < len(value) && n < len(decoded); n++ {
		c := rune(value[i])
		size := 1
		if c == '\\' {
			c, size = unescape(value[i:])
		}
		if c >= 0x80 {
			c = 0 // of no kind that is known
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		decoded[n] = byte(c)
		i += size
	}
	return decoded[:n]
}

// reasoning reads a member that asks for reasoning, or turns it off with a word for that;
// null does neither.
func (b *reading) reasoning(off string, start, end int) {
	switch word := b.prefix(start, end); {
	case b.null(start, end):
	case string(word) == off:
		b.request.NoReasoning = true
	default:
		b.request.AsksReasoning = true
	}
}

// budget reads how many tokens may go into reasoning: -1 lets the model choose, 0 turns
// reasoning off.
func (b *reading) budget(param string, start, end int) *Error {
	r := b.request
	budget, problem := b.integer(param, start, end, -1, maxOutputCap)
	if !b.null(start, end) {
		r.NoReasoning = r.NoReasoning || budget == 0
		r.AsksReasoning = r.AsksReasoning || budget != 0
	}
	r.ThinkingBudget = max(budget, 0)
	return problem
}

// object demands an object or null.
func (b *reading) object(param string, start, end int) *Error {
	if b.scanner.data[start] != '{' && !b.null(start, end) {
		return invalid(param, "must be an object")
	}
	return nil
}

// refusal says why a member is not supported.
type refusal struct{ param, why string }

// refuse refuses a member that asks for something: one that is not null, false or
// an empty array.
func (b *reading) refuse(param, why string, start, end int) *Error {
	first := b.scanner.data[start]
	if first == 'n' || first == 'f' || first == '[' && b.scanner.data[b.scanner.space(start+1)] == ']' {
		return nil
	}
	return unsupported(param, why)
}

func invalid(param, what string) *Error {
	return NewError(CodeInvalidRequest).WithParam(param).WithMessage(param + " " + what + ".")
}

func unsupported(param, why string) *Error {
	return NewError(CodeUnsupported).WithParam(param).WithMessage(param + " is not supported by this gateway: " + why)
}

// Reasons for what is refused, in the order of how often they are met.
const (
	becauseStored    = "it refers to content kept at the provider, in an account that callers share. Put the content into the request."
	becauseUncapped  = "the tool runs at the provider without a bound on what it costs. Run such a tool on your side."
	becauseModels    = "it lets another model answer than the one called. Call the other model yourself."
	becauseContainer = "it keeps content in a container at the provider. Run code on your side."
	becauseKept      = "the provider would keep the content. Leave it out, or set it to false."
	becauseLater     = "the answer would come later, and be kept until then. Stream it instead."
)
