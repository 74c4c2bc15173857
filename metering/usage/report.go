package usage

import "github.com/faregate/faregate/metering/tokens"

// Report is what a response said so far.
type Report struct {
	// Usage is the last that the provider reported. Before Final it is what was
	// reported so far, which may lack most of the output (Anthropic's first event
	// has the input and a provisional output). Its Units are there also where
	// nothing was reported: counted from the answer (images, searches), or those of
	// Options.Units. They are all that a model priced by the piece needs.
	Usage Usage
	// Reported tells whether the provider reported any usage other than all zero.
	Reported bool
	// Free tells that the answer is of an operation that providers do not charge
	// for. Counted is the number of tokens that it told.
	Free    bool
	Counted int64
	// Doubt says what is wrong with the reported numbers, if anything.
	Doubt Doubt
	// ProviderCost is what the provider says that it charges, in pico-dollars
	// (10⁻¹² USD); 0 if it does not say. It is there to check prices against.
	ProviderCost int64
	// Provisional tells that the output in Usage lags behind what was sent. The
	// number that Anthropic gives with the start of a message stands until its
	// end. Of the other formats some providers report running counts; these hold,
	// unless our own count of the output text is more than twice as high.
	Provisional bool
	// Final tells whether the generation ended by the wire format's rule: no
	// more content can follow.
	Final bool
	// Complete tells whether the whole answer arrived, the end of its framing included.
	Complete bool
	// Failed tells whether the response is, or ended in, an error. ErrorKind says which.
	Failed    bool
	ErrorKind ErrorKind
	// Content tells whether any output was seen.
	Content bool
	// Output says what the text of the output is made of, tool arguments and visible
	// reasoning included, for estimates where no usage is reported.
	Output tokens.Text
	// OutputMediaBytes counts images and audio in the output as they are encoded
	// in the response, mostly in base64, for estimates too. Previews of images do
	// not count.
	OutputMediaBytes int64
	// VisibleReasoning tells whether any text of reasoning was seen. It may be a
	// summary, shorter than what is billed: Gemini's thoughts, Claude's thinking.
	VisibleReasoning bool
	// Model is the model that served, as the provider names it. Where a
	// fallback took over, it is the fallback's, as the usage is.
	Model string
	// FinishReason, ServiceTier, Speed and Geo are the provider's words: at most 64
	// bytes of letters, digits and ._:/@-, else empty.
	FinishReason, ServiceTier, Speed, Geo string
	// Passes is billed work beside Usage: compactions and advisors, and images that
	// a language model had made by another one.
	Passes []Pass
	// Err says why the response cannot be relied on, see ErrMalformed and others.
	Err error
}

// Pass is a part of a response that another sampling did.
type Pass struct {
	Model string // empty: the response's model
	Usage Usage
}

// ErrorKind is what an error in a response is about.
type ErrorKind string

// The kinds of errors.
const (
	ErrorNone           ErrorKind = ""
	ErrorInvalidRequest ErrorKind = "invalid_request"
	ErrorAuthentication ErrorKind = "authentication"
	ErrorPermission     ErrorKind = "permission"
	ErrorNotFound       ErrorKind = "not_found"
	ErrorRateLimited    ErrorKind = "rate_limited"
	ErrorQuota          ErrorKind = "quota"
	ErrorContentFilter  ErrorKind = "content_filter"
	ErrorOverloaded     ErrorKind = "overloaded"
	ErrorServer         ErrorKind = "server"
	ErrorOther          ErrorKind = "other"
)

// errorKinds maps the words of the providers' error objects: type, code, status.
var errorKinds = map[string]ErrorKind{
	"invalid_request_error": ErrorInvalidRequest, "INVALID_ARGUMENT": ErrorInvalidRequest,
	"FAILED_PRECONDITION": ErrorInvalidRequest, "OUT_OF_RANGE": ErrorInvalidRequest, "request_too_large": ErrorInvalidRequest,
	"context_length_exceeded": ErrorInvalidRequest, "unsupported_parameter": ErrorInvalidRequest,
	// What a response failed for (OpenAI's openapi file, ResponseErrorCode), if not by the
	// provider's fault. It has no type beside it.
	"invalid_prompt": ErrorInvalidRequest, "invalid_image": ErrorInvalidRequest, "invalid_image_format": ErrorInvalidRequest,
	"invalid_base64_image": ErrorInvalidRequest, "invalid_image_url": ErrorInvalidRequest, "invalid_image_mode": ErrorInvalidRequest,
	"image_too_large": ErrorInvalidRequest, "image_too_small": ErrorInvalidRequest, "image_file_too_large": ErrorInvalidRequest,
	"image_parse_error": ErrorInvalidRequest, "unsupported_image_media_type": ErrorInvalidRequest, "empty_image_file": ErrorInvalidRequest,
	"failed_to_download_image": ErrorInvalidRequest, "image_file_not_found": ErrorInvalidRequest, "image_content_policy_violation": ErrorContentFilter,
	"tool_use_failed": ErrorInvalidRequest, "400": ErrorInvalidRequest, "413": ErrorInvalidRequest, "422": ErrorInvalidRequest,
	"authentication_error": ErrorAuthentication, "UNAUTHENTICATED": ErrorAuthentication,
	"invalid_api_key": ErrorAuthentication, "401": ErrorAuthentication,
	"permission_error": ErrorPermission, "PERMISSION_DENIED": ErrorPermission, "403": ErrorPermission,
	"not_found_error": ErrorNotFound, "NOT_FOUND": ErrorNotFound, "model_not_found": ErrorNotFound,
	"DeploymentNotFound": ErrorNotFound, "404": ErrorNotFound,
	"rate_limit_error": ErrorRateLimited, "rate_limit_exceeded": ErrorRateLimited, "429": ErrorRateLimited,
	"RESOURCE_EXHAUSTED": ErrorRateLimited,
	"insufficient_quota": ErrorQuota, "billing_error": ErrorQuota, "402": ErrorQuota,
	"content_filter": ErrorContentFilter, "content_policy_violation": ErrorContentFilter,
	"overloaded_error": ErrorOverloaded, "UNAVAILABLE": ErrorOverloaded, "529": ErrorOverloaded, "503": ErrorOverloaded,
	"server_error": ErrorServer, "api_error": ErrorServer, "INTERNAL": ErrorServer, "timeout_error": ErrorServer,
	"DEADLINE_EXCEEDED": ErrorServer, "500": ErrorServer, "502": ErrorServer, "504": ErrorServer,
}

// errorRank puts the more telling of an error object's words first: providers
// say type invalid_request_error for nearly everything and are exact in code.
var errorRank = map[ErrorKind]int{ErrorNone: 0, ErrorOther: 1, ErrorInvalidRequest: 2, ErrorServer: 3}

// refine returns the more telling of two kinds.
func (k ErrorKind) refine(word []byte) ErrorKind {
	other, known := errorKinds[string(word)]
	if !known {
		other = ErrorOther
	}
	rank := func(k ErrorKind) int {
		if r, ok := errorRank[k]; ok {
			return r
		}
		return 4
	}
	if rank(other) > rank(k) {
		return other
	}
	return k
}
