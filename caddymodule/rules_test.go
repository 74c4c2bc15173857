package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// ruled is a dialect and framing, as far as the rules of what is charged need it. The
// answers are of models that cost everyInputPrice and everyOutputPrice.
type ruled struct {
	name, path, request string
	header              func(string) http.Header
	contentType         string
	// answer has a text, and says what it used: usage is empty, or what usage returns.
	answer func(text, usage string) string
	usage  func(input, output int) string
	// finished ends another way than by itself, without a text: refused, blocked, cut.
	finished map[string]string
	// failed is an error under status 200; broken is where a stream can break off before
	// its text. Both are empty for documents.
	failed, broken string
}

func (r *ruled) streams() bool { return r.failed != "" }

const ruledEvent = "text/event-stream"

func chatUsage(input, output int) string {
	return fmt.Sprintf(`,"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, input, output, input+output)
}

func responsesUsage(input, output int) string {
	return fmt.Sprintf(`,"usage":{"input_tokens":%d,"output_tokens":%d,"total_tokens":%d}`, input, output, input+output)
}

func messagesUsage(input, output int) string {
	return fmt.Sprintf(`,"usage":{"input_tokens":%d,"output_tokens":%d}`, input, output)
}

func geminiUsage(input, output int) string {
	return fmt.Sprintf(`,"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d}`, input, output, input+output)
}

func events(documents ...string) string {
	var all strings.Builder
	for _, document := range documents {
		all.WriteString("data: " + document + "\n\n")
	}
	return all.String()
}

// unstreamed is a request for a document.
func unstreamed(request string) string {
	request = strings.Replace(request, `"stream_options":{"include_usage":true},`, "", 1)
	return strings.Replace(request, `"stream":true,`, "", 1)
}

var ruledDialects = func() []*ruled {
	chat, responses, messages, gemini := spoken["openai_chat"], spoken["openai_responses"], spoken["anthropic_messages"], spoken["gemini_generate"]
	chatChunk := func(delta, finish string) string {
		return `{"model":"own","choices":[{"index":0,"delta":{` + delta + `},"finish_reason":` + finish + `}]}`
	}
	chatEnd := func(usage string) string {
		if usage == "" {
			return events("[DONE]")
		}
		return events(`{"model":"own","choices":[]`+usage+`}`, "[DONE]")
	}
	response := func(status, output, usage string) string {
		return `{"id":"resp_1","object":"response","status":"` + status + `","model":"own","output":[` + output + `]` + usage + `}`
	}
	responseText := func(text string) string {
		if text == "" {
			return ""
		}
		return `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"` + text + `"}]}`
	}
	created := `{"type":"response.created","response":` + response("in_progress", "", `,"usage":null`) + `}`
	messageStart := func(usage string) string {
		return `{"type":"message_start","message":{"type":"message","role":"assistant","model":"own","content":[]` + usage + `}}`
	}
	candidate := func(text, finish string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[{"text":"` + text + `"}]},"finishReason":"` + finish + `","index":0}]`
	}
	return []*ruled{
		{
			name: "chat", path: chat.path, request: unstreamed(chat.request), header: chat.header, contentType: "application/json", usage: chatUsage,
			answer: func(text, usage string) string {
				return `{"model":"own","choices":[{"index":0,"message":{"role":"assistant","content":"` + text + `"},"finish_reason":"stop"}]` + usage + `}`
			},
			finished: map[string]string{
				"content_filter": `{"model":"own","choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"content_filter"}]` + chatUsage(11, 5) + `}`,
				"length":         `{"model":"own","choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"length"}]` + chatUsage(11, 5) + `}`,
			},
		},
		{
			name: "chat stream", path: chat.path, request: chat.request, header: chat.header, contentType: ruledEvent, usage: chatUsage,
			answer: func(text, usage string) string {
				return events(chatChunk(`"role":"assistant"`, "null"), chatChunk(`"content":"`+text+`"`, "null"), chatChunk("", `"stop"`)) + chatEnd(usage)
			},
			finished: map[string]string{"content_filter": events(chatChunk("", `"content_filter"`)) + chatEnd(chatUsage(11, 5))},
			failed:   events(`{"error":{"message":"no","type":"server_error","code":null}}`),
			broken:   events(chatChunk(`"role":"assistant"`, "null")),
		},
		{
			name: "responses", path: responses.path, request: unstreamed(responses.request), header: responses.header, contentType: "application/json", usage: responsesUsage,
			answer: func(text, usage string) string { return response("completed", responseText(text), usage) },
			finished: map[string]string{
				"incomplete":                    response("incomplete", `{"type":"reasoning","summary":[]}`, responsesUsage(11, 5)),
				"failed, by the prompt's fault": response("failed", "", `,"error":{"code":"invalid_prompt","message":"no"}`+responsesUsage(11, 5)),
			},
		},
		{
			name: "responses stream", path: responses.path, request: responses.request, header: responses.header, contentType: ruledEvent, usage: responsesUsage,
			answer: func(text, usage string) string {
				return events(created, `{"type":"response.output_text.delta","output_index":0,"delta":"`+text+`"}`, `{"type":"response.completed","response":`+response("completed", responseText(text), usage)+`}`)
			},
			finished: map[string]string{
				"incomplete": events(created, `{"type":"response.incomplete","response":`+response("incomplete", "", responsesUsage(11, 5))+`}`),
				"failed, by the prompt's fault": events(created, `{"type":"response.failed","response":`+
					response("failed", "", `,"error":{"code":"invalid_prompt","message":"no"}`+responsesUsage(11, 5))+`}`),
			},
			failed: events(created, `{"type":"error","code":"server_error","message":"no"}`),
			broken: events(created),
		},
		{
			name: "messages", path: messages.path, request: unstreamed(messages.request), header: messages.header, contentType: "application/json", usage: messagesUsage,
			answer: func(text, usage string) string {
				content := ""
				if text != "" {
					content = `{"type":"text","text":"` + text + `"}`
				}
				return `{"type":"message","role":"assistant","model":"own","content":[` + content + `],"stop_reason":"end_turn"` + usage + `}`
			},
			finished: map[string]string{
				"refusal": `{"type":"message","role":"assistant","model":"own","content":[],"stop_reason":"refusal"` + messagesUsage(11, 5) + `}`,
			},
		},
		{
			name: "messages stream", path: messages.path, request: messages.request, header: messages.header, contentType: ruledEvent, usage: messagesUsage,
			answer: func(text, usage string) string {
				return events(messageStart(""), `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+text+`"}}`,
					`{"type":"message_delta","delta":{"stop_reason":"end_turn"}`+usage+`}`, `{"type":"message_stop"}`)
			},
			finished: map[string]string{
				"refusal": events(messageStart(messagesUsage(11, 1)), `{"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":5}}`, `{"type":"message_stop"}`),
			},
			failed: events(messageStart(""), `{"type":"error","error":{"type":"overloaded_error","message":"no"}}`),
			broken: events(messageStart("")),
		},
		{
			name: "gemini", path: "/v1beta/models/own-gemini:generateContent", request: gemini.request, header: gemini.header, contentType: "application/json", usage: geminiUsage,
			answer: func(text, usage string) string { return candidate(text, "STOP") + usage + `,"modelVersion":"own"}` },
			finished: map[string]string{
				"blocked":    `{"promptFeedback":{"blockReason":"SAFETY"}` + geminiUsage(11, 5) + `,"modelVersion":"own"}`,
				"max tokens": `{"candidates":[{"finishReason":"MAX_TOKENS","index":0}]` + geminiUsage(11, 5) + `,"modelVersion":"own"}`,
			},
		},
		{
			name: "gemini stream", path: gemini.path + "?alt=sse", request: gemini.request, header: gemini.header, contentType: ruledEvent, usage: geminiUsage,
			answer: func(text, usage string) string {
				return events(`{"candidates":[{"content":{"role":"model","parts":[{"text":"`+text+`"}]},"index":0}],"modelVersion":"own"}`, candidate("", "STOP")+usage+`,"modelVersion":"own"}`)
			},
			finished: map[string]string{"blocked": events(`{"promptFeedback":{"blockReason":"SAFETY"}` + geminiUsage(11, 5) + `,"modelVersion":"own"}`)},
			failed:   events(`{"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}`),
			broken:   events(`{"modelVersion":"own"}`),
		},
	}
}()

const (
	ruledText = "so many words of an answer as nobody has reported the number of"
	// ruledCost is that of 11 tokens in and 5 out.
	ruledCost = metering.Nanos(11*everyInputPrice + 5*everyOutputPrice)
)

// ruledGateway is a gateway that follows the rules in front of a test.
type ruledGateway struct {
	*gateway
	r      *ruled
	calls  int
	credit metering.Nanos // that was deposited
}

func (g *ruledGateway) answers(body string, change ...func(*simulator.Response)) {
	response := simulator.Response{ContentType: g.r.contentType, Body: []byte(body)}
	for _, f := range change {
		f(&response)
	}
	g.provider.Add(simulator.Step{Response: response})
}

// charged makes a call and checks what it is charged.
func (g *ruledGateway) charged(what string, basis metering.Basis, cost metering.Nanos) *metering.Record {
	g.t.Helper()
	got := g.callWith(g.r.path, g.r.request, g.r.header(g.secret))
	return g.recorded(what+", answered "+fmt.Sprint(got.status), basis, cost)
}

// recorded checks the next record. A cost below zero is any above zero.
func (g *ruledGateway) recorded(what string, basis metering.Basis, cost metering.Nanos) *metering.Record {
	g.t.Helper()
	g.calls++
	record := g.records(g.calls)[g.calls-1]
	if record.Basis != basis || cost >= 0 && record.Cost != cost || cost < 0 && record.Cost <= 0 {
		g.t.Errorf("%s: %s, %s (%d and %d tokens, %s); want %s, %s", what, record.Basis, record.Cost,
			record.Usage.InputTotal, record.Usage.OutputTotal, record.Status, basis, cost)
	}
	return record
}

// held starts a call whose answer stops before a byte, and returns what is held for it.
func (g *ruledGateway) held(body string, at int64) (*calling, *simulator.Gate, metering.Nanos) {
	g.t.Helper()
	before, gate := g.available(), simulator.NewGate()
	g.answers(body, func(r *simulator.Response) { r.Pauses = []simulator.Pause{{At: at, Gate: gate}} })
	call := g.startCall(g.r.path, g.r.request, g.r.header(g.secret))
	call.at(gate)
	return call, gate, before - g.available()
}

// eachRule runs a test in each dialect, with documents and streams, at one gateway and
// each with a key of its own.
func eachRule(t *testing.T, o gatewayOptions, test func(t *testing.T, g *ruledGateway)) {
	o.extra = everyModels
	shared := startGateway(t, o)
	g := &ruledGateway{credit: shared.balance()}
	for _, r := range ruledDialects {
		t.Run(r.name, func(t *testing.T) {
			own := *shared
			own.t = t
			_, own.secret = own.createKey(nil, time.Time{})
			g.gateway, g.r = &own, r
			test(t, g)
		})
	}
	g.gateway = shared
	g.settledUp(g.credit, g.records(g.calls))
}

func TestRule1ErrorsWithoutUsageCostNothing(t *testing.T) {
	eachRule(t, gatewayOptions{}, func(_ *testing.T, g *ruledGateway) {
		for _, status := range []int{400, 401, 429, 500} {
			g.answers(`{"error":{"message":"no","type":"some_error","code":"no"}}`, func(r *simulator.Response) { r.Status, r.ContentType = status, "application/json" })
			g.charged(fmt.Sprint("status ", status), metering.BasisWaived, 0)
			g.theRuntime().health.Forget()
		}
		if g.r.name == "responses" {
			// Nobody is given it: it goes to the next provider, and is the operator's cost.
			g.answers(`{"object":"response","status":"failed","model":"own","output":[],"error":{"code":"server_error","message":"no"}` + responsesUsage(11, 5) + `}`)
			g.charged("failed by the provider's fault", metering.BasisWaived, 0)
			g.theRuntime().health.Forget()
		}
		if !g.r.streams() {
			return
		}
		g.answers(g.r.failed)
		g.charged("an error under status 200 before any output", metering.BasisWaived, 0)
		g.theRuntime().health.Forget()
		g.answers(g.r.broken, func(r *simulator.Response) { r.Fault, r.FaultAt = simulator.HangUp, int64(len(g.r.broken)) })
		g.charged("broken off before any output", metering.BasisWaived, 0)
		g.theRuntime().health.Forget()
	})
}

func TestRule2ReportedUsageIsCharged(t *testing.T) {
	eachRule(t, gatewayOptions{}, func(_ *testing.T, g *ruledGateway) {
		g.answers(g.r.answer(ruledText, g.r.usage(11, 5)))
		g.charged("a whole answer", metering.BasisMeasured, ruledCost)
		for how, answer := range g.r.finished {
			g.answers(answer)
			g.charged(how, metering.BasisMeasured, ruledCost)
		}
	})
}

func TestRule3OutputWithoutUsageIsCountedUpToTheHold(t *testing.T) {
	eachRule(t, gatewayOptions{credit: "1000"}, func(t *testing.T, g *ruledGateway) {
		g.answers(g.r.answer(ruledText, ""))
		counted := g.charged("no usage", metering.BasisEstimated, -1)
		g.answers(g.r.answer(ruledText, g.r.usage(0, 0)))
		g.charged("usage of zeros", metering.BasisEstimated, counted.Cost)
		if u := counted.Usage; u.InputTotal < 1 || u.InputTotal > 20 || u.OutputTotal < 10 || u.OutputTotal > 30 ||
			counted.Cost != metering.Nanos(u.InputTotal*everyInputPrice+u.OutputTotal*everyOutputPrice) {
			t.Errorf("13 words are counted as %+v, and cost %s", u, counted.Cost)
		}
		// 4,000 tokens were asked for at most.
		call, gate, hold := g.held(g.r.answer(strings.Repeat(ruledText, 1000), ""), simulator.BeforeHeader)
		gate.Open()
		call.finish()
		g.recorded("more output than was asked for", metering.BasisEstimated, hold)
	})
}

func TestRule4EmptyAnswersCostNothingSoManyTimes(t *testing.T) {
	eachRule(t, gatewayOptions{}, func(t *testing.T, g *ruledGateway) {
		for hour := int64(-1); hour != time.Now().Unix()/3600; { // once, or again if one ends meanwhile
			hour = time.Now().Unix() / 3600
			_, g.secret = g.createKey(nil, time.Time{})
			for range emptyAnswersPerHour {
				g.answers(g.r.answer("", ""))
				g.charged("empty", metering.BasisWaived, 0)
			}
			g.answers(g.r.answer("", ""))
			g.callWith(g.r.path, g.r.request, g.r.header(g.secret))
			g.calls++
		}
		if record := g.records(g.calls)[g.calls-1]; record.Basis != metering.BasisEstimated || record.Cost <= 0 || record.Usage.OutputTotal != 0 {
			t.Errorf("one too many: %s, %s", record.Basis, record.Cost)
		}
		// Another key has its own.
		mine := g.secret
		_, g.secret = g.createKey(nil, time.Time{})
		g.answers(g.r.answer("", ""))
		g.charged("empty, of another key", metering.BasisWaived, 0)
		g.secret = mine
	})
}

func TestRule4CountsEachHourAfresh(t *testing.T) {
	e, at := newEmptyAnswers(), time.Unix(7200, 0)
	for i := range emptyAnswersPerHour + 1 {
		if allowed := e.allow("key", at.Add(time.Duration(i)*time.Minute)); allowed != (i < emptyAnswersPerHour) {
			t.Errorf("answer %d: %t", i, allowed)
		}
	}
	if !e.allow("key", at.Add(time.Hour)) {
		t.Error("not in the next hour")
	}
}

// The worst case is held before anything is sent, so that no answer is ended for lack of
// credit. What a provider reports beyond that is charged as far as there is credit.
func TestRule5NoAnswerIsEndedForLackOfCredit(t *testing.T) {
	eachRule(t, gatewayOptions{credit: "0"}, func(t *testing.T, g *ruledGateway) {
		g.deposit("0.04", g.r.name)
		credit := g.balance()
		g.credit += credit
		g.answers(g.r.answer(ruledText, g.r.usage(11, 1_000_000)))
		got := g.callWith(g.r.path, g.r.request, g.r.header(g.secret))
		if got.status != http.StatusOK || got.err != nil || string(got.body) != g.r.answer(ruledText, g.r.usage(11, 1_000_000)) {
			t.Errorf("%d %v %s", got.status, got.err, got.body)
		}
		cost := metering.Nanos(11*everyInputPrice + 1_000_000*everyOutputPrice)
		if record := g.recorded("a million tokens", metering.BasisMeasured, cost); record.Shortfall != cost-credit || g.balance() != 0 {
			t.Errorf("shortfall %s of a cost of %s, with %s; %s are left", record.Shortfall, cost, credit, g.balance())
		}
		if got := g.callWith(g.r.path, g.r.request, g.r.header(g.secret)); got.status != http.StatusPaymentRequired {
			t.Errorf("without credit: %d %s", got.status, got.body)
		}
		g.recorded("without credit", metering.BasisWaived, 0)
	})
}

func TestRule6And7WhoLeavesPays(t *testing.T) {
	eachRule(t, gatewayOptions{}, func(t *testing.T, g *ruledGateway) {
		answer := g.r.answer(ruledText, g.r.usage(11, 5))
		at := int64(strings.Index(answer, ruledText) + len(ruledText) + len(`"}]},"index":0}],"modelVersion":"own"}`) + 2)
		if g.r.streams() { // row 6: between the text and the usage
			at = int64(strings.Index(answer, ruledText))
			at += int64(strings.Index(answer[at:], "\n\n") + 2)
			call, gate, hold := g.held(answer, at)
			defer gate.Open()
			call.readTo(ruledText)
			call.leave()
			record := g.recorded("left in a stream", metering.BasisEstimated, -1)
			if record.Cost > hold || record.Usage.OutputTotal < 10 || record.Status != metering.StatusClientClosed {
				t.Errorf("%s of a hold of %s, %d tokens of output, %s", record.Cost, hold, record.Usage.OutputTotal, record.Status)
			}
			return
		}
		call, gate, _ := g.held(answer, min(at, int64(len(answer)-1))) // row 7
		call.leave()
		untilDraining(t, 1)
		gate.Open()
		if record := g.recorded("left a document", metering.BasisMeasured, ruledCost); record.Status != metering.StatusClientClosed {
			t.Errorf("status %s", record.Status)
		}
		// Without usage it is as in row 6.
		silent := g.r.answer(ruledText, "")
		call, gate, _ = g.held(silent, int64(len(silent)-1))
		call.leave()
		untilDraining(t, 1)
		gate.Open()
		if record := g.recorded("left a document without usage", metering.BasisEstimated, -1); record.Usage.OutputTotal < 10 {
			t.Errorf("%d tokens of output", record.Usage.OutputTotal)
		}
	})
}

// What a kill leaves behind, which is nothing, is TestAKillChargesExactlyWhatWasSeenComplete.
func TestRule8AStopChargesNothing(t *testing.T) {
	eachRule(t, gatewayOptions{}, func(t *testing.T, g *ruledGateway) {
		answer := g.r.answer(ruledText, g.r.usage(11, 5))
		call, gate, _ := g.held(answer, int64(len(answer)-1))
		runtimes.Range(func(_, value any) bool {
			value.(*runtime).interruptLive() // as Destruct does when its patience is over
			return true
		})
		gate.Open()
		if got := call.finish(); got.status == http.StatusOK && got.err == nil && string(got.body) == answer {
			t.Errorf("the answer came whole: %s", got.body)
		}
		if record := g.recorded("stopped", metering.BasisInterrupted, 0); record.Status != metering.StatusInterrupted || record.Usage.InputTotal != 0 {
			t.Errorf("record %+v", record)
		}
	})
}

// Counting tokens is free, and takes nothing of what is waived.
func TestRule4IsNotUsedUpByFreeCalls(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for range emptyAnswersPerHour + 1 {
		got := g.callWith("/v1/messages/count_tokens", `{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hello"}]}`, messagesJSON.header(g.secret))
		if got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Silent: true, NoUsage: true}}})
	g.call(chatJSON.path, chatJSON.body)
	records := g.records(emptyAnswersPerHour + 2)
	if last := records[len(records)-1]; last.Basis != metering.BasisWaived || last.Operation == "count_tokens" {
		t.Errorf("an empty answer of %s: %s, %s", last.Operation, last.Basis, last.Cost)
	}
}
