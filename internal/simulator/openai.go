package simulator

import (
	"encoding/json"
	"net/http"
)

func (c *call) readChat(q *question) *problem {
	var body struct {
		Stream        bool
		StreamOptions *struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
		N                   *int
		MaxTokens           int64 `json:"max_tokens"`
		MaxCompletionTokens int64 `json:"max_completion_tokens"`
		Messages            []struct {
			Role    string
			Content content
		}
		Tools []struct {
			Function struct {
				Name       string
				Parameters json.RawMessage
			}
		}
		ToolChoice json.RawMessage `json:"tool_choice"`
	}
	if problem := c.decode(&body); problem != nil {
		return problem
	}
	if len(body.Messages) == 0 {
		return refusal(http.StatusBadRequest, "messages is missing")
	}
	if body.StreamOptions != nil && !body.Stream {
		return refusal(http.StatusBadRequest, "stream_options is only allowed when stream is enabled")
	}
	if body.N != nil {
		q.choices = *body.N
	}
	q.stream, q.sse = body.Stream, true
	q.includeUsage = body.StreamOptions != nil && body.StreamOptions.IncludeUsage
	q.outputCap = body.MaxCompletionTokens
	if q.outputCap == 0 {
		q.outputCap = body.MaxTokens
	}
	for _, message := range body.Messages {
		q.turn(message.Content, message.Role == "user")
	}
	for _, t := range body.Tools {
		q.tools = append(q.tools, tool{name: t.Function.Name, schema: t.Function.Parameters})
	}
	var word string
	var named struct{ Function struct{ Name string } }
	if json.Unmarshal(body.ToolChoice, &word) == nil {
		q.force, q.forbid = word == "required", word == "none"
	} else if json.Unmarshal(body.ToolChoice, &named) == nil {
		q.force, q.forced = true, named.Function.Name
	}
	return nil
}

type chatCompletion struct {
	ID                string          `json:"id"`
	Object            string          `json:"object"`
	Created           int64           `json:"created"`
	Model             string          `json:"model"`
	ServiceTier       string          `json:"service_tier"`
	SystemFingerprint string          `json:"system_fingerprint"`
	Choices           []chatChoice    `json:"choices"`
	Usage             json.RawMessage `json:"usage,omitempty"`
}

type chatChoice struct {
	Index        int             `json:"index"`
	Message      *chatMessage    `json:"message,omitempty"`
	Delta        *chatMessage    `json:"delta,omitempty"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason *string         `json:"finish_reason"`
}

type chatMessage struct {
	Role      string          `json:"role,omitempty"`
	Content   json.RawMessage `json:"content,omitempty"`
	ToolCalls []chatToolCall  `json:"tool_calls,omitempty"`
	Refusal   json.RawMessage `json:"refusal,omitempty"`
}

type chatToolCall struct {
	Index    *int         `json:"index,omitempty"`
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

var null = json.RawMessage("null")

func quoted(text string) json.RawMessage { return object(text) }

func (s *Simulator) answerChat(r *reply) payload {
	base := chatCompletion{
		ID: s.identifier("chatcmpl-"), Object: "chat.completion", Created: r.created.Unix(),
		Model: r.model, ServiceTier: "default", SystemFingerprint: "fp_simulator",
	}
	callID := s.identifier("call_")
	if r.stream {
		base.Object = "chat.completion.chunk"
		return streamOf("text/event-stream; charset=utf-8", r.chatEvents(base, callID))
	}
	if r.answer.Fail != 0 {
		return documentOf("application/json", http.StatusOK, ErrorBody(OpenAI, r.answer.Fail, "simulated error"))
	}
	reason := r.chatFinish()
	for i := range r.choices {
		message := &chatMessage{Role: "assistant", Content: quoted(r.text()), Refusal: null}
		if r.tool != nil {
			message.Content = null
			message.ToolCalls = []chatToolCall{{ID: callID, Type: "function",
				Function: chatFunction{Name: r.tool.name, Arguments: string(r.tool.arguments)}}}
		}
		base.Choices = append(base.Choices, chatChoice{Index: i, Message: message, Logprobs: null, FinishReason: &reason})
	}
	base.Usage = r.usage.openAI()
	return documentOf("application/json", http.StatusOK, object(base))
}

func (r *reply) chatFinish() string {
	return r.finishWord([3]string{"stop", "length", "tool_calls"})
}

func (r *reply) chatEvents(base chatCompletion, callID string) [][]byte {
	var events [][]byte
	if r.includeUsage && r.usage != nil {
		base.Usage = null
	}
	send := func(value any) {
		events = append(events, append(append([]byte("data: "), object(value)...), "\n\n"...))
	}
	// The choices take turns, as those of a real stream do.
	each := func(delta chatMessage, reason *string) {
		for i := range r.choices {
			chunk := base
			chunk.Choices = []chatChoice{{Index: i, Delta: &delta, Logprobs: null, FinishReason: reason}}
			send(chunk)
		}
	}
	zero := 0
	if r.tool != nil {
		call := chatToolCall{Index: &zero, ID: callID, Type: "function", Function: chatFunction{Name: r.tool.name}}
		pieces := r.tool.pieces()
		if r.answer.OneEvent {
			call.Function.Arguments, pieces = string(r.tool.arguments), nil
		}
		each(chatMessage{Role: "assistant", Content: null, Refusal: null, ToolCalls: []chatToolCall{call}}, nil)
		for _, piece := range pieces {
			each(chatMessage{ToolCalls: []chatToolCall{{Index: &zero, Function: chatFunction{Arguments: piece}}}}, nil)
		}
	} else if r.answer.Fail == 0 || len(r.words) > 0 {
		each(chatMessage{Role: "assistant", Content: quoted(""), Refusal: null}, nil)
	}
	for _, word := range r.words {
		each(chatMessage{Content: quoted(word)}, nil)
	}
	if r.answer.Fail != 0 {
		send(json.RawMessage(ErrorBody(OpenAI, r.answer.Fail, "simulated error")))
		return events
	}
	reason := r.chatFinish()
	each(chatMessage{}, &reason)
	if r.includeUsage && r.usage != nil {
		last := base
		last.Choices, last.Usage = []chatChoice{}, r.usage.openAI()
		send(last)
	}
	return append(events, []byte("data: [DONE]\n\n"))
}

// openAI counts cached tokens inside the prompt and reasoning inside the
// completion.
func (u *Usage) openAI() json.RawMessage {
	if u == nil {
		return nil
	}
	prompt := map[string]any{"cached_tokens": u.CacheRead, "audio_tokens": 0}
	if written := u.CacheWrite5m + u.CacheWrite1h; written > 0 {
		prompt["cache_write_tokens"] = written
	}
	return object(map[string]any{
		"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Input + u.Output,
		"prompt_tokens_details": prompt,
		"completion_tokens_details": map[string]any{
			"reasoning_tokens": u.Reasoning, "audio_tokens": 0,
			"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
		},
	})
}
