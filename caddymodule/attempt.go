package caddymodule

import (
	"context"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/crypto/blake2b"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/usage"
)

const (
	// errorBodyPatience bounds the wait for the rest of a provider's error.
	errorBodyPatience = 5 * time.Second
	// maxErrorBody bounds what is read of a provider's error.
	maxErrorBody = 64 << 10
)

// attempt sends the request to one provider. It returns either the response to
// pass on, whose body ends the call, or how it failed.
func (t *Transport) attempt(ex *Exchange, r *http.Request, call *upstream.Call, covered allowance) (*http.Response, *failure) {
	target := call.Attempt
	var outputCap int64
	if covered.told {
		outputCap = covered.outputCap
	}
	pieces, err := ex.request.Body(dialect.Edit{
		Model: target.Model, OutputCap: outputCap, OldOutputCap: target.Provider.OldOutputCap, IncludeUsage: ex.injectUsage(target.Provider),
	})
	if err != nil {
		return nil, unsent(err)
	}
	payload, err := ex.body.inPieces(pieces)
	if err != nil {
		return nil, unsent(err)
	}
	defer payload.release()
	sending := payload.send()
	// The provider's request has a life of its own: the client's leaving must not
	// end it before the usage is known, unless that is what is wanted.
	ctx, end := context.WithCancelCause(context.Background())
	cancel := func() { end(context.Canceled) }
	leaving := ex.watchClient(target.Provider, cancel)
	request, err := t.providerRequest(sending.traced(ctx), ex, r, target, sending)
	if err != nil {
		leaving.stop()
		cancel()
		sending.drop()
		return nil, unsent(err)
	}
	waiting := newPatience(ctx, end, target.Provider.Timeouts, t.app.after)
	response, err := t.app.transportOf(target.Provider).RoundTrip(request)
	ex.sent = sending.end()
	if err != nil {
		waiting.stop()
		leaving.stop()
		cancel()
		return nil, unanswered(waiting.why(err))
	}
	decodeAnswer(response)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		rest := time.AfterFunc(errorBodyPatience, cancel)
		failed := readFailure(target.Dialect, response, t.app.now())
		rest.Stop()
		waiting.stop()
		if failed.class == dialect.ProviderModelNotFound && !target.TellsOfModel(ex.operation) {
			failed.outcome = upstream.Outcome{}
		}
		// A provider that quotes the key which it was shown must not give it away.
		if failed.quotes(target.Credential.Secret()) {
			failed.forget()
		}
		leaving.stop()
		cancel()
		return nil, failed
	}
	waiting.source = response.Body
	body := &responseBody{
		source: waiting, waiting: waiting, cancel: cancel, leaving: leaving, exchange: ex, settlement: ex.settlement,
		call: call, limits: dialect.ReadProviderLimits(response.Header, t.app.now()),
		status: response.StatusCode, length: response.ContentLength, streams: ex.request.Stream,
	}
	framing, ok := framingOf(response.Header.Get("Content-Type"), ex.operation.AnswersRaw())
	if !ok {
		body.discard()
		return nil, inAnswer(dialect.ProviderInvalidAnswer, http.StatusBadGateway)
	}
	body.framing, body.streams = framing, body.streams || framing == usage.Raw
	units := ex.likelyPieces()
	body.meter = usage.NewMeter(usage.Options{
		Format: ex.operation.Format, Framing: framing, Choices: max(ex.request.Choices, int(ex.request.Images.Count)),
		StripUsage: ex.injectUsage(target.Provider), Profile: target.Profile(), Units: units, LongestAudio: ex.longestAudio(units),
		Estimator: ex.estimator(target), LongCache: ex.request.LongCache,
	})
	if failed := body.begin(); failed != nil {
		body.discard()
		if report := body.meter.Report(); ex.clientLeft() {
			ex.seen = &report
		} else {
			ex.settlement.abandon(report)
		}
		return nil, failed
	}
	body.begun = true
	body.tellAnswered()
	if body.unsettled != nil {
		body.discard()
		call.Done(body.outcome())
		ex.problem = unsettledProblem(body.unsettled).WithRequestID(ex.id)
		return errorResponse(r, ex.dialect, ex.problem), nil
	}
	length := response.ContentLength
	if framing == usage.SSE {
		response.Header.Del("Content-Length")
		length = -1
		ex.delivery.expectEvents(r.Context())
	}
	shown, header := t.answerHeader(ex)
	dialect.CopyResponseHeader(header, response.Header)
	dialect.AddHeader(header, dialect.RequestIDHeader(ex.dialect), ex.id)
	trailer := body.tellCost(r, header, length)
	ex.response, ex.providerStatus = body, response.StatusCode
	return &http.Response{
		Status: response.Status, StatusCode: response.StatusCode, Header: shown,
		Proto: response.Proto, ProtoMajor: response.ProtoMajor, ProtoMinor: response.ProtoMinor,
		Body: body, ContentLength: length, Trailer: trailer, Request: r,
	}, nil
}

// injectUsage tells whether the provider must be asked for usage that the caller
// did not ask for.
func (ex *Exchange) injectUsage(provider *upstream.Provider) bool {
	counted := ex.operation.Format == usage.OpenAIChat || ex.operation.Format == usage.OpenAICompletions
	return counted && ex.request.Stream && !ex.request.IncludeUsage && !provider.UsageUnasked
}

// providerRequest builds the request from allow-lists: nothing of the client's
// request goes on by itself.
func (t *Transport) providerRequest(ctx context.Context, ex *Exchange, r *http.Request, target upstream.Attempt,
	sending *sending,
) (*http.Request, error) {
	address, err := target.URL(ex.operation, ex.request)
	if err != nil {
		return nil, err
	}
	header := make(http.Header, 8)
	dialect.CopyRequestHeader(ex.dialect, header, ex.header)
	header["Accept-Encoding"] = identityEncoding
	if ex.operation.AnswersRaw() {
		header["Accept"] = acceptAnything
	}
	if ex.request.ContentType != "" {
		header["Content-Type"] = []string{ex.request.ContentType}
	}
	// All fields of the name, as a provider may take any of them for the key.
	key := strings.Trim(strings.Join(header["Idempotency-Key"], ","), " ,")
	delete(header, "Idempotency-Key")
	if key != "" {
		header["Idempotency-Key"] = []string{ownIdempotencyKey(ex.principal.AccountID, key)}
	}
	target.SetCredential(header)
	request := (&http.Request{
		Method: http.MethodPost, URL: address, Host: address.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: sending.body(), GetBody: sending.bodyAgain, ContentLength: sending.payload.length,
	}).WithContext(ctx)
	return request, nil
}

// ownIdempotencyKey makes a caller's key the account's own: all callers share the
// operator's account at the provider, and one must never get another's answer.
func ownIdempotencyKey(accountID, key string) string {
	text := append(append(append(make([]byte, 0, 256), accountID...), 0), key...)
	sum := blake2b.Sum256(text)
	clear(text)
	return hex.EncodeToString(sum[:])
}

var (
	identityEncoding = []string{"identity"}
	acceptAnything   = []string{"*/*"}
)

// framingOf tells how an answer of this content type is framed. Only some operations
// may answer raw, with audio or plain text.
func framingOf(contentType string, raw bool) (usage.Framing, bool) {
	mediaType, _, err := dialect.ParseMediaType(contentType)
	switch {
	case err != nil:
		return 0, false
	case mediaType == "text/event-stream":
		return usage.SSE, true
	case mediaType == "application/json":
		return usage.JSON, true
	}
	return usage.Raw, raw && (strings.HasPrefix(mediaType, "audio/") || strings.HasPrefix(mediaType, "text/") ||
		mediaType == "application/octet-stream" || mediaType == "application/x-subrip")
}

func (t *Transport) logFailure(ex *Exchange, target upstream.Attempt, failed *failure) {
	measured.failed(target.Provider.Name, failed)
	t.app.logger.Warn("attempt failed",
		zap.String("request_id", ex.id), zap.String("provider", target.Provider.Name),
		zap.Stringer("key", target.Credential), zap.Int("status", failed.status),
		zap.String("reason", failed.reason()))
}
