package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recorded is a recorded exchange. The written case.json has the same shape with
// fewer members.
type recorded struct {
	ID       string   `json:"id"`
	Provider string   `json:"provider"`
	Dialect  string   `json:"dialect"`
	Quirks   []string `json:"quirks,omitempty"`
	Request  struct {
		Path   string          `json:"path,omitempty"`
		Model  string          `json:"model,omitempty"`
		Stream bool            `json:"stream"`
		N      int             `json:"n,omitempty"`
		Body   json.RawMessage `json:"body,omitempty"`
	} `json:"request"`
	Response struct {
		Status   int    `json:"status"`
		Type     string `json:"content_type"`
		Encoding string `json:"content_encoding,omitempty"`
		Streamed bool   `json:"streamed"`
		Fidelity string `json:"fidelity"`
	} `json:"response"`
	Expected struct {
		Usage        json.RawMessage `json:"usage,omitempty"`
		Tools        json.RawMessage `json:"tools,omitempty"`
		Iterations   json.RawMessage `json:"iterations,omitempty"`
		Model        string          `json:"response_model,omitempty"`
		FinishReason any             `json:"finish_reason,omitempty"`
		ServiceTier  any             `json:"service_tier,omitempty"`
		Error        any             `json:"error,omitempty"`
		Actions      json.RawMessage `json:"web_search_actions,omitempty"`
		ToolUsage    json.RawMessage `json:"tool_usage,omitempty"`
		Cost         json.Number     `json:"provider_cost_usd,omitempty"`
		Ticks        int64           `json:"provider_cost_usd_ticks,omitempty"`
		Seconds      int64           `json:"seconds,omitempty"`
		Images       int64           `json:"images,omitempty"`
		Pages        int64           `json:"pages,omitempty"`
		Counted      int64           `json:"count_tokens,omitempty"`
	} `json:"expected"`

	body []byte
}

// dialects are the wire formats that the project reads.
var dialects = map[string]bool{
	"openai_chat": true, "anthropic_messages": true, "gemini_generate": true,
	"openai_completions": true, "openai_responses": true, "openai_embeddings": true, "openai_images": true,
	"openai_transcription": true, "openai_speech": true, "openai_moderations": true, "openai_input_tokens": true,
	"anthropic_count_tokens": true, "gemini_count_tokens": true, "gemini_embed": true, "mistral_ocr": true,
}

// broken are the recordings that are not in their wire format: a brace is missing.
var broken = map[string]bool{"openai/responses-stream-usage-absent-nomodel": true}

// readCases reads the recordings of the known dialects, in order of their paths.
func readCases(root string) ([]*recorded, error) {
	var list []*recorded
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "case.json" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var kind struct {
			Dialect string `json:"dialect"`
		}
		if err := json.Unmarshal(text, &kind); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !dialects[kind.Dialect] {
			return nil
		}
		c := new(recorded)
		if err := json.Unmarshal(text, c); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if c.body, err = os.ReadFile(filepath.Join(filepath.Dir(path), "response.txt")); err != nil {
			return err
		}
		if c.Response.Encoding == "gzip" {
			reader, err := gzip.NewReader(bytes.NewReader(c.body))
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if c.body, err = io.ReadAll(reader); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		if c.Response.Status != 0 && !broken[c.Provider+"/"+c.ID] {
			list = append(list, c)
		}
		return nil
	})
	return list, err
}

// eventStream tells whether the body is framed as server-sent events.
func (c *recorded) eventStream() bool {
	return strings.HasPrefix(c.Response.Type, "text/event-stream") || c.Response.Streamed && c.Dialect == "openai_chat"
}

// raw tells whether the body is neither JSON nor an event stream.
func (c *recorded) raw() bool {
	return strings.HasPrefix(c.Response.Type, "audio/") || strings.HasPrefix(c.Response.Type, "text/plain")
}

// facts returns what the written case.json holds.
func (c *recorded) facts() ([]byte, error) {
	written := *c
	var body struct {
		N          int `json:"n"`
		Generation struct {
			Count int `json:"candidateCount"`
		} `json:"generationConfig"`
	}
	// The body may be missing or a form: then there was no count either.
	if len(c.Request.Body) > 0 && c.Request.Body[0] == '{' {
		if err := json.Unmarshal(c.Request.Body, &body); err != nil {
			return nil, err
		}
	}
	written.Request.N = max(body.N, body.Generation.Count)
	written.Request.Body, written.Request.Path = nil, ""
	written.Request.Model = ""
	if modelName.MatchString(c.Request.Model) {
		written.Request.Model = c.Request.Model
	}
	written.Response.Encoding = "" // the written body is decoded
	if c.eventStream() && !strings.HasPrefix(c.Response.Type, "text/event-stream") {
		written.Response.Type = "text/event-stream"
	}
	if c.Expected.Error != nil {
		written.Expected.Error = true
	}
	text, err := json.MarshalIndent(written, "", "\t")
	return append(text, '\n'), err
}
