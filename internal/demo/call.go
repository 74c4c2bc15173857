package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	question  = "What does a fare gate do?"
	callLimit = time.Minute
)

// modelNames says what to call in each dialect.
type modelNames struct{ openai, anthropic, google string }

// listModels asks the gateway as each provider's SDK would.
func listModels(ctx context.Context, address, secret string) (modelNames, error) {
	var names modelNames
	for _, list := range []struct {
		path    string
		headers map[string]string
		name    *string
	}{
		{"/v1/models", map[string]string{"Authorization": "Bearer " + secret}, &names.openai},
		{"/v1/models", map[string]string{"X-Api-Key": secret, "Anthropic-Version": "2023-06-01"}, &names.anthropic},
		{"/v1beta/models", map[string]string{"X-Goog-Api-Key": secret}, &names.google},
	} {
		name, err := firstModel(ctx, address+list.path, list.headers)
		if err != nil {
			return names, err
		}
		*list.name = name
	}
	return names, nil
}

func firstModel(ctx context.Context, url string, headers map[string]string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	response, err := send(ctx, http.MethodGet, url, headers, nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var list struct {
		Data   []struct{ ID string }   // OpenAI, Anthropic
		Models []struct{ Name string } // Google: models/NAME
	}
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		return "", fmt.Errorf("reading the model list: %w", err)
	}
	for _, model := range list.Data {
		if strings.HasPrefix(model.ID, "simulator/") {
			return model.ID, nil
		}
	}
	for _, model := range list.Models {
		if name := strings.TrimPrefix(model.Name, "models/"); strings.HasPrefix(name, "simulator/") {
			return name, nil
		}
	}
	return "", errors.New("the gateway lists no model of the simulator")
}

// answered is what the client of a streaming chat call saw.
type answered struct {
	requestID                 string
	text                      string
	inputTokens, outputTokens int64
}

// streamChat makes a streaming chat call and writes the answer as it arrives.
func streamChat(ctx context.Context, screen io.Writer, address, secret, model string) (*answered, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	body, err := json.Marshal(map[string]any{
		"model":          model,
		"stream":         true,
		"stream_options": map[string]any{"include_usage": true},
		"messages":       []map[string]string{{"role": "user", "content": question}},
	})
	if err != nil {
		return nil, err
	}
	response, err := send(ctx, http.MethodPost, address+"/v1/chat/completions",
		map[string]string{"Authorization": "Bearer " + secret, "Content-Type": "application/json"}, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	result := &answered{requestID: response.Header.Get("Faregate-Request-Id")}
	return result, result.read(response.Body, screen)
}

// read follows the event stream to its [DONE].
func (a *answered) read(stream io.Reader, screen io.Writer) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, isData := strings.CutPrefix(lines.Text(), "data:")
		if !isData {
			continue
		}
		data = strings.TrimSpace(data)
		if data == "[DONE]" {
			return nil
		}
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
			Usage   *struct {
				Prompt     int64 `json:"prompt_tokens"`
				Completion int64 `json:"completion_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return fmt.Errorf("reading a chunk of the answer: %w", err)
		}
		for _, choice := range chunk.Choices {
			a.text += choice.Delta.Content
			if _, err := io.WriteString(screen, choice.Delta.Content); err != nil {
				return err
			}
		}
		if chunk.Usage != nil {
			a.inputTokens, a.outputTokens = chunk.Usage.Prompt, chunk.Usage.Completion
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the answer was cut: %w", err)
	}
	return errors.New("the answer ended before its [DONE]")
}

// send makes a request; an answer other than 200 is an error.
func send(ctx context.Context, method, url string, headers map[string]string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return nil, fmt.Errorf("%s %s: %s\n%s", method, url, response.Status, said)
	}
	return response, nil
}
