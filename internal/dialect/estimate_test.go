package dialect

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/tokens"
	"github.com/faregate/faregate/metering/usage"
)

// A long text costs what it has tokens, whatever it is wrapped in.
func TestEstimateCountsTheTextOfAnyDialect(t *testing.T) {
	text := strings.Repeat("Words that people write to each other. ", 100)
	made := tokens.Text{}
	made.AddString(text)
	image := `"data:image/png;base64,` + strings.Repeat("QUJD", 5000) + `"`
	for name, row := range map[string]struct {
		operation Operation
		model     string
		body      string
		images    int64
	}{
		"chat":           {chatCompletions, "", `{"model":"gpt-4o","messages":[{"role":"user","content":"TEXT"}]}`, 0},
		"chat parts":     {chatCompletions, "", `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"TEXT"},{"type":"image_url","image_url":{"url":IMAGE}}]}]}`, 1},
		"by address":     {chatCompletions, "", `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"TEXT"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`, 1},
		"a document":     {chatCompletions, "", `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"TEXT"},{"type":"file","file":{"file_data":"data:application/pdf;base64,QUJD"}}]}]}`, 1},
		"completions":    {completions, "", `{"model":"gpt-3.5-turbo-instruct","max_tokens":9,"prompt":"TEXT"}`, 0},
		"responses":      {responses, "", `{"model":"gpt-4o","input":"TEXT"}`, 0},
		"items":          {responses, "", `{"model":"gpt-4o","input":[{"role":"user","content":[{"type":"input_text","text":"TEXT"},{"type":"input_image","image_url":IMAGE}]}]}`, 1},
		"item's address": {responses, "", `{"model":"gpt-4o","input":[{"role":"user","content":[{"type":"input_text","text":"TEXT"},{"type":"input_image","image_url":"https://example.com/a.png"}]}]}`, 1},
		"instructions":   {responses, "", `{"model":"gpt-4o","instructions":"TEXT","input":"a"}`, 0},
		"messages":       {messages, "", `{"model":"claude-x","max_tokens":9,"system":[{"type":"text","text":"TEXT","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"a"}]}`, 0},
		"an image": {messages, "", `{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":` +
			image + `}},{"type":"text","text":"TEXT"}]}]}`, 1},
		"an address":      {messages, "", `{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},{"type":"text","text":"TEXT"}]}]}`, 1},
		"a tool's result": {messages, "", `{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[{"type":"text","text":"TEXT"}]}]}]}`, 0},
		"generate":        {generateContent, "gemini-x", `{"contents":[{"parts":[{"text":"TEXT"},{"inlineData":{"mimeType":"image/png","data":` + image + `}}]}]}`, 1},
		"snake case":      {generateContent, "gemini-x", `{"contents":[{"parts":[{"text":"a"}]}],"system_instruction":{"parts":[{"text":"TEXT"}]},"generation_config":{"max_output_tokens":5}}`, 0},
		"embeddings":      {embeddings, "", `{"model":"text-embedding-3-small","input":["TEXT"]}`, 0},
		"embed":           {embedContents, "gemini-x", `{"requests":[{"content":{"parts":[{"text":"TEXT"}]}}]}`, 0},
	} {
		body := strings.NewReplacer("TEXT", text, "IMAGE", image).Replace(row.body)
		r, err := ParseRequest(row.operation, row.model, false, "", []byte(body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		estimator := tokens.For(r.Model)
		want := estimator.Count([]byte(text), &made) + row.images*imageLikely
		if got := r.EstimateInput(estimator); got < want || got > want+25 {
			t.Errorf("%s: %d tokens, want %d and a few", name, got, want)
		}
	}
}

// Who sends tokens in place of a text has counted them.
func TestEstimateCountsTokens(t *testing.T) {
	estimator := tokens.For("gpt-3.5-turbo-instruct")
	row := "[9" + strings.Repeat(", 17", 999) + "]"
	for body, want := range map[string]int64{
		`{"model":"gpt-3.5-turbo-instruct","prompt":` + row + `}`:                     1000,
		`{"model":"gpt-3.5-turbo-instruct","prompt":[` + row + `,` + row + `]}`:       2000,
		`{"model":"gpt-3.5-turbo-instruct","prompt":"a","n":1,"seed":5,"logprobs":2}`: 0,
	} {
		if got := mustParse(t, completions, body).EstimateInput(estimator); got < want || got > want+10 {
			t.Errorf("%d tokens, want %d and a few", got, want)
		}
	}
	if got := mustParse(t, embeddings, `{"model":"text-embedding-3-small","input":`+row+`}`).EstimateInput(estimator); got < 1000 || got > 1010 {
		t.Errorf("%d tokens to embed", got)
	}
}

func TestHasMedia(t *testing.T) {
	for _, row := range []struct {
		operation Operation
		part      string
		want      bool
	}{
		{chatCompletions, `{"type":"text","text":"a"}`, false}, {chatCompletions, `{"type":"refusal","refusal":"a"}`, false},
		{chatCompletions, `{"type":"thinking","thinking":[{"type":"text","text":"a"}]}`, false},
		{chatCompletions, `{"type":"image_url","image_url":{"url":"https://x"}}`, true}, {chatCompletions, `{"image_url":"data:image/png;base64,QUJD"}`, true},
		{chatCompletions, `{"input_audio":{"data":"QUJD","format":"wav"}}`, true}, {chatCompletions, `{"video_url":{"url":"https://x"}}`, true},
		{chatCompletions, `{"file":{"file_data":"QUJD"}}`, true}, {chatCompletions, `{"type":"document_url","document_url":"https://x"}`, true},
		{responses, `{"type":"input_text","text":"a"}`, false}, {responses, `{"type":"input_image","image_url":"https://x"}`, true},
		{responses, `{"type":"input_file","file_data":"QUJD"}`, true}, {responses, `{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}`, true},
	} {
		frame := map[usage.Format]string{chatCompletions.Format: `{"model":"a","messages":[{"role":"user","content":[PART]}]}`, responses.Format: `{"model":"a","input":[{"role":"user","content":[PART]}]}`}[row.operation.Format]
		if got := mustParse(t, row.operation, strings.Replace(frame, "PART", row.part, 1)).HasMedia(); got != row.want {
			t.Errorf("%s %s: %t", row.operation.Name, row.part, got)
		}
	}
}

func TestEstimateCountsToolsAndCalls(t *testing.T) {
	count := func(body string) int64 {
		t.Helper()
		r, err := ParseRequest(chatCompletions, "", false, "", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return r.EstimateInput(tokens.For(r.Model))
	}
	// As OpenAI reports it: 13 tokens for a user's message of 7, 42 with a tool
	// whose description makes 22 of them.
	plain := count(`{"model":"gpt-5","messages":[{"role":"user","content":"What is the capital of France?"}]}`)
	if plain != 13 {
		t.Errorf("%d tokens, want 13", plain)
	}
	tool := `"tools":[{"type":"function","function":{"name":"get_capital","description":"","strict":true,"parameters":{"type":"object","required":["country"],"properties":{"country":{"type":"string"}}}}}]`
	with := count(`{"model":"gpt-5","messages":[{"role":"user","content":"What is the capital of France?"}],` + tool + `}`)
	if more := with - plain; more < 20 || more > 50 {
		t.Errorf("%d tokens more for a tool", more)
	}
	called := count(`{"model":"gpt-5","messages":[{"role":"user","content":"What is the capital of France?"},
		{"role":"assistant","content":null,"tool_calls":[{"id":"call_123456789","type":"function","function":{"name":"get_capital","arguments":"{\"country\":\"France\"}"}}]},
		{"role":"tool","tool_call_id":"call_123456789","content":"Paris"}],` + tool + `}`)
	if more := called - with; more < 20 || more > 50 {
		t.Errorf("%d tokens more for a call and its result", more)
	}
}

// Long prompts are counted by a sample and the rest in proportion.
func TestEstimateOfALongPrompt(t *testing.T) {
	sentence := "A sentence like many others that people write to each other. "
	body := func(n int) *Request {
		r, err := ParseRequest(chatCompletions, "", false, "", []byte(`{"model":"gpt-5","messages":[{"role":"user","content":"`+strings.Repeat(sentence, n)+`"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	short, long := body(100).EstimateInput(tokens.For("gpt-5")), body(20_000).EstimateInput(tokens.For("gpt-5"))
	if ratio := float64(long) / float64(short); ratio < 196 || ratio > 204 {
		t.Errorf("%d tokens, and %d of 200 times the text", short, long)
	}
}

func TestEstimateOfARecording(t *testing.T) {
	r := &Request{Operation: transcriptions, AudioBytes: 80_000, body: make([]byte, 80_100), audio: span{0, 80_000}}
	if got := r.EstimateInput(tokens.For("gpt-4o-transcribe")); got != 100 { // ten seconds
		t.Errorf("%d tokens", got)
	}
}
