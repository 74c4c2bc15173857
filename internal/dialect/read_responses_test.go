package dialect

import (
	"strings"
	"testing"
)

func TestResponsesRequest(t *testing.T) {
	r := mustParse(t, responses, `{"model":"gpt-5.6","input":"hi","stream":true,"max_output_tokens":900,"service_tier":"flex","store":false,
		"prompt_cache_key":"k","include":["reasoning.encrypted_content"],"previous_response_id":null,"background":false,
		"tools":[{"type":"function","name":"f","parameters":{"type":"code_interpreter"}},{"type":"custom","name":"c"},{"type":"local_shell"}]}`)
	if r.Model != "gpt-5.6" || !r.SSE || r.OutputCap != 900 || r.ServiceTier != "flex" || len(r.Tools) != 0 || r.HasUnboundedInput() || !r.CanCapOutput() {
		t.Errorf("%+v", *r)
	}
	r = mustParse(t, responses, `{"model":"a","input":[{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]},
		{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}]}`)
	if r.HasUnboundedInput() || r.images != 2 {
		t.Errorf("%d images, %+v", r.images, *r)
	}
	for body, passes := range map[string]int64{
		`{"model":"a","tools":[{"type":"web_search"}]}`:                                                             1 + standardToolCalls,
		`{"model":"a","tools":[{"type":"web_search_preview_2025_03_11"},{"type":"web_search"}],"max_tool_calls":7}`: 8,
		`{"model":"a","max_tool_calls":7}`:                                                                          1,
		// As Codex has them: all tools in the input, in namespaces, and a search of its own.
		`{"model":"a","input":[{"type":"additional_tools","role":"developer","tools":[{"type":"web_search"}]}]}`:                             1 + standardToolCalls,
		`{"model":"a","input":[{"type":"additional_tools","tools":[{"type":"namespace","tools":[{"type":"function"},{"type":"custom"}]}]}]}`: 1,
		`{"model":"a","tools":[{"type":"tool_search","execution":"client","parameters":{"type":"object"}}]}`:                                 1,
	} {
		if r = mustParse(t, responses, body); r.Passes() != passes || r.WebSearches() != passes-1 {
			t.Errorf("%s: %d passes, %d searches", body, r.Passes(), r.WebSearches())
		}
	}
	for _, body := range []string{
		`{"model":"a","input":[{"content":[{"type":"input_image","image_url":"https://example.com/a.png"}]}]}`,
		`{"model":"a","input":[{"content":[{"type":"input_file","file_data":"data:application/pdf;base64,AA"}]}]}`,
		`{"model":"a","input":[{"content":[{"type":"input_file","file_url":"https://example.com/a.pdf"}]}]}`,
		`{"model":"a","input":[{"content":[{"type":"input_video","video_url":"https://example.com/a.mp4"}]}]}`,
		`{"model":"a","input":[{"type":"computer_call_output","output":{"type":"computer_screenshot","image_url":"https://example.com/a.png"}}]}`,
	} {
		if r = mustParse(t, responses, body); !r.HasUnboundedInput() {
			t.Errorf("%s is bounded by its bytes", body)
		}
	}
	for body, passes := range map[string]int64{
		`{"model":"a","context_management":null}`: 1, `{"model":"a","context_management":[]}`: 1,
		`{"model":"a","context_management":[{"type":"compaction","compact_threshold":1000}]}`: 2,
	} {
		if r = mustParse(t, responses, body); r.Passes() != passes || r.OutputPasses() != passes || r.WebSearches() != 0 {
			t.Errorf("%s: reads %d times, writes %d times", body, r.Passes(), r.OutputPasses())
		}
	}
	if r = mustParse(t, compactResponses, `{"model":"a","input":[]}`); r.CanCapOutput() || r.OutputBound(77) != 77 {
		t.Errorf("compact: %+v", *r)
	}
}

func TestResponsesThatKeepOrCostTooMuchAreRefused(t *testing.T) {
	for _, members := range []string{
		`"store":true`, `"background":true`, `"previous_response_id":"resp_1"`, `"conversation":"conv_1"`, `"conversation":{"id":"c"}`, `"prompt":{"id":"p"}`,
		`"input":[{"type":"item_reference","id":"i"}]`, `"input":[{"type":"item\u005freference","id":"i"}]`, `"input":[{"content":[{"type":"input_file","file_id":"f"}]}]`, `"input":[{"content":[{"type":"input_image","file_id":"f"}]}]`,
		`"input":[{"type":"computer_call_output","output":{"file_id":"f"}}]`, `"search_parameters":{"mode":"on"}`,
		`"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]`, `"tools":[{"type":"file_search","vector_store_ids":["v"]}]`, `"tools":[{"type":"mcp","server_url":"https://x"}]`,
		`"tools":[{"type":"image_generation"}]`, `"tools":[{"type":"shell"}]`, `"tools":[{"type":"not_yet_known"}]`,
		`"tools":[{"type":"tool_search"}]`, `"tools":[{"type":"tool_search","execution":"server"}]`, `"tools":[{"execution":"client"},{"type":"tool_search"}]`,
		`"input":[{"type":"additional_tools","role":"developer","tools":[{"type":"mcp","server_url":"https://x"}]}]`,
		`"tools":[{"type":"code_interpreter","tools":[{"type":"function"}]}]`,
	} {
		body := `{"model":"a",` + members + `}`
		if problem := refused(t, responses, "", body); problem.Code != CodeUnsupported || problem.Param == "" {
			t.Errorf("%s: %+v", body, problem)
		}
	}
	for _, members := range []string{`"Store":true`, `"store":false,"store":true`, `"tools":[{"type":"function","TYPE":"mcp"}]`, `"previous_Response_id":"x"`} {
		if problem := refused(t, responses, "", `{"model":"a",`+members+`}`); problem.Code != CodeAmbiguousJSON {
			t.Errorf("%s: %+v", members, problem)
		}
	}
	for _, members := range []string{`"tools":[{"type":"namespace","name":"n","tools":[{"type":"web_search"}]}]`, `"max_output_tokens":0`, `"max_tool_calls":0`, `"max_tool_calls":1001`, `"stream":1`} {
		if problem := refused(t, responses, "", `{"model":"a",`+members+`}`); problem.Code != CodeInvalidRequest {
			t.Errorf("%s: %+v", members, problem)
		}
	}
}

// Each prompt gets its own choices, and best_of generates more than it returns.
func TestCompletionsCountWhatTheyGenerate(t *testing.T) {
	for body, want := range map[string][2]int{
		`{"model":"a","prompt":"x, y"}`:                                        {1, 1},
		`{"model":"a"}`:                                                        {1, 1},
		`{"model":"a","prompt":[1, 2, 3]}`:                                     {1, 1},
		`{"model":"a","prompt":[]}`:                                            {1, 1},
		`{"model":"a","prompt":[ "a,b\\", "c\",d" ],"n":3}`:                    {6, 6},
		`{"model":"a","prompt":[[1,2],[3,4],[5]],"n":2,"best_of":5}`:           {6, 15},
		`{"model":"a","best_of":2}`:                                            {1, 2},
		`{"model":"a","prompt":["` + strings.Repeat(`x","`, 2047) + `"]}`:      {2048, 2048},
		`{"model":"a","prompt":"x","best_of":null,"n":null,"max_tokens":null}`: {1, 1},
	} {
		r := mustParse(t, completions, body)
		if r.Choices != want[0] || r.Generated != want[1] || r.StandardOutputCap() != standardCompletionCap {
			t.Errorf("%.60s: %d choices, %d generated, cap %d", body, r.Choices, r.Generated, r.StandardOutputCap())
		}
	}
	if r := mustParse(t, completions, `{"model":"a","max_tokens":5}`); r.StandardOutputCap() != 0 || r.OutputCap != 5 {
		t.Errorf("%+v", *r)
	}
	if problem := refused(t, completions, "", `{"model":"a","prompt":["`+strings.Repeat(`x","`, 2048)+`"]}`); problem.Code != CodeInvalidRequest || problem.Param != "prompt" {
		t.Errorf("%+v", problem)
	}
}

// Each of several texts may be as long as the longest that the model reads.
func TestPromptsAreCounted(t *testing.T) {
	for _, row := range []struct {
		operation Operation
		body      string
		prompts   int64
		unbounded bool
	}{
		{chatCompletions, `{"model":"a","messages":[{"content":"x"},{"content":"y"}]}`, 1, false},
		{completions, `{"model":"a","prompt":"x"}`, 1, false},
		{completions, `{"model":"a","prompt":["x","y"],"n":3}`, 2, false},
		{completions, `{"model":"a","prompt":[1,2,3]}`, 1, false},
		{embeddings, `{"model":"a"}`, 1, false},
		{embeddings, `{"model":"a","input":"x, y"}`, 1, false},
		{embeddings, `{"model":"a","input":[1,2,3]}`, 1, false},
		{embeddings, `{"model":"a","input":["x","y"]}`, 2, false},
		{embeddings, `{"model":"a","input":[[1,2],[3],[4]]}`, 3, false},
		{embeddings, `{"model":"a","input":["x",{"content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]}`, 2, true},
		{embeddings, `{"model":"a","input":{"image":"https://x"}}`, 1, true},
		{embedContent, `{"content":{"parts":[{"text":"x"},{"text":"y"}]}}`, 1, false},
		{embedContents, `{"requests":[{"content":{"parts":[{"text":"x"}]}},{"content":{"parts":[{"text":"y"}]}}]}`, 2, false},
	} {
		r := mustParse(t, row.operation, row.body)
		if r.Prompts() != row.prompts || r.HasUnboundedInput() != row.unbounded {
			t.Errorf("%s: %d prompts, unbounded %v", row.body, r.Prompts(), r.HasUnboundedInput())
		}
	}
}

func TestOperationsWithoutOutput(t *testing.T) {
	for body, operation := range map[string]Operation{
		`{"model":"m","input":"x"}`:                         embeddings,
		`{"input":["x"]}`:                                   moderations,
		`{"model":null,"input":["x"]}`:                      moderations,
		`{"contents":[{"parts":[{"text":"x"}]}]}`:           countContents,
		`{"content":{"parts":[{"text":"x"}]}}`:              embedContent,
		`{"requests":[{"content":{"parts":{"text":"x"}}}]}`: embedContents,
	} {
		r := mustParse(t, operation, body)
		if r.OutputBound(77) != 0 || r.CanCapOutput() || r.Stream || r.Model == "" {
			t.Errorf("%s: %+v", body, *r)
		}
	}
	if r := mustParse(t, moderations, `{"input":"x"}`); r.Model != standardModeration {
		t.Errorf("model %q", r.Model)
	}
	for body, operation := range map[string]Operation{
		`{"input":"x"}`: embeddings, `{"model":"a","stream":true}`: embeddings, `{"model":"models/other"}`: embedContent,
		`{"requests":[{"model":"models/gemini-3.8-flash"},{"model":"models/other"}]}`: embedContents, `{"generateContentRequest":{"cachedContent":"c"}}`: countContents,
	} {
		_ = refused(t, operation, "", body)
	}
}
