package dialect

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ModelInfo is what a list of models says of one.
type ModelInfo struct {
	ID          string
	Owner       string
	DisplayName string
	// Created is when the model came out; zero if not known.
	Created time.Time
	// ContextLength and OutputLimit are in tokens; 0 if not known.
	ContextLength int64
	OutputLimit   int64
}

// WriteModels answers with a list of models in the dialect's shape, all on one page.
func WriteModels(w http.ResponseWriter, d Dialect, models []ModelInfo) {
	var body []byte
	switch d {
	case Anthropic:
		body = appendAnthropicModels(body, models)
	case Google:
		body = appendGoogleModels(body, models)
	default:
		body = appendOpenAIModels(body, models)
	}
	writeJSON(w, body)
}

// WriteModel answers with one model in the dialect's shape.
func WriteModel(w http.ResponseWriter, d Dialect, model ModelInfo) {
	switch d {
	case Anthropic:
		writeJSON(w, appendAnthropicModel(nil, model))
	case Google:
		writeJSON(w, appendGoogleModel(nil, model))
	default:
		writeJSON(w, appendOpenAIModel(nil, model))
	}
}

func writeJSON(w http.ResponseWriter, body []byte) {
	header := w.Header()
	header["Content-Type"] = jsonContent
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that has left needs no list
}

func appendOpenAIModels(to []byte, models []ModelInfo) []byte {
	to = append(to, `{"object":"list","data":[`...)
	for i, model := range models {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendOpenAIModel(to, model)
	}
	return append(to, "]}"...)
}

func appendOpenAIModel(to []byte, model ModelInfo) []byte {
	to = append(to, `{"id":`...)
	to = appendString(to, model.ID)
	to = append(to, `,"object":"model","created":`...)
	to = strconv.AppendInt(to, unix(model.Created), 10)
	to = append(to, `,"owned_by":`...)
	to = appendString(to, model.Owner)
	// OpenRouter's and others' extension, which several clients read.
	to = appendLimit(to, `,"context_length":`, model.ContextLength)
	return append(to, '}')
}

func appendAnthropicModels(to []byte, models []ModelInfo) []byte {
	to = append(to, `{"data":[`...)
	for i, model := range models {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendAnthropicModel(to, model)
	}
	to = append(to, `],"has_more":false,"first_id":`...)
	if len(models) == 0 {
		return append(to, `null,"last_id":null}`...)
	}
	to = appendString(to, models[0].ID)
	to = append(to, `,"last_id":`...)
	to = appendString(to, models[len(models)-1].ID)
	return append(to, '}')
}

func appendAnthropicModel(to []byte, model ModelInfo) []byte {
	to = append(to, `{"type":"model","id":`...)
	to = appendString(to, model.ID)
	to = append(to, `,"display_name":`...)
	to = appendString(to, displayName(model))
	// The API gives the epoch where the date of release is not known.
	to = append(to, `,"created_at":"`...)
	to = time.Unix(unix(model.Created), 0).UTC().AppendFormat(to, time.RFC3339)
	to = append(to, '"')
	to = appendLimit(to, `,"max_input_tokens":`, model.ContextLength)
	to = appendLimit(to, `,"max_tokens":`, model.OutputLimit)
	return append(to, '}')
}

func appendGoogleModels(to []byte, models []ModelInfo) []byte {
	to = append(to, `{"models":[`...)
	for i, model := range models {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendGoogleModel(to, model)
	}
	return append(to, "]}"...)
}

func appendGoogleModel(to []byte, model ModelInfo) []byte {
	to = append(to, `{"name":`...)
	to = appendString(to, modelsPrefix+model.ID)
	to = append(to, `,"displayName":`...)
	to = appendString(to, displayName(model))
	to = appendLimit(to, `,"inputTokenLimit":`, model.ContextLength)
	to = appendLimit(to, `,"outputTokenLimit":`, model.OutputLimit)
	// Models do not say what they are for, and Google's own that embed say it in their names.
	if strings.Contains(model.ID, "embedding") {
		return append(to, `,"supportedGenerationMethods":["embedContent","batchEmbedContents","countTokens"]}`...)
	}
	return append(to, `,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}`...)
}

func appendLimit(to []byte, name string, limit int64) []byte {
	if limit <= 0 {
		return to
	}
	return strconv.AppendInt(append(to, name...), limit, 10)
}

func displayName(model ModelInfo) string {
	if model.DisplayName != "" {
		return model.DisplayName
	}
	return model.ID
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
