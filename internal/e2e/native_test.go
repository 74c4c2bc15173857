package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// The prompts. The simulator counts a token for each four bytes.
const (
	hello       = "What does the fare cost?" // 24 bytes
	helloTokens = 6
	useTool     = "Please use the tool." // 20 bytes
	toolTokens  = 5
	world       = "Grüße, 世界! 🚋 و\u2028 \u0085 \\u0000"
)

func worldTokens() int64 { return int64(len(world)+3) / 4 }

// standardTokens is how many words, and so tokens, a native answer has.
var standardTokens = int64(len(strings.SplitAfter(simulator.StandardText, " ")))

// The tool and the arguments that the simulator gives it: the name is one token,
// and each four bytes of arguments are one.
var (
	citySchema    = params{"type": "object", "properties": params{"city": params{"type": "string"}}, "required": []string{"city"}}
	cityArguments = `{"city":"simulated"}` // 20 bytes
)

const toolOutput = 1 + 5

// expectation is what a call must come to.
type expectation struct {
	name   string
	call   call
	text   string
	finish string
	tool   bool
	usage  [2]int64 // input and output
}

// dialectOf is what differs between the SDKs.
type dialectOf struct {
	sdk, model, operation string
	input, output         string // the names of the SDK's counts
	streamCounts          bool   // whether a stream shows its usage unasked
	calls                 []expectation
}

// unicodeAnswer has characters of one to four bytes, a separator that is no line
// end, and words that look like the stream's own framing.
const unicodeAnswer = "Straße 世界 🚋🚋 \u2028 data: [DONE] \\n event: error"

func chat(prompt string) []params { return []params{{"role": "user", "content": prompt}} }

func native() []dialectOf {
	unicodeTokens := int64(len(strings.SplitAfter(unicodeAnswer, " ")))
	function := params{"name": "weather", "parameters": citySchema}
	openAITools := []params{{"type": "function", "function": function}}
	anthropicTools := []params{{"name": "weather", "input_schema": citySchema}}
	googleConfig := params{"tools": []params{{"functionDeclarations": []params{{"name": "weather", "parametersJsonSchema": citySchema}}}}}
	gpt := func(p params) params { p["model"] = "gpt-4.1-mini"; return p }
	claude := func(p params) params { p["model"], p["max_tokens"] = "claude-haiku-4-5", 2000; return p }
	older := map[string]string{"anthropic-version": "2023-06-01"}
	gemini := func(p params) params { p["model"] = "gemini-2.5-flash"; return p }
	standard, said := simulator.StandardText, [2]int64{helloTokens, standardTokens}
	called := [2]int64{toolTokens, toolOutput}
	cosmopolitan := [2]int64{worldTokens(), unicodeTokens}
	return []dialectOf{
		{"openai", "gpt-4.1-mini", "chat", "prompt_tokens", "completion_tokens", false, []expectation{
			{"json", call{Do: "create", Params: gpt(params{"messages": chat(hello)})}, standard, "stop", false, said},
			{"stream", call{Do: "stream", Params: gpt(params{"messages": chat(hello)})}, standard, "stop", false, said},
			{"stream with usage", call{Do: "stream", Params: gpt(params{"messages": chat(hello), "stream_options": params{"include_usage": true}})}, standard, "stop", false, said},
			{"tool", call{Do: "create", Params: gpt(params{"messages": chat(useTool), "tools": openAITools})}, "", "tool_calls", true, called},
			{"tool stream", call{Do: "helper", Params: gpt(params{"messages": chat(useTool), "tools": openAITools})}, "", "tool_calls", true, called},
			{"unicode", call{Do: "create", Params: gpt(params{"messages": chat(world)})}, unicodeAnswer, "stop", false, cosmopolitan},
			{"unicode stream", call{Do: "stream", Params: gpt(params{"messages": chat(world)})}, unicodeAnswer, "stop", false, cosmopolitan},
		}},
		{"anthropic", "claude-haiku-4-5", "messages", "input_tokens", "output_tokens", true, []expectation{
			{"json", call{Do: "create", Params: claude(params{"messages": chat(hello)})}, standard, "end_turn", false, said},
			{"json, 2023", call{Do: "create", Params: claude(params{"messages": chat(hello), "temperature": 0.5}), Header: older}, standard, "end_turn", false, said},
			{"stream", call{Do: "helper", Params: claude(params{"messages": chat(hello)})}, standard, "end_turn", false, said},
			{"stream, 2023", call{Do: "helper", Params: claude(params{"messages": chat(hello)}), Header: older}, standard, "end_turn", false, said},
			{"tool", call{Do: "create", Params: claude(params{"messages": chat(useTool), "tools": anthropicTools})}, "", "tool_use", true, called},
			{"tool stream", call{Do: "helper", Params: claude(params{"messages": chat(useTool), "tools": anthropicTools})}, "", "tool_use", true, called},
			{"unicode", call{Do: "create", Params: claude(params{"messages": chat(world)})}, unicodeAnswer, "end_turn", false, cosmopolitan},
			{"unicode stream", call{Do: "helper", Params: claude(params{"messages": chat(world)}), Header: older}, unicodeAnswer, "end_turn", false, cosmopolitan},
		}},
		{"google", "gemini-2.5-flash", "generate_content", "promptTokenCount", "candidatesTokenCount", true, []expectation{
			{"json", call{Do: "create", Params: gemini(params{"contents": hello})}, standard, "STOP", false, said},
			{"stream", call{Do: "stream", Params: gemini(params{"contents": hello})}, standard, "STOP", false, said},
			{"tool", call{Do: "create", Params: gemini(params{"contents": useTool, "config": googleConfig})}, "", "STOP", true, called},
			{"tool stream", call{Do: "stream", Params: gemini(params{"contents": useTool, "config": googleConfig})}, "", "STOP", true, called},
			{"unicode", call{Do: "create", Params: gemini(params{"contents": world})}, unicodeAnswer, "STOP", false, cosmopolitan},
			{"unicode stream", call{Do: "stream", Params: gemini(params{"contents": world})}, unicodeAnswer, "STOP", false, cosmopolitan},
		}},
	}
}

// Gemini models, called by OpenAI's SDK where Google has its compatible address.
func TestGeminiByTheOpenAISDK(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("compatible", "5")
	client := startSDK(t, "openai", c)
	asking := params{"model": "gemini-2.5-flash", "messages": chat(hello)}
	spent := new(big.Rat)
	for _, do := range []string{"create", "stream"} {
		got := client.must(call{Do: do, Params: asking, Path: "/v1beta/openai"})
		if got.Text != simulator.StandardText || got.Finish != "stop" {
			t.Errorf("%s: the SDK shows %q, finish %q", do, got.Text, got.Finish)
		}
		r := g.request(got.id())
		spent.Add(spent, r.expectCharge(t, plain(helloTokens, standardTokens), "gemini-2.5-flash"))
		if r.Provider != "google" || r.Dialect != "openai" || r.Basis != "measured" {
			t.Errorf("%s: record %+v", do, r)
		}
	}
	listed := client.must(call{Do: "models", Path: "/v1beta/openai/"})
	if !slices.ContainsFunc(listed.Chunks, func(model json.RawMessage) bool { return bytes.Contains(model, []byte(`"gemini-2.5-flash"`)) }) {
		t.Errorf("%d models without gemini-2.5-flash", len(listed.Chunks))
	}
	c.expectSpent(spent)
}

// Each official SDK, JSON and streamed: its view, the record and the balance.
func TestOfficialSDKs(t *testing.T) {
	g := startGateway(t)
	for _, d := range native() {
		t.Run(d.sdk, func(t *testing.T) {
			g := g.in(t)
			c := g.newCustomer(d.sdk, "5")
			client := startSDK(t, d.sdk, c)
			spent := new(big.Rat)
			for _, want := range d.calls {
				if want.text == unicodeAnswer {
					// Cut inside characters and inside the words of the framing.
					g.provider.Add(simulator.Step{Response: simulator.Response{
						Answer: &simulator.Answer{Text: unicodeAnswer}, Chunks: simulator.Every(3)}})
				}
				got := client.must(want.call)
				if got.Text != want.text || got.Finish != want.finish {
					t.Errorf("%s: the SDK shows %q, finish %q", want.name, got.Text, got.Finish)
				}
				if want.tool && (len(got.Tools) != 1 || got.Tools[0].Name != "weather" || string(got.Tools[0].Arguments) != cityArguments) {
					t.Errorf("%s: the SDK shows the tool calls %+v", want.name, got.Tools)
				}
				streamed := want.call.Do != "create"
				if asked := want.call.Params["stream_options"] != nil; !streamed || d.streamCounts || asked {
					if in, out := got.usage(t, d.input), got.usage(t, d.output); in != want.usage[0] || out != want.usage[1] {
						t.Errorf("%s: the SDK shows %d and %d tokens, want %v", want.name, in, out, want.usage)
					}
				} else if len(got.Usage) > 0 && string(got.Usage) != "null" {
					t.Errorf("%s: the SDK shows the usage %s, which was not asked for", want.name, got.Usage)
				}
				if got.RequestID != "" && got.RequestID != got.id() {
					t.Errorf("%s: request id %q in the SDK, %q in the answer", want.name, got.RequestID, got.id())
				}
				r := g.request(got.id())
				spent.Add(spent, r.expectCharge(t, plain(want.usage[0], want.usage[1]), d.model))
				if r.AccountID != c.account || r.KeyID != c.keyID || r.Operation != d.operation || r.Dialect != d.sdk || r.Provider != d.sdk ||
					r.ModelRequested != d.model || r.ModelServed != d.model || r.Attempts != 1 || r.Status != "ok" || r.HTTPStatus != 200 ||
					r.Streamed != streamed || r.FinishReason != want.finish || r.Basis != "measured" {
					t.Errorf("%s: record %+v", want.name, r)
				}
			}
			c.records(len(d.calls))
			c.expectSpent(spent)
			c.expectSent(d)
		})
	}
}

// expectSent fails unless the provider got what the SDK sent, with the operator's
// key in place of the customer's and without what SDKs tell about their machine.
func (c *customer) expectSent(d dialectOf) {
	c.t.Helper()
	requests := c.provider.Requests()
	for i, sent := range requests[len(requests)-len(d.calls):] {
		want := d.calls[i]
		if version := sent.Header.Get("Anthropic-Version"); d.sdk == "anthropic" &&
			version != cmp.Or(want.call.Header["anthropic-version"], "2026-10-21") {
			c.t.Errorf("%s: the provider got the version %q", want.name, version)
		}
		if shown := fmt.Sprint(sent.RequestURI, sent.Header, string(sent.Body)); strings.Contains(shown, "sk-fg-") ||
			strings.Count(shown, providerKey) != 1 || strings.Contains(shown, "X-Stainless") || strings.Contains(shown, "X-Forwarded") {
			c.t.Errorf("%s: the provider got %s", want.name, shown)
		}
	}
}

// in makes the same gateway report to a subtest.
func (g *gateway) in(t *testing.T) *gateway {
	copied := *g
	copied.t = t
	return &copied
}

// What the SDK sees of a chat stream through the gateway is what it sees at the
// provider, chunk by chunk, whether it asks for usage or not.
func TestChatStreamIsTheProvidersOwn(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "5")
	client := startSDK(t, "openai", c)
	for _, options := range []params{nil, {"include_usage": false}, {"include_usage": true}} {
		asking := params{"model": "gpt-4.1-mini", "messages": chat(hello), "n": 2, "max_tokens": 9}
		if options != nil {
			asking["stream_options"] = options
		}
		through := client.must(call{Do: "stream", Params: asking})
		direct := client.must(call{Do: "stream", Params: asking, BaseURL: g.provider.URL, Key: providerKey})
		if len(through.Chunks) != len(direct.Chunks) || len(direct.Chunks) < 20 {
			t.Fatalf("%v: %d chunks through the gateway, %d without", options, len(through.Chunks), len(direct.Chunks))
		}
		for i := range direct.Chunks {
			if got, want := withoutID(t, through.Chunks[i]), withoutID(t, direct.Chunks[i]); got != want {
				t.Errorf("%v: chunk %d is %s, at the provider %s", options, i, got, want)
			}
		}
	}
}

// withoutID takes out the id, which the provider counts up.
func withoutID(t *testing.T, chunk json.RawMessage) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(chunk, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "id")
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
