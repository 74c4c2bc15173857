package dialect

import (
	"errors"
	"net/http"
	"strings"

	"github.com/faregate/faregate/metering/usage"
)

// Kind says what is done with an operation.
type Kind uint8

// The kinds of operations.
const (
	Generate   Kind = iota // a model generates; metered
	ListModels             // answered from the catalogue
)

// Operation is something that can be asked for.
type Operation struct {
	// Name is the operation's name in usage records.
	Name    string
	Dialect Dialect
	Kind    Kind
	// Format is the wire format of the answer, where a model generates.
	Format usage.Format
}

var (
	// ErrNoOperation says that there is nothing at a path. It is answered with 404.
	ErrNoOperation = errors.New("no such operation")
	// ErrMethod says that there is something at a path, but not for this method.
	// It is answered with 405. The error that Match returns is a *MethodError.
	ErrMethod = errors.New("method not allowed")
)

// MethodError says which method a path takes.
type MethodError struct{ Allow string }

func (e *MethodError) Error() string { return "method not allowed: use " + e.Allow }

// Is makes it an ErrMethod.
func (e *MethodError) Is(target error) bool { return target == ErrMethod }

const (
	chatPath         = "/v1/chat/completions"
	messagesPath     = "/v1/messages"
	modelsPath       = "/v1/models"
	googleModelsPath = "/v1beta/models"
	generateVerb     = ":generateContent"
	streamVerb       = ":streamGenerateContent"
)

var (
	chatCompletions = Operation{Name: "chat", Dialect: OpenAI, Format: usage.OpenAIChat}
	messages        = Operation{Name: "messages", Dialect: Anthropic, Format: usage.AnthropicMessages}
	generateContent = Operation{Name: "generate_content", Dialect: Google, Format: usage.GeminiGenerate}
)

// Match finds the operation by method and decoded path. Paths are compared as they
// are: nothing is cleaned, so that no spelling of a path can mean another one to
// the provider. The caller's dialect, which Guess tells, decides in whose shape
// /v1/models lists. For Google's operations it returns the model and whether a
// stream is asked for, as both are in the path.
//
// Errors are ErrNoOperation, ErrMethod, or an *Error where what is asked for is
// known and not served, or the model's name is not one.
func Match(method, path string, caller Dialect) (operation Operation, model string, stream bool, err error) {
	allow := http.MethodPost
	switch path {
	case chatPath:
		operation = chatCompletions
	case messagesPath:
		operation = messages
	case modelsPath:
		operation = Operation{Name: "models", Dialect: OpenAI, Kind: ListModels}
		if caller == Anthropic {
			operation.Dialect = Anthropic
		}
		allow = http.MethodGet
	case googleModelsPath:
		operation = Operation{Name: "models", Dialect: Google, Kind: ListModels}
		allow = http.MethodGet
	default:
		operation = generateContent
		if model, stream, err = matchGoogle(path); err != nil {
			return Operation{}, "", false, err
		}
	}
	if method != allow {
		return Operation{}, "", false, &MethodError{Allow: allow}
	}
	return operation, model, stream, nil
}

// matchGoogle reads /v1beta/models/{model}:{verb}. The verb begins at the last
// colon, as a model's name may have colons and slashes itself.
func matchGoogle(path string) (model string, stream bool, err error) {
	rest, ok := strings.CutPrefix(path, googleModelsPath+"/")
	if !ok {
		rest, ok = strings.CutPrefix(path, "/v1beta/tunedModels/")
		if ok && strings.Contains(rest, ":") {
			return "", false, NewError(CodeUnsupported).WithMessage("Tuned models belong to one provider account and are not served. " +
				"Call a model of GET /v1beta/models at /v1beta/models/{model}.")
		}
		return "", false, unserved(path)
	}
	if model, ok = strings.CutSuffix(rest, streamVerb); ok {
		stream = true
	} else if model, ok = strings.CutSuffix(rest, generateVerb); !ok {
		return "", false, unserved(path)
	}
	if !ValidModelName(model) {
		return "", false, NewError(CodeInvalidRequest).WithMessage("The model in the path is not a model's name. GET /v1beta/models lists those that you can call.")
	}
	return model, stream, nil
}

// leftOut are the operations that are known and left out: they keep content at
// the provider, or tie a caller to one provider account.
var leftOut = []struct{ prefix, name string }{
	{"/v1/batches", "Batches"},
	{"/v1/messages/batches", "Batches"},
	{"/v1/files", "Files"},
	{"/v1/uploads", "Files"},
	{"/v1/vector_stores", "Files"},
	{"/v1/containers", "Containers"},
	{"/v1/conversations", "Stored conversations"},
	{"/v1/assistants", "Assistants"},
	{"/v1/threads", "Assistants"},
	{"/v1/fine_tuning", "Fine tuning"},
	{"/v1/evals", "Evaluations"},
	{"/v1/skills", "Skills"},
	{"/v1beta/cachedContents", "Cached contents"},
	{"/v1beta/interactions", "Interactions"},
	{"/v1beta/files", "Files"},
	{"/v1beta/fileSearchStores", "Files"},
	{"/upload/v1beta/", "Files"},
	{"/v1beta/batches", "Batches"},
	{"/v1beta/corpora", "Corpora"},
}

// unserved says of an unknown path whether it is one that is left out on purpose.
func unserved(path string) error {
	for _, known := range leftOut {
		rest, ok := strings.CutPrefix(path, known.prefix)
		if ok && (rest == "" || rest[0] == '/' || known.prefix[len(known.prefix)-1] == '/') {
			return unsupportedOperation(known.name)
		}
	}
	if strings.HasPrefix(path, googleModelsPath+"/") && (strings.HasSuffix(path, ":batchGenerateContent") || strings.HasSuffix(path, ":asyncBatchEmbedContent")) {
		return unsupportedOperation("Batches")
	}
	return ErrNoOperation
}

func unsupportedOperation(name string) error {
	return NewError(CodeUnsupported).WithMessage(name + " would be kept at the provider and are not supported by this gateway. " +
		"Send the content with each request instead.")
}
