package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/tokens"
	"github.com/faregate/faregate/metering/usage"
)

// stages are the providers of a chain, each asked when the one before has failed.
var stages = [...]string{"first", "second", "third"}

// fault is a way in which an attempt fails, and what the rules make of it.
type fault struct {
	name     string
	document bool // it is one of answers in one piece
	stream   bool // it is one of streams
	response func(p *pattern) simulator.Response
	// dead asks at an address where nobody listens.
	dead bool
	// stalls is the time-out that ends it.
	stalls time.Duration

	// status is what the provider says; 0 if it says nothing.
	status int
	// code is what the caller is told where nobody else is left.
	code dialect.Code
	// callersOwn is an error that passes as the provider said it, and is tried nowhere else.
	callersOwn bool
	// midway comes when some of the answer has gone out, so that it ends there.
	midway bool
	// preamble lets the provider report usage before there is content, where its dialect
	// does that.
	preamble bool
}

// rank is how much the failure tells the caller: of several the first of those that
// tell most is passed on.
func (f *fault) rank() int {
	switch {
	case f.status == http.StatusTooManyRequests:
		return 2
	case f.status != 0:
		return 1
	}
	return 0
}

func refusing(status int, body string) func(*pattern) simulator.Response {
	return func(p *pattern) simulator.Response {
		response := simulator.ErrorResponse(p.dialect, status)
		if body != "" {
			response.Body = []byte(body)
		}
		return response
	}
}

// faultsOfAttempts are all ways to fail. A request time-out is 10 minutes for the first
// byte and 5 minutes for a pause, as nothing else is configured.
var faultsOfAttempts = []fault{
	{name: "400", document: true, stream: true, status: 400, callersOwn: true, response: refusing(400, "")},
	{name: "413", document: true, stream: true, status: 413, callersOwn: true, response: refusing(413, "")},
	{name: "422", document: true, stream: true, status: 422, callersOwn: true, response: refusing(422, "")},
	{name: "401", document: true, stream: true, status: 401, code: dialect.CodeProviderRefused, response: refusing(401, "")},
	{name: "402", document: true, stream: true, status: 402, code: dialect.CodeProviderRefused, response: refusing(402, "")},
	{name: "403", document: true, stream: true, status: 403, code: dialect.CodeProviderRefused, response: refusing(403, "")},
	{name: "404", document: true, stream: true, status: 404, code: dialect.CodeProviderLacksModel, response: refusing(404, "")},
	{name: "408", document: true, stream: true, status: 408, code: dialect.CodeProviderDown, response: refusing(408, "")},
	{name: "429", document: true, stream: true, status: 429, code: dialect.CodeProviderRateLimited, response: refusing(429, "")},
	{
		name: "429 without credit", document: true, stream: true, status: 429, code: dialect.CodeProviderRefused,
		response: refusing(429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`),
	},
	{name: "500", document: true, stream: true, status: 500, code: dialect.CodeProviderDown, response: refusing(500, "")},
	{name: "502, no JSON", document: true, stream: true, status: 502, code: dialect.CodeProviderDown, response: refusing(502, "<html>Bad Gateway</html>")},
	{name: "503", document: true, stream: true, status: 503, code: dialect.CodeProviderOverloaded, response: refusing(503, "")},
	{name: "529", document: true, stream: true, status: 529, code: dialect.CodeProviderOverloaded, response: refusing(529, "")},
	{name: "a redirect", document: true, stream: true, status: 307, code: dialect.CodeProviderDown, response: func(p *pattern) simulator.Response {
		return simulator.Response{Status: 307, Header: http.Header{"Location": {"/elsewhere"}}, Body: []byte("moved")}
	}},
	{name: "nobody there", document: true, stream: true, dead: true, code: dialect.CodeProviderDown},
	{name: "hung up", document: true, stream: true, code: dialect.CodeProviderDown, response: func(*pattern) simulator.Response {
		return simulator.Response{Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader}
	}},
	{name: "reset", document: true, stream: true, code: dialect.CodeProviderDown, response: func(*pattern) simulator.Response {
		return simulator.Response{Fault: simulator.Reset, FaultAt: simulator.BeforeHeader}
	}},
	{name: "silent", document: true, stream: true, stalls: 10 * time.Minute, code: dialect.CodeProviderTimedOut, response: func(*pattern) simulator.Response {
		return simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader}}}
	}},
	{name: "silent after the header", document: true, stalls: 10 * time.Minute, code: dialect.CodeProviderTimedOut, response: func(*pattern) simulator.Response {
		return simulator.Response{Pauses: []simulator.Pause{{At: 0}}}
	}},
	{name: "a page in place of an answer", document: true, stream: true, status: 502, code: dialect.CodeProviderDown, response: func(*pattern) simulator.Response {
		return simulator.Response{Body: []byte("<html>Sign in</html>"), ContentType: "text/html"}
	}},
	{name: "a document cut off", document: true, code: dialect.CodeProviderDown, response: func(p *pattern) simulator.Response {
		return simulator.Response{Fault: simulator.HangUp, FaultAt: int64(len(p.raw) / 2)}
	}},
	{name: "a document that is none", document: true, status: 502, code: dialect.CodeProviderDown, response: func(p *pattern) simulator.Response {
		return simulator.Response{Body: p.raw[:len(p.raw)/2], ContentType: "application/json"}
	}},
	{name: "an error for a document", document: true, status: 429, code: dialect.CodeProviderRateLimited, response: func(*pattern) simulator.Response {
		return simulator.Response{Answer: &simulator.Answer{Fail: 429}}
	}},
	{name: "an error for a stream", stream: true, status: 429, code: dialect.CodeProviderRateLimited, response: func(*pattern) simulator.Response {
		return simulator.Response{Answer: &simulator.Answer{Fail: 429}}
	}},
	{name: "an error before content", stream: true, preamble: true, status: 429, code: dialect.CodeProviderRateLimited, response: func(p *pattern) simulator.Response {
		return simulator.Response{Body: append(bytes.Clone(p.raw[:p.content]), p.errorEvent(429)...), ContentType: "text/event-stream"}
	}},
	{name: "cut off before content", stream: true, preamble: true, code: dialect.CodeProviderDown, response: func(p *pattern) simulator.Response {
		return simulator.Response{Fault: simulator.HangUp, FaultAt: int64(p.content)}
	}},
	{name: "silent before content", stream: true, preamble: true, stalls: 10 * time.Minute, code: dialect.CodeProviderTimedOut, response: func(p *pattern) simulator.Response {
		return simulator.Response{Pauses: []simulator.Pause{{At: int64(p.content)}}}
	}},
	{name: "cut off midway", stream: true, midway: true, code: dialect.CodeProviderBroke, response: func(p *pattern) simulator.Response {
		return simulator.Response{Fault: simulator.HangUp, FaultAt: int64(p.midway)}
	}},
	{name: "reset midway", stream: true, midway: true, code: dialect.CodeProviderBroke, response: func(p *pattern) simulator.Response {
		gate := simulator.NewGate()
		p.gate = gate
		return simulator.Response{Fault: simulator.Reset, FaultAt: int64(p.midway), Pauses: []simulator.Pause{{At: int64(p.midway), Gate: gate}}}
	}},
	{name: "ended midway", stream: true, midway: true, code: dialect.CodeProviderBroke, response: func(p *pattern) simulator.Response {
		return simulator.Response{Body: p.raw[:p.midway], ContentType: "text/event-stream"}
	}},
	{name: "an error midway", stream: true, midway: true, code: dialect.CodeProviderOverloaded, response: func(p *pattern) simulator.Response {
		return simulator.Response{Body: append(bytes.Clone(p.raw[:p.midway]), p.errorEvent(529)...), ContentType: "text/event-stream"}
	}},
	{name: "silent midway", stream: true, midway: true, stalls: 5 * time.Minute, code: dialect.CodeProviderTimedOut, response: func(p *pattern) simulator.Response {
		return simulator.Response{Pauses: []simulator.Pause{{At: int64(p.midway)}}}
	}},
}

// pattern is an answer without a fault.
type pattern struct {
	wire    wire
	dialect simulator.Dialect
	raw     []byte // as the provider sends it
	// content is where its first content begins, and midway an end of an event after some;
	// of streams.
	content, midway int
	reply           string // as the client gets it
	record          *metering.Record
	rates           *price.Rates
	gate            *simulator.Gate // of the present fault
}

func (p *pattern) errorEvent(status int) []byte {
	body := simulator.ErrorBody(p.dialect, status, "simulated error")
	if p.dialect == simulator.Anthropic {
		return fmt.Appendf(nil, "event: error\ndata: %s\n\n", body)
	}
	return fmt.Appendf(nil, "data: %s\n\n", body)
}

// shown is the text, and the last usage of Gemini's, in the first part of the stream.
func (p *pattern) shown(end int) (text string, reported *usage.Usage) {
	for line := range strings.Lines(string(p.raw[:end])) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok {
			continue
		}
		var event struct {
			Choices []struct{ Delta struct{ Content string } }
			Delta   struct{ Text string }
			Message struct {
				Usage struct {
					Input int64 `json:"input_tokens"`
				}
			}
			Candidates []struct {
				Content struct{ Parts []struct{ Text string } }
			}
			UsageMetadata *struct{ PromptTokenCount, CandidatesTokenCount int64 }
		}
		if json.Unmarshal([]byte(data), &event) != nil {
			continue
		}
		for _, choice := range event.Choices {
			text += choice.Delta.Content
		}
		text += event.Delta.Text
		for _, candidate := range event.Candidates {
			for _, part := range candidate.Content.Parts {
				text += part.Text
			}
		}
		if m := event.UsageMetadata; m != nil {
			reported = &usage.Usage{InputTotal: m.PromptTokenCount, Input: m.PromptTokenCount, OutputTotal: m.CandidatesTokenCount, Output: m.CandidatesTokenCount}
		}
		if input := event.Message.Usage.Input; input > 0 {
			reported = &usage.Usage{InputTotal: input, Input: input, OutputTotal: 1, Output: 1}
		}
	}
	return text, reported
}

// midwayCharge is what an answer costs that ends midway, by the rules of metering.md.
func (p *pattern) midwayCharge(model string) (metering.Nanos, metering.Basis) {
	text, reported := p.shown(p.midway)
	if p.dialect == simulator.Google {
		return p.rates.Cost(*reported, price.Conditions{}), metering.BasisMeasured
	}
	operation, _, _, err := dialect.Match(http.MethodPost, p.wire.path, 0)
	if err != nil {
		panic(err)
	}
	request, err := dialect.ParseRequest(operation, "", false, "", []byte(callingModel(model).Replace(p.wire.body)))
	if err != nil {
		panic(err)
	}
	estimator := tokens.For("served", "served", model)
	counted := usage.Usage{InputTotal: request.EstimateInput(estimator)}
	if reported != nil {
		counted.InputTotal = reported.InputTotal
	}
	written := tokens.Text{}
	written.Add([]byte(text))
	counted.Input, counted.OutputTotal = counted.InputTotal, estimator.Answer([]byte(text), &written)
	counted.Output = counted.OutputTotal
	return p.rates.Cost(counted, price.Conditions{}), metering.BasisEstimated
}
