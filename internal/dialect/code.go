package dialect

import "net/http"

// Code names an error of ours. It is the code member of errors in OpenAI's shape.
type Code string

// The errors of ours.
const (
	CodeNoKey               Code = "missing_api_key"
	CodeMalformedKey        Code = "malformed_api_key"
	CodeUnknownKey          Code = "invalid_api_key" // also a revoked one
	CodeExpiredKey          Code = "expired_api_key"
	CodeAmbiguousKey        Code = "ambiguous_api_key"
	CodeSuspended           Code = "account_suspended"
	CodePlainHTTP           Code = "https_required"
	CodeAddressNotAllowed   Code = "address_not_allowed"
	CodeLockedOut           Code = "too_many_invalid_keys"
	CodeRateLimited         Code = "rate_limit_exceeded"
	CodeTooManyTokens       Code = "request_exceeds_token_limit" // no waiting helps
	CodeNoCredit            Code = "insufficient_credit"
	CodeKeyLimit            Code = "key_limit_reached"
	CodeModelUnknown        Code = "model_not_found"
	CodeModelNotAllowed     Code = "model_not_allowed"
	CodeNoPrice             Code = "model_without_price"
	CodeNoProviderAllowed   Code = "no_provider_allowed"
	CodeBodyTooLarge        Code = "request_too_large"
	CodeBodyUnreadable      Code = "request_unreadable"
	CodeBodyTooSlow         Code = "request_too_slow"
	CodeContentType         Code = "unsupported_content_type"
	CodeContentEncoding     Code = "unsupported_content_encoding"
	CodeBusy                Code = "gateway_busy"
	CodeInvalidJSON         Code = "invalid_json"
	CodeAmbiguousJSON       Code = "ambiguous_json"
	CodeInvalidRequest      Code = "invalid_request"
	CodeUnsupported         Code = "unsupported_feature"
	CodeThread              Code = "thread_unsupported_request" // as Anthropic names it
	CodeNotFound            Code = "not_found"
	CodeGenerationUnknown   Code = "generation_not_found"
	CodeMethod              Code = "method_not_allowed"
	CodeUpgrade             Code = "websocket_not_supported"
	CodeProviderDown        Code = "provider_unavailable"
	CodeProviderOverloaded  Code = "provider_overloaded"
	CodeProviderBusy        Code = "provider_busy"
	CodeProviderRefused     Code = "provider_refused_gateway"
	CodeProviderRateLimited Code = "provider_rate_limited"
	CodeProviderLacksModel  Code = "provider_lacks_model"
	CodeProviderBroke       Code = "provider_broke_off"
	CodeProviderTimedOut    Code = "provider_timed_out"
	CodeStoreUnavailable    Code = "store_unavailable"
	CodeCreditElsewhere     Code = "credit_elsewhere"
	CodeTooManyWaiting      Code = "too_many_waiting"
	CodeShuttingDown        Code = "shutting_down"
	CodeOverloaded          Code = "gateway_overloaded"
	CodeInternal            Code = "internal_error"
)

// entry is what is known of an error: its status, what the dialects call its kind,
// and the text.
type entry struct {
	status    int
	openAI    string // error.type
	anthropic string // error.type
	google    string // error.status
	reason    string // Google: reason of an ErrorInfo detail, where SDKs look for it
	message   string
	retry     retry
}

// retry says whether an SDK should send the request again by itself.
type retry uint8

const (
	retryByStatus retry = iota // the status says it already
	retryNever                 // told in x-should-retry, as OpenAI's and Anthropic's SDKs ask it before the status
	retryAlways
)

// The types and statuses are the providers' own. OpenAI: its error codes guide and
// the openapi file. Anthropic: its errors page (401 authentication_error, 402
// billing_error, 403 permission_error, 404 not_found_error, 413 request_too_large,
// 429 rate_limit_error, 500 api_error, 504 timeout_error, 529 overloaded_error).
// Google: google.rpc.Code names with their HTTP mapping; 402 has none, and
// FAILED_PRECONDITION is what the Gemini API says where billing is missing.
var catalogue = map[Code]entry{
	CodeNoKey: {status: http.StatusUnauthorized, openAI: invalidRequest, anthropic: authentication, google: "UNAUTHENTICATED",
		message: "No API key was sent. Send your Faregate key (sk-fg-…) as your SDK's API key: in Authorization: Bearer, x-api-key, x-goog-api-key or api-key."},
	CodeMalformedKey: {status: http.StatusUnauthorized, openAI: invalidRequest, anthropic: authentication, google: "UNAUTHENTICATED",
		message: "The API key is not a Faregate key, or was not copied whole. A Faregate key is sk-fg- followed by 49 letters and digits; a provider's own key does not work here."},
	CodeUnknownKey: {status: http.StatusUnauthorized, openAI: invalidRequest, anthropic: authentication, google: "UNAUTHENTICATED", reason: "API_KEY_INVALID",
		message: "The API key is not known, or was revoked. Use another key or create a new one."},
	CodeExpiredKey: {status: http.StatusUnauthorized, openAI: invalidRequest, anthropic: authentication, google: "UNAUTHENTICATED", reason: "API_KEY_INVALID",
		message: "The API key has expired. Use another key or create a new one."},
	CodeAmbiguousKey: {status: http.StatusUnauthorized, openAI: invalidRequest, anthropic: authentication, google: "UNAUTHENTICATED",
		message: "The request carries two different API keys. Send one: some SDKs also read a key from the environment, unset that or set both alike."},
	CodeSuspended: {status: http.StatusForbidden, openAI: "permission_error", anthropic: "permission_error", google: "PERMISSION_DENIED",
		message: "The account of this API key is suspended. Contact the operator of this gateway."},
	CodePlainHTTP: {status: http.StatusForbidden, openAI: invalidRequest, anthropic: "permission_error", google: "PERMISSION_DENIED",
		message: "Keys and prompts must not cross the network in clear: call this gateway by https. If this key was sent over plain HTTP before, revoke it."},
	CodeAddressNotAllowed: {status: http.StatusForbidden, openAI: invalidRequest, anthropic: "permission_error", google: "PERMISSION_DENIED",
		message: "This API key may not be used from your network address. Use it from one of its own, or ask the owner of the key to add yours."},
	CodeLockedOut: {status: http.StatusTooManyRequests, openAI: "requests", anthropic: rateLimit, google: "RESOURCE_EXHAUSTED",
		message: "Too many invalid API keys came from your network address. Wait as Retry-After says, and check the key before you send it again."},
	CodeRateLimited: {status: http.StatusTooManyRequests, openAI: "requests", anthropic: rateLimit, google: "RESOURCE_EXHAUSTED",
		message: "Too many requests or tokens. Wait as Retry-After says and send the request again."},
	CodeTooManyTokens: {status: http.StatusTooManyRequests, openAI: "tokens", anthropic: rateLimit, google: "RESOURCE_EXHAUSTED", retry: retryNever,
		message: "The request may use more tokens than are allowed in a minute. Lower the output cap or shorten the prompt."},
	CodeNoCredit: {status: http.StatusPaymentRequired, openAI: "insufficient_quota", anthropic: "billing_error", google: "FAILED_PRECONDITION", retry: retryNever,
		message: "The account has too little credit for this request. Add credit, or ask for less: a lower output cap, a shorter prompt or a cheaper model."},
	CodeKeyLimit: {status: http.StatusPaymentRequired, openAI: "insufficient_quota", anthropic: "billing_error", google: "FAILED_PRECONDITION", retry: retryNever,
		message: "The spend limit of this API key leaves too little for this request. Ask the owner of the key to raise its limit, or use another key."},
	CodeModelUnknown: {status: http.StatusNotFound, openAI: invalidRequest, anthropic: notFound, google: "NOT_FOUND",
		message: "The model does not exist at this gateway. The list of models (GET /v1/models or /v1beta/models) says which you can call."},
	CodeModelNotAllowed: {status: http.StatusForbidden, openAI: invalidRequest, anthropic: "permission_error", google: "PERMISSION_DENIED",
		message: "This API key may not call this model. The list of models (GET /v1/models or /v1beta/models) says which it may."},
	CodeNoPrice: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "api_error", google: "UNAVAILABLE", retry: retryNever,
		message: "The model has no price at this gateway, so it cannot be served. Call another model, or ask the operator to set a price."},
	CodeNoProviderAllowed: {status: http.StatusBadRequest, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "The provider preferences exclude all providers of this model. Allow another provider, or call another model."},
	CodeBodyTooLarge: {status: http.StatusRequestEntityTooLarge, openAI: invalidRequest, anthropic: "request_too_large", google: "INVALID_ARGUMENT",
		message: "The request body is larger than this gateway accepts. Send less: fewer or smaller images and files, or a shorter prompt."},
	CodeBodyUnreadable: {status: http.StatusBadRequest, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "The request body could not be read to its end. Send it again."},
	CodeBodyTooSlow: {status: http.StatusRequestTimeout, openAI: invalidRequest, anthropic: invalidRequest, google: "DEADLINE_EXCEEDED",
		message: "The request body came too slowly, or stopped coming. Nothing was charged. Send it again."},
	CodeContentType: {status: http.StatusUnsupportedMediaType, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "The request body is of a kind that this operation does not take. Send JSON in UTF-8 with Content-Type: application/json."},
	CodeContentEncoding: {status: http.StatusUnsupportedMediaType, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "The request body is compressed, which this gateway does not take. Send it as it is, without Content-Encoding."},
	CodeBusy: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "overloaded_error", google: "UNAVAILABLE",
		message: "This gateway has as many large requests in hand as it can hold. Nothing was charged. Send the request again in a moment."},
	CodeInvalidJSON: {status: http.StatusBadRequest, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "The request body is not valid JSON."},
	CodeAmbiguousJSON: {status: http.StatusBadRequest, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "The request body can be read in two ways."},
	CodeInvalidRequest: {status: http.StatusBadRequest, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "The request is not valid."},
	CodeUnsupported: {status: http.StatusBadRequest, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "The request asks for something that this gateway does not support."},
	CodeThread: {status: http.StatusBadRequest, openAI: invalidRequest, anthropic: invalidRequest, google: "INVALID_ARGUMENT",
		message: "Message threads are not supported by this gateway: the provider would keep the conversation. Send the whole conversation without thread."},
	CodeNotFound: {status: http.StatusNotFound, openAI: invalidRequest, anthropic: notFound, google: "NOT_FOUND",
		message: "There is nothing at this address. Check the base URL of your SDK: it ends in /v1 for OpenAI's and has no path for Anthropic's and Google's."},
	CodeGenerationUnknown: {status: http.StatusNotFound, openAI: invalidRequest, anthropic: notFound, google: "NOT_FOUND",
		message: "No request of this API key has this id, or it has not ended yet. The id is that of the header Faregate-Request-Id; it can be asked for once the answer has come to its end, and as long as records are kept."},
	CodeMethod: {status: http.StatusMethodNotAllowed, openAI: invalidRequest, anthropic: invalidRequest, google: "UNIMPLEMENTED",
		message: "This address takes another method; the Allow header says which."},
	CodeUpgrade: {status: http.StatusNotImplemented, openAI: invalidRequest, anthropic: invalidRequest, google: "UNIMPLEMENTED", retry: retryNever,
		message: "WebSockets and other upgrades are not supported. Use plain requests; streams come as server-sent events."},
	CodeProviderDown: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "api_error", google: "UNAVAILABLE",
		message: "No provider of this model could answer: it could not be reached, or it failed. Nothing was charged. Send the request again in a moment, or call another model."},
	CodeProviderOverloaded: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "overloaded_error", google: "UNAVAILABLE",
		message: "The provider of this model is overloaded. Nothing was charged. Send the request again in a moment, or call another model."},
	CodeProviderBusy: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "overloaded_error", google: "UNAVAILABLE",
		message: "As many requests are running as this gateway may send to the provider of this model at once. Nothing was charged. Send the request again in a moment, or call another model."},
	CodeProviderRefused: {status: http.StatusBadGateway, openAI: serverError, anthropic: "api_error", google: "INTERNAL", retry: retryNever,
		message: "The provider of this model refused this gateway's own credential or account. Your key is fine and nothing was charged. Tell the operator, or call another model."},
	CodeProviderRateLimited: {status: http.StatusTooManyRequests, openAI: "requests", anthropic: rateLimit, google: "RESOURCE_EXHAUSTED",
		message: "The provider of this model limits this gateway's rate. Nothing was charged. Wait as Retry-After says and send the request again, or call another model."},
	CodeProviderLacksModel: {status: http.StatusBadGateway, openAI: serverError, anthropic: "api_error", google: "INTERNAL", retry: retryNever,
		message: "The provider does not serve this model, or not for this kind of request, to this gateway. Nothing was charged. Tell the operator, or call another model."},
	CodeProviderBroke: {status: http.StatusBadGateway, openAI: serverError, anthropic: "api_error", google: "INTERNAL",
		message: "The provider broke off its answer. Send the request again."},
	CodeProviderTimedOut: {status: http.StatusGatewayTimeout, openAI: serverError, anthropic: "timeout_error", google: "DEADLINE_EXCEEDED",
		message: "The provider of this model took too long: it sent nothing for as long as this gateway waits. Send the request again, or call another model."},
	CodeStoreUnavailable: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "api_error", google: "UNAVAILABLE",
		message: "This gateway cannot reach its accounts at the moment. Nothing was charged. Send the request again in a moment."},
	CodeCreditElsewhere: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "api_error", google: "UNAVAILABLE",
		message: "The account's credit is in the hands of a gateway that does not answer. It comes back within seconds. Nothing was charged. Send the request again in a moment."},
	CodeTooManyWaiting: {status: http.StatusTooManyRequests, openAI: "requests", anthropic: rateLimit, google: "RESOURCE_EXHAUSTED",
		message: "Running requests hold the credit of this account, and too many others wait for it already. Nothing was charged. Send fewer requests at once, or add credit."},
	CodeOverloaded: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "overloaded_error", google: "UNAVAILABLE",
		message: "This gateway has as many requests under way as it can take. Nothing was charged. Send the request again in a moment."},
	CodeShuttingDown: {status: http.StatusServiceUnavailable, openAI: serverError, anthropic: "api_error", google: "UNAVAILABLE", retry: retryAlways,
		message: "This gateway is restarting. Nothing was charged. Send the request again in a moment."},
	CodeInternal: {status: http.StatusInternalServerError, openAI: serverError, anthropic: "api_error", google: "INTERNAL",
		message: "Something went wrong inside this gateway. Tell the operator the request id."},
}

const (
	invalidRequest = "invalid_request_error"
	authentication = "authentication_error"
	notFound       = "not_found_error"
	rateLimit      = "rate_limit_error"
	serverError    = "server_error"
)
