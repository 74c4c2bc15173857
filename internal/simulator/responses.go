package simulator

import (
	"encoding/json"
	"net/http"
)

func (c *call) readResponses(q *question) *problem {
	var body struct {
		Stream          bool
		MaxOutputTokens int64 `json:"max_output_tokens"`
		Instructions    content
		Input           json.RawMessage
		Tools           []struct {
			Type, Name string
			Parameters json.RawMessage
		}
		ToolChoice json.RawMessage `json:"tool_choice"`
	}
	if problem := c.decode(&body); problem != nil {
		return problem
	}
	var items []struct {
		Type, Role string
		Content    content
		Output     content // of a tool
	}
	var text string
	switch {
	case len(body.Input) == 0:
		return refusal(http.StatusBadRequest, "input is missing")
	case json.Unmarshal(body.Input, &text) == nil:
		q.turn(content{texts: []string{text}}, true)
	case json.Unmarshal(body.Input, &items) != nil || len(items) == 0:
		return refusal(http.StatusBadRequest, "input must be a text or a list of items")
	}
	q.stream, q.sse, q.outputCap = body.Stream, true, body.MaxOutputTokens
	q.count(body.Instructions)
	for _, item := range items {
		if item.Type == "function_call_output" {
			item.Output.toolResult = true
			q.turn(item.Output, true)
			continue
		}
		q.turn(item.Content, item.Role == "user")
	}
	for _, t := range body.Tools {
		if t.Type == "function" { // the others run at the provider
			q.tools = append(q.tools, tool{name: t.Name, schema: t.Parameters})
		}
	}
	var word string
	var named struct{ Name string }
	if json.Unmarshal(body.ToolChoice, &word) == nil {
		q.force, q.forbid = word == "required", word == "none"
	} else if json.Unmarshal(body.ToolChoice, &named) == nil {
		q.force, q.forced = named.Name != "", named.Name
	}
	return nil
}

type response struct {
	ID                string          `json:"id"`
	Object            string          `json:"object"`
	CreatedAt         int64           `json:"created_at"`
	Status            string          `json:"status"`
	Error             json.RawMessage `json:"error"`
	IncompleteDetails json.RawMessage `json:"incomplete_details"`
	Instructions      json.RawMessage `json:"instructions"`
	Metadata          struct{}        `json:"metadata"`
	Model             string          `json:"model"`
	Output            []responseItem  `json:"output"`
	ParallelToolCalls bool            `json:"parallel_tool_calls"`
	ServiceTier       string          `json:"service_tier"`
	Store             bool            `json:"store"`
	Temperature       float64         `json:"temperature"`
	ToolChoice        string          `json:"tool_choice"`
	Tools             []struct{}      `json:"tools"`
	TopP              float64         `json:"top_p"`
	Usage             json.RawMessage `json:"usage"`
}

type responseItem struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Status string `json:"status"`

	Role    string         `json:"role,omitempty"`
	Content []responsePart `json:"content,omitzero"` // there, but empty, while a message begins

	CallID    string  `json:"call_id,omitempty"`
	Name      string  `json:"name,omitempty"`
	Arguments *string `json:"arguments,omitempty"`
}

type responsePart struct {
	Type        string     `json:"type"`
	Text        string     `json:"text"`
	Annotations []struct{} `json:"annotations"`
	Logprobs    []struct{} `json:"logprobs"`
}

func outputText(text string) responsePart {
	return responsePart{Type: "output_text", Text: text, Annotations: []struct{}{}, Logprobs: []struct{}{}}
}

func (s *Simulator) answerResponses(r *reply) payload {
	base := response{
		ID: s.identifier("resp_"), Object: "response", CreatedAt: r.created.Unix(), Status: "in_progress",
		Error: null, IncompleteDetails: null, Instructions: null, Model: r.model, Output: []responseItem{},
		ParallelToolCalls: true, ServiceTier: "default", Temperature: 1, ToolChoice: "auto", Tools: []struct{}{}, TopP: 1, Usage: null,
	}
	item := responseItem{ID: s.identifier("msg_"), Type: "message", Role: "assistant"}
	if r.tool != nil {
		item = responseItem{ID: s.identifier("fc_"), Type: "function_call", CallID: s.identifier("call_"), Name: r.tool.name}
	}
	if r.stream {
		return streamOf("text/event-stream; charset=utf-8", r.responseEvents(base, item))
	}
	if r.answer.Fail != 0 {
		return documentOf("application/json", http.StatusOK, ErrorBody(OpenAI, r.answer.Fail, "simulated error"))
	}
	return documentOf("application/json", http.StatusOK, object(r.finished(base, r.whole(item))))
}

// whole is the item at its end.
func (r *reply) whole(item responseItem) responseItem {
	item.Status = "completed"
	if r.tool != nil {
		arguments := string(r.tool.arguments)
		item.Arguments = &arguments
	} else {
		item.Content = []responsePart{outputText(r.text())}
	}
	return item
}

// finished is the response at its end.
func (r *reply) finished(base response, item responseItem) response {
	base.Status = r.finishWord([3]string{"completed", "incomplete", "completed"})
	if base.Status == "incomplete" {
		base.IncompleteDetails = json.RawMessage(`{"reason":"max_output_tokens"}`)
	}
	if r.tool != nil || len(r.words) > 0 {
		base.Output = []responseItem{item}
	}
	if r.usage != nil {
		base.Usage = r.usage.responses()
	}
	return base
}

func (r *reply) responseEvents(base response, item responseItem) [][]byte {
	var events [][]byte
	send := func(kind string, members map[string]any) {
		members["type"], members["sequence_number"] = "response."+kind, len(events)
		event := append([]byte("event: response."+kind+"\ndata: "), object(members)...)
		events = append(events, append(event, "\n\n"...))
	}
	ofItem := func(kind string, members map[string]any) {
		members["output_index"], members["item_id"] = 0, item.ID
		send(kind, members)
	}
	ofPart := func(kind string, members map[string]any) {
		members["content_index"] = 0
		ofItem(kind, members)
	}
	send("created", map[string]any{"response": base})
	send("in_progress", map[string]any{"response": base})
	item.Status = "in_progress"
	if r.tool != nil {
		item.Arguments = new(string)
		send("output_item.added", map[string]any{"output_index": 0, "item": item})
		for _, piece := range r.tool.pieces() {
			ofItem("function_call_arguments.delta", map[string]any{"delta": piece})
		}
		ofItem("function_call_arguments.done", map[string]any{"name": r.tool.name, "arguments": string(r.tool.arguments)})
	} else if len(r.words) > 0 {
		item.Content = []responsePart{}
		send("output_item.added", map[string]any{"output_index": 0, "item": item})
		ofPart("content_part.added", map[string]any{"part": outputText("")})
		for _, word := range r.words {
			ofPart("output_text.delta", map[string]any{"delta": word, "logprobs": []struct{}{}})
		}
	}
	if r.answer.Fail != 0 {
		base.Status, base.Error = "failed", object(map[string]any{"code": "server_error", "message": "simulated error"})
		send("failed", map[string]any{"response": base})
		return events
	}
	item = r.whole(item)
	if r.tool == nil && len(r.words) > 0 {
		ofPart("output_text.done", map[string]any{"text": r.text(), "logprobs": []struct{}{}})
		ofPart("content_part.done", map[string]any{"part": outputText(r.text())})
	}
	if r.tool != nil || len(r.words) > 0 {
		send("output_item.done", map[string]any{"output_index": 0, "item": item})
	}
	last := r.finished(base, item)
	send(last.Status, map[string]any{"response": last})
	return events
}

// responses counts as openAI does, by other names.
func (u *Usage) responses() json.RawMessage {
	return object(map[string]any{
		"input_tokens":          u.Input,
		"input_tokens_details":  map[string]any{"cached_tokens": u.CacheRead, "cache_write_tokens": u.CacheWrite5m + u.CacheWrite1h},
		"output_tokens":         u.Output,
		"output_tokens_details": map[string]any{"reasoning_tokens": u.Reasoning},
		"total_tokens":          u.Input + u.Output,
	})
}
