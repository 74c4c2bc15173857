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
	case CodeStoreUnavailable, CodeCreditElsewhere, CodeShuttingDown:
		problem.RetryAfter = time.Second
	}
	return problem
}

// NoCredit is the error of an account that cannot pay for a request's worst case.
// The amounts are decimal numbers of dollars.
func NoCredit(needed, available string) *Error {
	return NewError(CodeNoCredit).WithMessage("The account has too little credit for this request: it can cost up to $" + needed +
		", and $" + available + " is available. Add credit, or ask for less: a lower output cap, a shorter prompt or a cheaper model.")
}

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
