package dialect

import (
	"strconv"
	"time"
)

// Error is an error of ours on its way to a caller, of any dialect.
type Error struct {
	// Status is the HTTP status, 400 to 599.
	Status int
	Code   Code
	// Message says what is wrong and what to do. It never quotes the request.
	Message string
	// Param names the member of the request that is wrong; empty if none is.
	Param string
	// RetryAfter is when it makes sense to try again; 0 says nothing.
	RetryAfter time.Duration
	// RequestID is by which the operator finds the request.
	RequestID string
	// Allow is the method that is allowed, for CodeMethod.
	Allow string
}

// NewError returns the catalogue's error of a code, with its status and text.
func NewError(code Code) *Error {
	known, ok := catalogue[code]
	if !ok {
		code = CodeInternal
		known = catalogue[code]
	}
	problem := &Error{Status: known.status, Code: code, Message: known.message}
	switch code {
	case CodeStoreUnavailable, CodeCreditElsewhere, CodeTooManyWaiting, CodeShuttingDown, CodeBusy, CodeOverloaded:
		problem.RetryAfter = time.Second
	}
	return problem
}

// Shortage says what a request needs and what there is. The amounts are decimal
// numbers of dollars.
type Shortage struct {
	// Needed is what the request can cost at most.
	Needed, Available string
	// Least is what it can cost with LeastTokens of output, the shortest answer that the
	// gateway asks for by itself; empty where it keeps to the caller's cap.
	Least       string
	LeastTokens int64
	// KeyLimit tells that the key's spend limit is short, and not the account's credit.
	KeyLimit bool
	// Failed tells that a provider which the credit does cover was asked and failed.
	Failed bool
}

// NoCredit is the error of a request whose worst case cannot be paid: CodeKeyLimit or
// CodeNoCredit.
func NoCredit(d Dialect, s Shortage) *Error {
	code, text, remedy := CodeNoCredit, "The account has too little credit for this request", "Top up the account"
	if s.KeyLimit {
		code, text = CodeKeyLimit, "The spend limit of this API key leaves too little for this request"
		remedy = "Ask the owner of the key to raise its limit, or use another key"
	}
	text += ": it can cost up to $" + s.Needed + ", and $" + s.Available + " is available beside what running requests hold."
	if s.Least != "" {
		text += " An answer of " + strconv.FormatInt(s.LeastTokens, 10) + " tokens, the shortest that is worth asking for, would need $" + s.Least + "."
	}
	if s.Failed {
		text = "The provider that the credit suffices for could not answer, and for the next one it does not suffice. " + text
	}
	return NewError(code).WithMessage(text + " " + remedy + ", or ask for less: a lower " + capNames[d] + ", a shorter prompt or a cheaper model.")
}

// capNames are what the dialects call the output cap.
var capNames = [...]string{OpenAI: "max_completion_tokens (in Responses: max_output_tokens)", Anthropic: "max_tokens", Google: "maxOutputTokens"}

// WithMessage replaces the text and returns the error.
func (e *Error) WithMessage(text string) *Error {
	e.Message = text
	return e
}

// WithParam names the member of the request that is wrong and returns the error.
func (e *Error) WithParam(name string) *Error {
	e.Param = name
	return e
}

// WithRequestID says by which id the operator finds the request and returns the error.
func (e *Error) WithRequestID(id string) *Error {
	e.RequestID = id
	return e
}

func (e *Error) Error() string {
	return strconv.Itoa(e.Status) + " " + string(e.Code) + ": " + e.Message
}
