package main

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"google.golang.org/genai"
)

func turnOfGemini(ctx context.Context, at, key string, c *call, v *view) error {
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey:      key,
		Backend:     genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: at},
		HTTPClient:  &http.Client{Transport: v},
	})
	if err != nil {
		return err
	}
	chat, err := client.Chats.Create(ctx, c.Params.Model, &genai.GenerateContentConfig{Tools: []*genai.Tool{{
		FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "weather", ParametersJsonSchema: c.Params.Schema}},
	}}}, nil)
	if err != nil {
		return err
	}
	for parts := []*genai.Part{genai.NewPartFromText(c.Params.Prompt)}; len(parts) > 0; {
		var told []*genai.Part
		v.Text = ""
		for answer, err := range say(ctx, chat, c, parts) {
			if err != nil {
				return err
			}
			v.Text += answer.Text()
			if len(answer.Candidates) > 0 && answer.Candidates[0].FinishReason != "" {
				v.Finish = string(answer.Candidates[0].FinishReason)
			}
			for _, asked := range answer.FunctionCalls() {
				arguments, err := json.Marshal(asked.Args)
				if err != nil {
					return err
				}
				told = append(told, genai.NewPartFromFunctionResponse(asked.Name, map[string]any{"output": v.run(c, arguments)}))
			}
		}
		parts = told
	}
	return nil
}

func say(ctx context.Context, chat *genai.Chat, c *call, parts []*genai.Part) iter.Seq2[*genai.GenerateContentResponse, error] {
	if c.streamed() {
		return chat.SendStream(ctx, parts...)
	}
	return func(yield func(*genai.GenerateContentResponse, error) bool) { yield(chat.Send(ctx, parts...)) }
}
