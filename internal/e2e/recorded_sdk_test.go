package e2e

import (
	"bytes"
	"math/big"
	"os"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// What the SDKs make of a recorded stream is the same through the gateway as at the
// provider, event by event.
func TestRecordedStreamsInSDKs(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "20")
	for _, test := range []struct {
		sdk, model string
		params     params
		recordings []string
	}{
		{"openai", "o4-mini", params{"messages": chat(hello), "stream_options": params{"include_usage": true}}, []string{
			"azure-openai/chat-stream-first-chunk-empty-choices-reasoning-o4-mini-2025-04-16",
			"openai/chat-stream-audio-out-usage-null-chunks-gpt-audio-1.5",
			"mistral/chat-stream-tool-calls-mistral-small-latest",
			"openrouter/chat-stream-server-tools-sse-comments-deepseek-deepseek-chat",
			"zai/chat-stream-cache-read-reasoning-glm-4.7-flash",
		}},
		{"anthropic", "claude-sonnet-4-6", params{"messages": chat(hello), "max_tokens": 2000}, []string{
			"anthropic/messages-stream-server-tools-tool-calls-claude-sonnet-4-6-2",
			"anthropic/messages-stream-server-tools-claude-haiku-4-5-20251001",
			"anthropic/messages-stream-cache-creation-no-breakdown-cache-write-5m-claude-sonnet-4-20250514",
		}},
		{"google", "gemini-2.5-flash", params{"contents": hello}, []string{
			"gemini/generate-stream-image-in-reasoning-gemini-2.5-flash",
			"gemini/generate-stream-usage-not-monotonic-tool-use-prompt-tokens-gemini-3-flash-preview",
			"gemini/generate-stream-usage-not-monotonic-candidates-absent-gemini-3-flash-preview",
		}},
	} {
		t.Run(test.sdk, func(t *testing.T) {
			client := startSDK(t, test.sdk, c)
			test.params["model"] = test.model
			for _, recording := range test.recordings {
				response, err := simulator.Recording(os.DirFS(recordings), recording)
				if err != nil {
					t.Fatal(err)
				}
				response.Chunks = simulator.Random(7, 90)
				g.provider.Add(simulator.Step{Times: 2, Response: response})
				direct := client.must(call{Do: "stream", Params: test.params, BaseURL: g.provider.URL, Key: providerKey})
				through := client.must(call{Do: "stream", Params: test.params})
				if len(direct.Chunks) < 2 || len(through.Chunks) != len(direct.Chunks) {
					t.Fatalf("%s: %d events through the gateway, %d without", recording, len(through.Chunks), len(direct.Chunks))
				}
				for i, want := range direct.Chunks {
					if got := through.Chunks[i]; !bytes.Equal(got, want) {
						t.Errorf("%s: event %d: %s", recording, i, difference(got, want))
					}
				}
			}
		})
	}
	if left := g.provider.Unused(); left != 0 {
		t.Errorf("%d recorded answers were not asked for", left)
	}
	spent := new(big.Rat)
	for _, r := range c.records(len(g.provider.Requests()) / 2) {
		if r.Status != "ok" || r.Basis != "measured" {
			t.Errorf("record %+v", r)
		}
		spent.Add(spent, amount(t, r.Cost))
	}
	c.expectSpent(spent)
}
