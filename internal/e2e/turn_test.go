package e2e

import (
	"math/big"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

const (
	// fareTold is what the tool of a turn answers: 16 bytes.
	fareTold = "The fare is 2.40"
	// toldTokens are those of the prompt and the answer together: 36 bytes.
	toldTokens = 9
)

// turn is a client and a way to call through it.
type turn struct {
	client    string // as startSDK takes it
	do        string
	provider  string // of the AI SDK, or which SDK for Go
	model     string
	operation string
	dialect   string
	served    string // the provider
	finish    string // as the client shows it
	again     int64  // input tokens of the second request, which has the tool's answer
	refused   int    // requests that the gateway refuses before, as the client expects
}

var turns = []turn{
	{"openai", "turn", "", "gpt-4.1-mini", "chat", "openai", "openai", "stop", toldTokens, 0},
	{"openai", "responses turn", "", "gpt-4.1-mini", "responses", "openai", "openai", "completed", toldTokens, 0},
	// It asks the provider to keep the conversation, and sends it whole when told that this cannot be.
	{"anthropic", "turn", "", "claude-haiku-4-5", "messages", "anthropic", "anthropic", "end_turn", toldTokens, 1},
	// The simulator counts text only, and Gemini's answer of a tool is an object.
	{"google", "turn", "", "gemini-2.5-flash", "generate_content", "google", "google", "STOP", toolTokens, 0},
	{"aisdk", "turn", "openai", "gpt-4.1-mini", "responses", "openai", "openai", "stop", toldTokens, 0},
	{"aisdk", "turn", "openai.chat", "gpt-4.1-mini", "chat", "openai", "openai", "stop", toldTokens, 0},
	{"aisdk", "turn", "anthropic", "claude-haiku-4-5", "messages", "anthropic", "anthropic", "stop", toldTokens, 0},
	{"aisdk", "turn", "google", "gemini-2.5-flash", "generate_content", "google", "google", "stop", toolTokens, 0},
	{"aisdk", "turn", "xai", "grok-4-fast", "chat", "openai", "xai", "stop", toldTokens, 0},
	{"aisdk", "turn", "openai-compatible", "house/large", "chat", "openai", "house", "stop", toldTokens, 0},
	{"go", "turn", "openai", "gpt-4.1-mini", "chat", "openai", "openai", "stop", toldTokens, 0},
	{"go", "turn", "openai.responses", "gpt-4.1-mini", "responses", "openai", "openai", "completed", toldTokens, 0},
	{"go", "turn", "anthropic", "claude-haiku-4-5", "messages", "anthropic", "anthropic", "end_turn", toldTokens, 0},
	{"go", "turn", "google", "gemini-2.5-flash", "generate_content", "google", "google", "STOP", toolTokens, 0},
}

// A turn as an application has it: the model calls a tool, the client runs it and
// sends what it said, the model answers. Both requests are on the books, and nothing
// else.
func TestTurnsWithATool(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "20")
	clients := map[string]*sdk{}
	var ids []string
	for _, want := range turns {
		client := clients[want.client]
		if client == nil {
			client = startSDK(t, want.client, c)
			clients[want.client] = client
		}
		for _, streamed := range []bool{false, true} {
			t.Run(want.name(streamed), func(t *testing.T) {
				if want.provider == "xai" {
					// Its calls of tools come in one piece, and the AI SDK relies on that.
					g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{OneEvent: true}}})
				}
				v := client.in(t).must(want.call(streamed))
				if v.Text != simulator.StandardText || v.Finish != want.finish || len(v.Tools) != 1 || string(v.Tools[0].Arguments) != cityArguments {
					t.Errorf("the client shows %q, finish %q, and ran %s", v.Text, v.Finish, v.Tools)
				}
				if len(v.IDs) != want.refused+2 {
					t.Fatalf("the client sent %v, want %d refused and two requests", v.IDs, want.refused)
				}
				ids = append(ids, v.IDs...)
			})
		}
	}
	c.expectTurns(ids)
}

func (w turn) name(streamed bool) string {
	name := strings.Join([]string{w.client, w.provider, w.do}, " ")
	if streamed {
		name += " stream"
	}
	return name
}

func (w turn) call(streamed bool) call {
	asking := call{Do: w.do, Params: params{
		"provider": w.provider, "model": w.model, "prompt": useTool, "schema": citySchema, "result": fareTold,
	}}
	if streamed {
		asking.Do += " stream"
	}
	return asking
}

// expectTurns fails unless the customer's records are those of all turns, by the
// requests' ids, and all that was spent.
func (c *customer) expectTurns(ids []string) {
	c.t.Helper()
	records := map[string]record{}
	for _, r := range c.records(len(ids)) {
		records[r.ID] = r
	}
	spent := new(big.Rat)
	for _, want := range turns {
		for _, streamed := range []bool{false, true} {
			c.t.Run("record of "+want.name(streamed), func(t *testing.T) {
				for i := range want.refused + 2 {
					r := records[ids[0]]
					ids = ids[1:]
					if i < want.refused {
						if r.Status != "rejected" || r.HTTPStatus != 400 || amount(t, r.Cost).Sign() != 0 {
							t.Errorf("record %+v", r)
						}
						continue
					}
					used := plain(toolTokens, toolOutput)
					if i > want.refused {
						used = plain(want.again, standardTokens)
					}
					spent.Add(spent, r.expectCharge(t, used, want.model))
					if r.AccountID != c.account || r.KeyID != c.keyID || r.Operation != want.operation || r.Dialect != want.dialect ||
						r.Provider != want.served || r.ModelRequested != want.model || r.Status != "ok" || r.Streamed != streamed || r.Basis != "measured" {
						t.Errorf("record %+v", r)
					}
				}
			})
		}
	}
	c.expectSpent(spent)
}
