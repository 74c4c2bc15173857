package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/toolrunner"
)

// turnOfMessages has the SDK run the tool and ask again.
func turnOfMessages(ctx context.Context, at, key string, c *call, v *view) error {
	client := anthropic.NewClient(option.WithBaseURL(at), option.WithAPIKey(key), option.WithMaxRetries(0), option.WithHTTPClient(&http.Client{Transport: v}))
	schema, err := json.Marshal(c.Params.Schema)
	if err != nil {
		return err
	}
	weather, err := toolrunner.NewBetaToolFromBytes("weather", "tells the fare", schema,
		func(_ context.Context, asked json.RawMessage) (anthropic.BetaToolResultBlockParamContentUnion, error) {
			return anthropic.BetaToolResultBlockParamContentUnion{OfText: &anthropic.BetaTextBlockParam{Text: v.run(c, asked)}}, nil
		})
	if err != nil {
		return err
	}
	tools := []anthropic.BetaTool{weather}
	asking := anthropic.BetaToolRunnerParams{BetaMessageNewParams: anthropic.BetaMessageNewParams{
		Model:     c.Params.Model,
		MaxTokens: 2000,
		Messages:  []anthropic.BetaMessageParam{anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock(c.Params.Prompt))},
	}}
	if !c.streamed() {
		message, err := client.Beta.Messages.NewToolRunner(tools, asking).RunToCompletion(ctx)
		if err != nil {
			return err
		}
		for _, block := range message.Content {
			v.Text += block.Text
		}
		v.Finish = string(message.StopReason)
		return nil
	}
	runner := client.Beta.Messages.NewToolRunnerStreaming(tools, asking)
	for events, err := range runner.AllStreaming(ctx) {
		if err != nil {
			return err
		}
		for event, err := range events {
			if err != nil {
				return err
			}
			v.Text += event.Delta.Text
			if event.Delta.StopReason != "" {
				v.Finish = string(event.Delta.StopReason)
			}
		}
	}
	return runner.Err()
}
