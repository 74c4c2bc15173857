package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// generationPatience bounds the look-up of one record.
const generationPatience = 5 * time.Second

// generationJSON is one request as its caller sees it: the fields that OpenRouter's
// endpoint of this name has and we know, and our own record whole.
type generationJSON struct {
	ID           string  `json:"id"`
	Model        string  `json:"model"`
	ProviderName string  `json:"provider_name"`
	CreatedAt    instant `json:"created_at"`
	// TotalCost and Usage are the cost in USD, exact.
	TotalCost    json.Number `json:"total_cost"`
	Usage        json.Number `json:"usage"`
	Streamed     bool        `json:"streamed"`
	Cancelled    bool        `json:"cancelled"`
	FinishReason string      `json:"finish_reason"`
	// Latency is the time to the first token, GenerationTime that from there to the end,
	// in milliseconds.
	Latency        int64 `json:"latency"`
	GenerationTime int64 `json:"generation_time"`
	// The tokens are the provider's own count: ours and "native" are the same.
	TokensPrompt           int64      `json:"tokens_prompt"`
	TokensCompletion       int64      `json:"tokens_completion"`
	NativeTokensPrompt     int64      `json:"native_tokens_prompt"`
	NativeTokensCompletion int64      `json:"native_tokens_completion"`
	NativeTokensReasoning  int64      `json:"native_tokens_reasoning"`
	NativeTokensCached     int64      `json:"native_tokens_cached"`
	Record                 recordJSON `json:"record"`
}

func generationForJSON(r *metering.Record) generationJSON {
	model := r.ModelServed
	if model == "" || model == metering.Other {
		model = r.ModelRequested
	}
	u, cost := &r.Usage, json.Number(r.Cost.String())
	first := r.TimeToFirstToken
	if first == 0 {
		first = r.Duration
	}
	return generationJSON{
		ID: r.ID, Model: model, ProviderName: r.Provider, CreatedAt: instant(r.StartedAt), TotalCost: cost, Usage: cost,
		Streamed: r.Streamed, Cancelled: r.Status == metering.StatusClientClosed, FinishReason: r.FinishReason,
		Latency: first.Milliseconds(), GenerationTime: (r.Duration - first).Milliseconds(),
		TokensPrompt: u.InputTotal, TokensCompletion: u.OutputTotal,
		NativeTokensPrompt: u.InputTotal, NativeTokensCompletion: u.OutputTotal, NativeTokensReasoning: u.Reasoning,
		NativeTokensCached: u.CacheRead + u.CacheReadAudio + u.CacheReadImage + u.CacheReadVideo,
		Record:             recordForJSON(r),
	}
}

var (
	errNoGenerationID = dialect.NewError(dialect.CodeInvalidRequest).WithMessage(
		"Say whose cost you ask for: GET /v1/generation?id=ID, with one id, that of the answer's header Faregate-Request-Id.")
	errNoGeneration = dialect.NewError(dialect.CodeGenerationUnknown)
)

// showGeneration answers what a request of the caller's key was and cost. A request of
// another key is as unknown as one that never was.
func (h *Route) showGeneration(ex *Exchange, r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["id"]) != 1 || query.Get("id") == "" {
		return errNoGenerationID
	}
	text := query.Get("id")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(id.String()) {
		return errNoGeneration
	}
	ctx, cancel := context.WithTimeout(r.Context(), generationPatience)
	defer cancel()
	record, err := ex.runtime.store.Record(ctx, id.String())
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && record.KeyID != ex.principal.KeyID:
		return errNoGeneration
	case err != nil && r.Context().Err() != nil:
		return r.Context().Err()
	case err != nil:
		return errors.Join(auth.ErrUnavailable, err)
	}
	body, err := json.Marshal(struct {
		Data generationJSON `json:"data"`
	}{generationForJSON(record)})
	if err != nil {
		return err
	}
	header := ex.delivery.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	ex.delivery.WriteHeader(http.StatusOK)
	_, _ = ex.delivery.Write(body) // a client that has left needs no answer
	return nil
}
