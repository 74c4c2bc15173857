package caddymodule

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering"
)

// Names of OpenTelemetry's semantic conventions: of generative AI, and those of HTTP that
// Caddy's span has.
const (
	attributeOperation  = attribute.Key("gen_ai.operation.name")
	attributeProvider   = attribute.Key("gen_ai.provider.name")
	attributeModel      = attribute.Key("gen_ai.request.model")
	attributeServed     = attribute.Key("gen_ai.response.model")
	attributeFinish     = attribute.Key("gen_ai.response.finish_reasons")
	attributeInput      = attribute.Key("gen_ai.usage.input_tokens")
	attributeCacheRead  = attribute.Key("gen_ai.usage.cache_read.input_tokens")
	attributeOutput     = attribute.Key("gen_ai.usage.output_tokens")
	attributeError      = attribute.Key("error.type")
	attributeClient     = attribute.Key("client.address")
	attributePeer       = attribute.Key("network.peer.address")
	attributePeerPort   = attribute.Key("network.peer.port")
	attributeUserAgent  = attribute.Key("user_agent.original")
	attributePath       = attribute.Key("url.path")
	attributeOddMethod  = attribute.Key("http.request.method_original")
	attributeRequestID  = attribute.Key("faregate.request_id")
	attributeStatus     = attribute.Key("faregate.status")
	attributeBasis      = attribute.Key("faregate.basis")
	attributeAttempts   = attribute.Key("faregate.attempts")
	attributeCost       = attribute.Key("faregate.cost_nanodollars")
	attributeFirstToken = attribute.Key("faregate.time_to_first_token_ms")
)

// conventionalOperations are the conventions' names of what we call otherwise.
var conventionalOperations = map[string]string{
	"messages": "chat", "responses": "chat", "completions": "text_completion", "embed_content": "embeddings", "batch_embed_contents": "embeddings",
}

// conventionalProviders are the conventions' names of what we call otherwise.
var conventionalProviders = map[string]string{
	"google": "gcp.gemini", "xai": "x_ai", "mistral": "mistral_ai", "azure-openai": "azure.ai.openai", "azure-openai-deployments": "azure.ai.openai",
}

func conventional(names map[string]string, name string) string {
	if known, ok := names[name]; ok {
		return known
	}
	return name
}

// spanOf is the span that Caddy's handler tracing has begun for the request; nil if
// nobody records it.
func spanOf(r *http.Request) trace.Span {
	if span := trace.SpanFromContext(r.Context()); span.IsRecording() {
		return span
	}
	return nil
}

// keepPrivate takes out of a span what Caddy has put there and our log does not have: who
// called, and the texts that a caller chooses. A span is exported when it ends, and the last
// value of an attribute counts.
func keepPrivate(span trace.Span, r *http.Request) {
	span.SetAttributes(attributeClient.String(""), attributePeer.String(""), attributePeerPort.Int(0),
		attributeUserAgent.String(""), attributePath.String(""))
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		span.SetAttributes(attributeOddMethod.String(""))
	}
}

// traceExchange tells the span what was called, and how it was refused if no provider was
// asked. What a request came to is told by its settlement.
func (ex *Exchange) traceExchange(path string) {
	span := ex.span
	span.SetAttributes(attributeRequestID.String(ex.id))
	if ex.operation.Name == "" {
		path = ""
	}
	span.SetAttributes(attributePath.String(pathPattern(path, ex.operation)))
	if ex.problem != nil {
		span.SetAttributes(attributeError.String(string(ex.problem.Code)))
	}
	if ex.settlement != nil {
		return
	}
	if ex.operation.Name != "" {
		span.SetAttributes(attributeOperation.String(conventional(conventionalOperations, ex.operation.Name)))
	}
	if ex.model != nil {
		span.SetAttributes(attributeModel.String(ex.model.Name))
	}
}

// pathPattern is the path of an operation without the model in it, which a caller names.
func pathPattern(path string, operation dialect.Operation) string {
	before, model, ok := strings.Cut(path, "/models/")
	if !ok {
		return path
	}
	verb := ""
	if at := strings.LastIndexByte(model, ':'); at >= 0 && operation.Kind != dialect.ShowModel {
		verb = model[at:]
	}
	return before + "/models/{model}" + verb
}

// traceRecord tells a span what a request came to: numbers, enumerations and names of the
// catalogue, as the record has them, and neither whose request it was.
func traceRecord(span trace.Span, record *metering.Record) {
	u := &record.Usage
	attributes := append(make([]attribute.KeyValue, 0, 16),
		attributeOperation.String(conventional(conventionalOperations, record.Operation)), attributeModel.String(record.ModelRequested),
		attributeInput.Int64(u.InputTotal), attributeOutput.Int64(u.OutputTotal),
		attributeStatus.String(string(record.Status)), attributeBasis.String(string(record.Basis)), attributeAttempts.Int(record.Attempts),
		attributeCost.Int64(int64(record.Cost)))
	if record.Provider != "" {
		attributes = append(attributes, attributeProvider.String(conventional(conventionalProviders, record.Provider)))
	}
	if record.ModelServed != "" {
		attributes = append(attributes, attributeServed.String(record.ModelServed))
	}
	if record.FinishReason != "" {
		attributes = append(attributes, attributeFinish.StringSlice([]string{record.FinishReason}))
	}
	if cached := u.CacheRead + u.CacheReadAudio + u.CacheReadImage + u.CacheReadVideo; cached > 0 {
		attributes = append(attributes, attributeCacheRead.Int64(cached))
	}
	if record.TimeToFirstToken > 0 {
		attributes = append(attributes, attributeFirstToken.Int64(record.TimeToFirstToken.Milliseconds()))
	}
	if record.Status != metering.StatusOK {
		attributes = append(attributes, attributeError.String(string(record.Status)))
	}
	if record.Status == metering.StatusProviderError || record.Status == metering.StatusInterrupted {
		span.SetStatus(otelcodes.Error, "") // also where the answer had begun with 200
	}
	span.SetAttributes(attributes...)
}
