package caddymodule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// Who leaves a stream of a model of OpenAI's pays for what its tokenizer makes of the
// prompt and of the text that was passed on.
func TestWhoLeavesPaysForWhatTheTokenizerCounts(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	words := strings.Fields("Reliable estimates are internationalisation-proof : « même en français » ; 12,345.678 % <END>")
	var content strings.Builder
	for _, word := range words {
		fmt.Fprintf(&content, "data: {\"id\":\"x\",\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" %s\"},\"finish_reason\":null}]}\n\n", word)
	}
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "text/event-stream",
		Body:   []byte(content.String() + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"),
		Pauses: []simulator.Pause{{At: int64(content.Len()), Gate: gate}}}})
	call := g.startCall(chatStream.path, `{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Tell me about estimates, please."}]}`, bearer(g.secret))
	call.readTo("<END>")
	call.leave()
	gate.Open()
	record := g.records(1)[0]
	// By js-tiktoken 1.0: 7 tokens, and 6 around them; 23 of the answer, and 1 for its end.
	if u := record.Usage; record.Basis != metering.BasisEstimated || u.InputTotal != 13 || u.OutputTotal != 24 {
		t.Errorf("%s, %+v", record.Basis, u)
	}
}
