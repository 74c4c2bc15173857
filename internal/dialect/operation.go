package dialect

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/faregate/faregate/metering/usage"
)

// Kind says what is done with an operation.
type Kind uint8

// The kinds of operations.
const (
	Generate       Kind = iota // a model works; metered
	Free                       // sent to a provider that does not charge for it
	ListModels                 // answered from the catalogue
	ShowModel                  // one model, answered from the catalogue
	ShowGeneration             // what one request was and cost, answered from the books
)

// Operation is something that can be asked for.
type Operation struct {
	// Name is the operation's name in usage records.
	Name    string
	Dialect Dialect
	Kind    Kind
	// Format is the wire format of the answer, where it has usage.
	Format usage.Format

	// path is the operation's path behind the provider's base address; of Google's
	// operations the verb behind the model.
	path string
	read reader
}

// IsForm tells whether the body is multipart/form-data, to be read by ParseForm.
func (o Operation) IsForm() bool { return o.read == readsImageForm || o.read == readsAudioForm }

// AnswersRaw tells whether the answer may be neither JSON nor events.
func (o Operation) AnswersRaw() bool { return o.read == readsSpeech || o.read == readsAudioForm }

// Usual tells whether all models of the dialect that converse can be asked for the
// operation: where one of those is missing, it is the model that is.
func (o Operation) Usual() bool {
	switch o.Name {
	case chatCompletions.Name, messages.Name, generateContent.Name:
		return true
	}
	return false
}

// reader says how an operation's body is read.
type reader uint8

const (
	readsChat reader = iota
	readsCompletions
	readsResponses
	readsImages
	readsImageForm
	readsSpeech
	readsAudioForm
	readsEmbeddings
	readsModerations
	readsMessages
	readsGenerate
	readsCountTokens // Google's, which may wrap a body of generateContent
	readsEmbedContent
)

var (
	// ErrNoOperation says that there is nothing at a path. It is answered with 404.
	ErrNoOperation = errors.New("no such operation")
	// ErrMethod says that there is something at a path, but not for this method.
	// It is answered with 405. The error that Match returns is a *MethodError.
	ErrMethod = errors.New("method not allowed")
)

// MethodError says which methods a path takes, as the header field Allow does.
type MethodError struct{ Allow string }

func (e *MethodError) Error() string { return "method not allowed: use " + e.Allow }

// Is makes it an ErrMethod.
func (e *MethodError) Is(target error) bool { return target == ErrMethod }

const (
	chatPath         = "/v1/chat/completions"
	messagesPath     = "/v1/messages"
	modelsPath       = "/v1/models"
	googleModelsPath = "/v1beta/models"
	generationPath   = "/v1/generation"
	realtimePath     = "/v1/realtime"
	// compatiblePrefix is where Gemini's OpenAI-compatible operations are
	// (gemini-api/docs/openai).
	compatiblePrefix = "/v1beta/openai/"
)

var (
	chatCompletions = Operation{Name: "chat", Dialect: OpenAI, Format: usage.OpenAIChat, path: "/chat/completions"}
	messages        = Operation{Name: "messages", Dialect: Anthropic, Format: usage.AnthropicMessages, path: messagesPath, read: readsMessages}
	generateContent = Operation{Name: "generate_content", Dialect: Google, Format: usage.GeminiGenerate, path: ":generateContent", read: readsGenerate}

	completions      = Operation{Name: "completions", Dialect: OpenAI, Format: usage.OpenAICompletions, path: "/completions", read: readsCompletions}
	responses        = Operation{Name: "responses", Dialect: OpenAI, Format: usage.OpenAIResponses, path: "/responses", read: readsResponses}
	compactResponses = Operation{Name: "responses_compact", Dialect: OpenAI, Format: usage.OpenAIResponses, path: "/responses/compact", read: readsResponses}
	countResponses   = Operation{Name: "responses_input_tokens", Dialect: OpenAI, Kind: Free, Format: usage.FreeAnswer, path: "/responses/input_tokens", read: readsResponses}
	embeddings       = Operation{Name: "embeddings", Dialect: OpenAI, Format: usage.OpenAIEmbeddings, path: "/embeddings", read: readsEmbeddings}
	moderations      = Operation{Name: "moderations", Dialect: OpenAI, Kind: Free, Format: usage.FreeAnswer, path: "/moderations", read: readsModerations}
	generateImages   = Operation{Name: "images", Dialect: OpenAI, Format: usage.OpenAIImages, path: "/images/generations", read: readsImages}
	editImages       = Operation{Name: "image_edits", Dialect: OpenAI, Format: usage.OpenAIImages, path: "/images/edits", read: readsImageForm}
	speech           = Operation{Name: "speech", Dialect: OpenAI, Format: usage.OpenAISpeech, path: "/audio/speech", read: readsSpeech}
	transcriptions   = Operation{Name: "transcriptions", Dialect: OpenAI, Format: usage.OpenAITranscription, path: "/audio/transcriptions", read: readsAudioForm}
	translations     = Operation{Name: "translations", Dialect: OpenAI, Format: usage.OpenAITranscription, path: "/audio/translations", read: readsAudioForm}
	countMessages    = Operation{Name: "count_tokens", Dialect: Anthropic, Kind: Free, Format: usage.FreeAnswer, path: messagesPath + "/count_tokens", read: readsMessages}
	countContents    = Operation{Name: "count_tokens", Dialect: Google, Kind: Free, Format: usage.FreeAnswer, path: ":countTokens", read: readsCountTokens}
	embedContent     = Operation{Name: "embed_content", Dialect: Google, Format: usage.GeminiEmbed, path: ":embedContent", read: readsEmbedContent}
	embedContents    = Operation{Name: "batch_embed_contents", Dialect: Google, Format: usage.GeminiEmbed, path: ":batchEmbedContents", read: readsEmbedContent}
)

// posted are the operations with the model in the body, by path.
var posted = map[string]*Operation{
	chatPath:                       &chatCompletions,
	"/v1/completions":              &completions,
	"/v1/responses":                &responses,
	"/v1/responses/compact":        &compactResponses,
	"/v1/responses/input_tokens":   &countResponses,
	"/v1/embeddings":               &embeddings,
	"/v1/moderations":              &moderations,
	"/v1/images/generations":       &generateImages,
	"/v1/images/edits":             &editImages,
	"/v1/audio/speech":             &speech,
	"/v1/audio/transcriptions":     &transcriptions,
	"/v1/audio/translations":       &translations,
	messagesPath:                   &messages,
	messagesPath + "/count_tokens": &countMessages,
}

// verbs are Google's operations, by what follows the model in the path.
var verbs = [...]*Operation{&generateContent, &countContents, &embedContent, &embedContents}

// streamVerb is generateContent answered in pieces.
const streamVerb = ":streamGenerateContent"

// Match finds the operation by method and decoded path. Paths are compared as they
// are: nothing is cleaned, so that no spelling of a path can mean another one to
// the provider. Behind /v1beta/openai/ are OpenAI's operations once more, as Gemini has
// them there. The caller's dialect, which Guess tells, decides in whose shape
// /v1/models lists. For Google's operations and ShowModel it returns the model and
// whether a stream is asked for, as both are in the path.
//
// Errors are ErrNoOperation, ErrMethod, or an *Error where what is asked for is
// known and not served, or the model's name is not one.
func Match(method, path string, caller Dialect) (operation Operation, model string, stream bool, err error) {
	operation, model, stream, err = find(path, caller)
	if err != nil {
		return Operation{}, "", false, err
	}
	if methods := operation.methods(); !slices.Contains(methods, method) {
		return Operation{}, "", false, &MethodError{Allow: strings.Join(methods, ", ")}
	}
	return operation, model, stream, nil
}

// find is Match for any method.
func find(path string, caller Dialect) (operation Operation, model string, stream bool, err error) {
	rest, compatible := strings.CutPrefix(path, compatiblePrefix)
	if compatible {
		// What OpenAI's SDKs call behind that base address is what they call behind /v1.
		path, caller = "/v1/"+rest, OpenAI
	}
	if known := posted[path]; known != nil {
		operation = *known
	} else if operation, model, stream, err = matchModel(path, caller); err != nil {
		return Operation{}, "", false, err
	}
	if compatible && operation.Dialect != OpenAI {
		return Operation{}, "", false, ErrNoOperation
	}
	return operation, model, stream, nil
}

// Methods lists the methods that the operation at a path takes; none where there is
// no operation.
func Methods(path string) []string {
	operation, _, _, err := find(path, OpenAI)
	if err != nil {
		return nil
	}
	return operation.methods()
}

func (o Operation) methods() []string {
	if o.Kind == ListModels || o.Kind == ShowModel || o.Kind == ShowGeneration {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{http.MethodPost}
}

// matchModel reads the paths of models: lists, one model, and
// /v1beta/models/{model}:{verb}. The verb begins at the last colon, as a model's
// name may have colons and slashes itself.
func matchModel(path string, caller Dialect) (operation Operation, model string, stream bool, err error) {
	listed := OpenAI
	if caller == Anthropic {
		listed = Anthropic
	}
	switch path {
	case modelsPath:
		return Operation{Name: "models", Dialect: listed, Kind: ListModels}, "", false, nil
	case generationPath:
		return Operation{Name: "generation", Dialect: caller, Kind: ShowGeneration}, "", false, nil
	case googleModelsPath:
		return Operation{Name: "models", Dialect: Google, Kind: ListModels}, "", false, nil
	}
	if model, ok := strings.CutPrefix(path, modelsPath+"/"); ok && ValidModelName(model) {
		return Operation{Name: "model", Dialect: listed, Kind: ShowModel}, model, false, nil
	}
	rest, ok := strings.CutPrefix(path, googleModelsPath+"/")
	if !ok {
		return Operation{}, "", false, unserved(path)
	}
	operation = Operation{Name: "model", Dialect: Google, Kind: ShowModel}
	model = rest
	for _, known := range verbs {
		if name, ok := strings.CutSuffix(rest, known.path); ok {
			operation, model = *known, name
		}
	}
	if name, ok := strings.CutSuffix(rest, streamVerb); ok {
		operation, model, stream = generateContent, name, true
	}
	if operation.Kind == ShowModel {
		// What follows a colon may be a verb that is not served, or part of a name.
		if err := unserved(path); !errors.Is(err, ErrNoOperation) || !ValidModelName(model) || strings.Contains(model, ":") {
			return Operation{}, "", false, err
		}
	}
	if !ValidModelName(model) {
		return Operation{}, "", false, NewError(CodeInvalidRequest).WithMessage("The model in the path is not a model's name. GET /v1beta/models lists those that you can call.")
	}
	return operation, model, stream, nil
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
	{"/v1/responses", "Stored responses"},
	{"/v1/videos", "Videos"},
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
	if rest, ok := strings.CutPrefix(path, "/v1beta/tunedModels/"); ok && strings.Contains(rest, ":") {
		return NewError(CodeUnsupported).WithMessage("Tuned models belong to one provider account and are not served. " +
			"Call a model of GET /v1beta/models at /v1beta/models/{model}.")
	}
	if path == realtimePath || strings.HasPrefix(path, realtimePath+"/") {
		return NewError(CodeUpgrade).WithMessage("Realtime sessions are not supported by this gateway. Use plain requests; streams come as server-sent events.")
	}
	if id, ok := strings.CutPrefix(path, chatPath+"/"); ok && id != "" {
		return unsupportedOperation("Stored completions")
	}
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
