package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// A prompt that is too long for a target goes to the next one at once, and where all are
// too small, to the provider, who knows better.
func TestLongPromptsGoWhereTheyFit(t *testing.T) {
	// gpt-4 reads 8,192 tokens, gpt-4.1-mini a million.
	g := startGateway(t, gatewayOptions{extra: `
		model fitting {
			to openai/gpt-4 openai/gpt-4.1-mini
		}
		model small {
			to openai/gpt-4
		}`})
	long := strings.Repeat("word ", 12_000)
	for _, row := range []struct{ model, prompt, served string }{
		{"fitting", "hello", "gpt-4"}, {"fitting", long, "gpt-4.1-mini"}, {"small", long, "gpt-4"},
	} {
		before := len(g.provider.Requests())
		body := strings.NewReplacer("gpt-4.1-mini", row.model, "hello", row.prompt).Replace(chatJSON.body)
		got := g.call(chatJSON.path, body)
		if asked := g.provider.Requests()[before:]; got.status != http.StatusOK || len(asked) != 1 || !strings.Contains(string(asked[0].Body), `"model":"`+row.served+`"`) {
			t.Errorf("%s, %d bytes: %d, asked %d times: %s", row.model, len(row.prompt), got.status, len(asked), got.body)
		}
	}
}

// A target that is known not to take a kind of input is passed over where another one
// takes it, and asked where there is none: what is known may be older than the model.
func TestImagesGoWhereTheyAreTaken(t *testing.T) {
	// gpt-4 is known to take text only, gpt-4.1-mini images too.
	g := startGateway(t, gatewayOptions{extra: `
		model seeing {
			to openai/gpt-4 openai/gpt-4.1-mini
		}
		model blind {
			to openai/gpt-4
		}`})
	const image = `[{"type":"text","text":"hello"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]`
	for _, row := range []struct{ model, content, served string }{
		{"seeing", `"hello"`, "gpt-4"}, {"seeing", image, "gpt-4.1-mini"}, {"blind", image, "gpt-4"},
	} {
		before := len(g.provider.Requests())
		body := strings.NewReplacer("gpt-4.1-mini", row.model, `"hello"`, row.content).Replace(chatJSON.body)
		if !strings.Contains(body, row.content) {
			t.Fatal(body)
		}
		got := g.call(chatJSON.path, body)
		if asked := g.provider.Requests()[before:]; got.status != http.StatusOK || len(asked) != 1 || !strings.Contains(string(asked[0].Body), `"model":"`+row.served+`"`) {
			t.Errorf("%s, %s: %d, asked %d times: %s", row.model, row.content, got.status, len(asked), got.body)
		}
	}
}
