package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
)

func (c *call) readGemini(q *question) *problem {
	type turn struct {
		Role  string
		Parts []struct {
			Text             string
			FunctionResponse json.RawMessage
		}
	}
	var body struct {
		Contents          []turn
		SystemInstruction turn
		GenerationConfig  struct {
			MaxOutputTokens int64
			CandidateCount  *int
		}
		Tools []struct {
			FunctionDeclarations []struct {
				Name                 string
				Parameters           json.RawMessage
				ParametersJSONSchema json.RawMessage
			}
		}
		ToolConfig struct {
			FunctionCallingConfig struct {
				Mode                 string
				AllowedFunctionNames []string
			}
		}
	}
	if problem := c.decode(&body); problem != nil {
		return problem
	}
	if len(body.Contents) == 0 {
		return refusal(http.StatusBadRequest, "contents are required")
	}
	q.stream = c.verb == "streamGenerateContent"
	q.sse = c.query.Get("alt") == "sse"
	q.outputCap = body.GenerationConfig.MaxOutputTokens
	if body.GenerationConfig.CandidateCount != nil {
		q.choices = *body.GenerationConfig.CandidateCount
	}
	for i, t := range append([]turn{body.SystemInstruction}, body.Contents...) {
		var said content
		for _, part := range t.Parts {
			if part.Text != "" {
				said.texts = append(said.texts, part.Text)
			}
			said.toolResult = said.toolResult || part.FunctionResponse != nil
		}
		q.turn(said, i > 0 && t.Role != "model")
	}
	for _, group := range body.Tools {
		for _, t := range group.FunctionDeclarations {
			schema := t.Parameters
			if schema == nil {
				schema = t.ParametersJSONSchema
			}
			q.tools = append(q.tools, tool{name: t.Name, schema: schema})
		}
	}
	choice := body.ToolConfig.FunctionCallingConfig
	q.force, q.forbid = choice.Mode == "ANY", choice.Mode == "NONE"
	if len(choice.AllowedFunctionNames) > 0 {
		q.forced = choice.AllowedFunctionNames[0]
	}
	return nil
}

type generated struct {
	Candidates    []candidate     `json:"candidates,omitempty"`
	UsageMetadata json.RawMessage `json:"usageMetadata,omitempty"`
	ModelVersion  string          `json:"modelVersion"`
	ResponseID    string          `json:"responseId"`
}

type candidate struct {
	Content      candidateContent `json:"content"`
	FinishReason string           `json:"finishReason,omitempty"`
	Index        int              `json:"index"`
}

type candidateContent struct {
	Parts []any  `json:"parts,omitempty"`
	Role  string `json:"role"`
}

func (s *Simulator) answerGemini(r *reply) payload {
	base := generated{ModelVersion: r.model, ResponseID: s.identifier("")}
	if !r.stream {
		if r.answer.Fail != 0 {
			return documentOf("application/json; charset=UTF-8", http.StatusOK, ErrorBody(Google, r.answer.Fail, "simulated error"))
		}
		var parts []any
		if len(r.words) > 0 {
			parts = []any{map[string]any{"text": r.text()}}
		}
		whole := r.geminiChunk(base, parts, true)
		whole.UsageMetadata = r.usage.gemini()
		return documentOf("application/json; charset=UTF-8", http.StatusOK, indented(whole))
	}
	objects := r.geminiObjects(base)
	if r.sse {
		return streamOf("text/event-stream", sseWithCRLF(objects))
	}
	return streamOf("application/json; charset=UTF-8", arrayInPieces(objects))
}

// geminiChunk is one object of the answer, with the same parts for each
// candidate.
func (r *reply) geminiChunk(base generated, parts []any, last bool) generated {
	if r.tool != nil {
		parts = []any{map[string]any{"functionCall": map[string]any{"name": r.tool.name, "args": r.tool.arguments}}}
	}
	base.Candidates = nil
	for i := range r.choices {
		c := candidate{Content: candidateContent{Parts: parts, Role: "model"}, Index: i}
		if last {
			// A call ends with STOP too.
			c.FinishReason = r.finishWord([3]string{"STOP", "MAX_TOKENS", "STOP"})
		}
		base.Candidates = append(base.Candidates, c)
	}
	return base
}

// geminiObjects are the stream's objects. Nearly each has the usage so far.
func (r *reply) geminiObjects(base generated) []any {
	var objects []any
	for i, word := range r.words {
		ends := i == len(r.words)-1 && r.answer.Fail == 0
		chunk := r.geminiChunk(base, []any{map[string]any{"text": word}}, ends)
		sofar := r.usage
		if r.counted && sofar != nil && !ends {
			sofar = &Usage{Input: sofar.Input, Output: int64((i + 1) * r.choices)}
		}
		chunk.UsageMetadata = sofar.gemini()
		objects = append(objects, chunk)
	}
	if r.answer.Fail != 0 {
		return append(objects, json.RawMessage(ErrorBody(Google, r.answer.Fail, "simulated error")))
	}
	if len(r.words) == 0 {
		chunk := r.geminiChunk(base, nil, true)
		chunk.UsageMetadata = r.usage.gemini()
		objects = append(objects, chunk)
	}
	return objects
}

// sseWithCRLF frames as the provider does with alt=sse.
func sseWithCRLF(objects []any) [][]byte {
	var events [][]byte
	for _, value := range objects {
		events = append(events, slices.Concat([]byte("data: "), object(value), []byte("\r\n\r\n")))
	}
	return events
}

// arrayInPieces frames as the provider does without alt=sse: one JSON array
// whose separators and bracket come with the element before or behind them.
func arrayInPieces(objects []any) [][]byte {
	var pieces [][]byte
	for i, value := range objects {
		before := "["
		if i > 0 {
			before = ",\r\n"
		}
		pieces = append(pieces, slices.Concat([]byte(before), indented(value), []byte("\n")))
	}
	return append(pieces, []byte("]"))
}

func indented(value any) []byte {
	var text bytes.Buffer
	if err := json.Indent(&text, object(value), "", "  "); err != nil {
		panic("simulator: " + err.Error())
	}
	return text.Bytes()
}

// gemini keeps thoughts out of the candidates, and leaves out what is nothing:
// candidatesTokenCount is absent when nothing was said.
func (u *Usage) gemini() json.RawMessage {
	if u == nil {
		return nil
	}
	usage := map[string]any{"promptTokenCount": u.Input, "totalTokenCount": u.Input + u.Output}
	if u.Input > 0 {
		usage["promptTokensDetails"] = []any{map[string]any{"modality": "TEXT", "tokenCount": u.Input}}
	}
	if said := u.Output - u.Reasoning; said > 0 {
		usage["candidatesTokenCount"] = said
	}
	if u.Reasoning > 0 {
		usage["thoughtsTokenCount"] = u.Reasoning
	}
	if u.CacheRead > 0 {
		usage["cachedContentTokenCount"] = u.CacheRead
	}
	return object(usage)
}
