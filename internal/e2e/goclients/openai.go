package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

func openAIClient(at, key string, v *view) openai.Client {
	return openai.NewClient(option.WithBaseURL(at+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0), option.WithHTTPClient(&http.Client{Transport: v}))
}

func turnOfChat(ctx context.Context, at, key string, c *call, v *view) error {
	client := openAIClient(at, key, v)
	asking := openai.ChatCompletionNewParams{
		Model:    c.Params.Model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(c.Params.Prompt)},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(
			openai.FunctionDefinitionParam{Name: "weather", Parameters: c.Params.Schema})},
	}
	for {
		answer, err := chat(ctx, client, asking, c, v)
		if err != nil {
			return err
		}
		choice := answer.Choices[0]
		v.Text, v.Finish = choice.Message.Content, choice.FinishReason
		if len(choice.Message.ToolCalls) == 0 {
			return nil
		}
		asking.Messages = append(asking.Messages, choice.Message.ToParam())
		for _, asked := range choice.Message.ToolCalls {
			told := v.run(c, json.RawMessage(asked.Function.Arguments))
			asking.Messages = append(asking.Messages, openai.ToolMessage(told, asked.ID))
		}
	}
}

func chat(ctx context.Context, client openai.Client, asking openai.ChatCompletionNewParams, c *call, v *view) (*openai.ChatCompletion, error) {
	if !c.streamed() {
		return client.Chat.Completions.New(ctx, asking)
	}
	asking.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := client.Chat.Completions.NewStreaming(ctx, asking)
	defer stream.Close()
	var whole openai.ChatCompletionAccumulator
	for stream.Next() {
		if !whole.AddChunk(stream.Current()) {
			return nil, errors.New("the SDK cannot put the stream together")
		}
		v.Text = whole.Choices[0].Message.Content
	}
	return &whole.ChatCompletion, stream.Err()
}

func turnOfResponses(ctx context.Context, at, key string, c *call, v *view) error {
	client := openAIClient(at, key, v)
	input := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(c.Params.Prompt, responses.EasyInputMessageRoleUser)}
	for {
		answer, err := respond(ctx, client, responses.ResponseNewParams{
			Model: c.Params.Model,
			Input: responses.ResponseNewParamsInputUnion{OfInputItemList: input},
			Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", c.Params.Schema, false)},
		}, c, v)
		if err != nil {
			return err
		}
		v.Text, v.Finish = answer.OutputText(), string(answer.Status)
		called := false
		for _, item := range answer.Output {
			if item.Type != "function_call" {
				continue
			}
			called = true
			asked := item.AsFunctionCall()
			given := asked.ToParam()
			told := responses.ResponseInputItemParamOfFunctionCallOutput(v.run(c, json.RawMessage(asked.Arguments)))
			told.OfFunctionCallOutput.CallID = openai.String(asked.CallID)
			input = append(input, responses.ResponseInputItemUnionParam{OfFunctionCall: &given}, told)
		}
		if !called {
			return nil
		}
	}
}

func respond(ctx context.Context, client openai.Client, asking responses.ResponseNewParams, c *call, v *view) (*responses.Response, error) {
	if !c.streamed() {
		return client.Responses.New(ctx, asking)
	}
	stream := client.Responses.NewStreaming(ctx, asking)
	defer stream.Close()
	var whole *responses.Response
	for stream.Next() {
		switch event := stream.Current().AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			v.Text += event.Delta
		case responses.ResponseCompletedEvent:
			whole = &event.Response
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	if whole == nil {
		return nil, errors.New("the stream ended before its end")
	}
	return whole, nil
}
