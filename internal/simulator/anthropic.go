package simulator

import (
	"encoding/json"
	"net/http"
)

// The versions of the Messages API. The newer one refuses sampling parameters
// (platform.claude.com/docs/en/api/migration-2026-10-21).
const (
	anthropicVersion2023 = "2023-06-01"
	anthropicVersion2026 = "2026-10-21"
)

func (c *call) readMessages(q *question) *problem {
	var body struct {
		Stream    bool
		MaxTokens int64 `json:"max_tokens"`
		System    content
		Messages  []struct {
			Role    string
			Content content
		}
		Tools []struct {
			Name        string
			InputSchema json.RawMessage `json:"input_schema"`
		}
		ToolChoice struct{ Type, Name string } `json:"tool_choice"`

		Temperature json.RawMessage
		TopP        json.RawMessage `json:"top_p"`
		TopK        json.RawMessage `json:"top_k"`
	}
	q.apiVersion = c.header.Get("Anthropic-Version")
	if q.apiVersion != anthropicVersion2023 && q.apiVersion != anthropicVersion2026 {
		return refusal(http.StatusBadRequest, "anthropic-version: header is required, %s or %s", anthropicVersion2023, anthropicVersion2026)
	}
	if problem := c.decode(&body); problem != nil {
		return problem
	}
	if body.MaxTokens < 1 && !c.counts {
		return refusal(http.StatusBadRequest, "max_tokens: field required")
	}
	if len(body.Messages) == 0 {
		return refusal(http.StatusBadRequest, "messages: field required")
	}
	if q.apiVersion == anthropicVersion2026 && (body.Temperature != nil || body.TopP != nil || body.TopK != nil) {
		return refusal(http.StatusBadRequest, "temperature, top_p and top_k are not supported by this version")
	}
	q.stream, q.sse, q.outputCap = body.Stream, true, body.MaxTokens
	q.count(body.System)
	for _, message := range body.Messages {
		q.turn(message.Content, message.Role == "user")
	}
	for _, t := range body.Tools {
		q.tools = append(q.tools, tool{name: t.Name, schema: t.InputSchema})
	}
	q.force = body.ToolChoice.Type == "any" || body.ToolChoice.Type == "tool"
	q.forbid = body.ToolChoice.Type == "none"
	q.forced = body.ToolChoice.Name
	return nil
}

type message struct {
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	Role         string          `json:"role"`
	Model        string          `json:"model"`
	Content      []contentBlock  `json:"content"`
	StopReason   *string         `json:"stop_reason"`
	StopSequence *string         `json:"stop_sequence"`
	Usage        json.RawMessage `json:"usage,omitempty"`
}

type contentBlock struct {
	Type  string          `json:"type"`
	Text  *string         `json:"text,omitempty"`
	ID    string          `json:"id,omitempty"`
	Name  string          `json:"name,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
}

func (s *Simulator) answerMessages(c *call, r *reply) payload {
	m := message{
		ID: s.identifier("msg_"), Type: "message", Role: "assistant", Model: r.model,
		Content: []contentBlock{}, Usage: r.usage.anthropic(),
	}
	var p payload
	reason := r.finishWord([3]string{"end_turn", "max_tokens", "tool_use"})
	block := contentBlock{Type: "text", Text: new(string)}
	if r.tool != nil {
		block = contentBlock{Type: "tool_use", ID: s.identifier("toolu_"), Name: r.tool.name, Input: json.RawMessage("{}")}
	}
	switch {
	case r.stream:
		p = streamOf("text/event-stream; charset=utf-8", r.messageEvents(m, block, reason))
	case r.answer.Fail != 0:
		p = documentOf("application/json", http.StatusOK, ErrorBody(Anthropic, r.answer.Fail, "simulated error"))
	default:
		if r.tool != nil {
			block.Input = r.tool.arguments
		} else {
			*block.Text = r.text()
		}
		if r.tool != nil || len(r.words) > 0 {
			m.Content = append(m.Content, block)
		}
		m.StopReason = &reason
		p = documentOf("application/json", http.StatusOK, object(m))
	}
	p.header.Set("Request-Id", s.identifier("req_"))
	return p
}

func (r *reply) messageEvents(m message, block contentBlock, reason string) [][]byte {
	var events [][]byte
	send := func(name string, value any) {
		event := append([]byte("event: "+name+"\ndata: "), object(value)...)
		events = append(events, append(event, "\n\n"...))
	}
	delta := func(value map[string]any) {
		send("content_block_delta", map[string]any{"type": "content_block_delta", "index": 0, "delta": value})
	}
	if r.usage != nil {
		start := *r.usage
		start.Output = min(1, start.Output) // provisional, as the real ones are
		start.Reasoning = 0
		m.Usage = start.anthropic()
	}
	if r.answer.Fail == 0 || len(r.words) > 0 {
		send("message_start", map[string]any{"type": "message_start", "message": m})
		send("ping", map[string]any{"type": "ping"})
	}
	if r.tool != nil || len(r.words) > 0 {
		send("content_block_start", map[string]any{"type": "content_block_start", "index": 0, "content_block": block})
		for _, word := range r.words {
			delta(map[string]any{"type": "text_delta", "text": word})
		}
		if r.tool != nil {
			for _, piece := range r.tool.pieces() {
				delta(map[string]any{"type": "input_json_delta", "partial_json": piece})
			}
		}
	}
	if r.answer.Fail != 0 {
		send("error", json.RawMessage(ErrorBody(Anthropic, r.answer.Fail, "simulated error")))
		return events
	}
	if r.tool != nil || len(r.words) > 0 {
		send("content_block_stop", map[string]any{"type": "content_block_stop", "index": 0})
	}
	last := map[string]any{"type": "message_delta", "delta": map[string]any{"stop_reason": reason, "stop_sequence": nil}}
	if r.usage != nil {
		last["usage"] = r.usage.anthropic()
		if r.apiVersion == anthropicVersion2023 {
			// Older versions report the output alone here, which a reader
			// must merge with message_start.
			last["usage"] = map[string]any{"output_tokens": r.usage.Output}
		}
	}
	send("message_delta", last)
	send("message_stop", map[string]any{"type": "message_stop"})
	return events
}

// anthropic keeps what went through the cache out of input_tokens.
func (u *Usage) anthropic() json.RawMessage {
	if u == nil {
		return nil
	}
	written := u.CacheWrite5m + u.CacheWrite1h
	usage := map[string]any{
		"input_tokens":                u.Input - u.CacheRead - written,
		"cache_creation_input_tokens": written, "cache_read_input_tokens": u.CacheRead,
		"cache_creation": map[string]any{
			"ephemeral_5m_input_tokens": u.CacheWrite5m, "ephemeral_1h_input_tokens": u.CacheWrite1h,
		},
		"output_tokens": u.Output, "service_tier": "standard",
	}
	if u.Reasoning > 0 {
		usage["output_tokens_details"] = map[string]any{"thinking_tokens": u.Reasoning}
	}
	return object(usage)
}
