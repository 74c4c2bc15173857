package usage

import (
	"strings"
	"testing"
)

const responseUsage = `"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5,"cache_write_tokens":3},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":29}`

func TestResponsesEndAtTheirTerminalEvent(t *testing.T) {
	o := Options{Format: OpenAIResponses, Framing: SSE}
	start := "event: response.created\n" + sse(`{"type":"response.created","response":{"status":"in_progress","model":"gpt-x","service_tier":"auto","usage":null}}`) +
		"event: response.output_text.delta\n" + sse(`{"type":"response.output_text.delta","delta":"Hé"}`)
	for name, test := range map[string]struct {
		end      string
		reason   string
		failed   ErrorKind
		reported bool
	}{
		"completed":  {`{"type":"response.completed","response":{"status":"completed","service_tier":"default",` + responseUsage + `}}`, "completed", "", true},
		"incomplete": {`{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},` + responseUsage + `}}`, "incomplete:max_output_tokens", "", true},
		"failed":     {`{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"x"},"usage":null}}`, "failed", ErrorRateLimited, false},
		"failed, with usage": {
			`{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error"},` + responseUsage + `}}`, "failed", ErrorServer, true,
		},
		"error":       {`{"type":"error","error":{"type":"insufficient_quota","code":"insufficient_quota"}}`, "", ErrorQuota, false},
		"older error": {`{"type":"error","code":"server_error","message":"x","param":null}`, "", ErrorServer, false},
		"zero usage":  {`{"type":"response.incomplete","response":{"status":"incomplete","usage":{"input_tokens":0,"output_tokens":0}}}`, "incomplete", "", false},
		"type last":   {`{"response":{"status":"completed",` + responseUsage + `},"type":"response.completed"}`, "completed", "", true},
	} {
		for _, tail := range []string{"", "data: [DONE]\n\n", ": bye\n\n"} {
			end := "event: response.x\n" + sse(test.end) + tail
			for _, size := range []func() int{whole, single} {
				passed, withheld, r := run(o, []byte(start+end), size)
				if string(passed)+string(withheld) != start+end || !strings.HasPrefix(string(passed), start) || len(withheld) == 0 {
					t.Errorf("%s: passed %q, withheld %q", name, passed, withheld)
				}
				if !r.Final || !r.Complete || r.FinishReason != test.reason || r.Failed != (test.failed != "") || r.ErrorKind != test.failed || r.Err != nil {
					t.Errorf("%s: %+v", name, r)
				}
				if r.Reported != test.reported || r.Model != "gpt-x" || !r.Content || r.Output.Bytes != 3 || r.Output.Runes() != 2 {
					t.Errorf("%s: %+v", name, r)
				}
				want := Usage{InputTotal: 20, Input: 12, CacheRead: 5, CacheWrite: 3, OutputTotal: 9, Output: 9, Reasoning: 4}
				if r.Reported && r.Usage != want {
					t.Errorf("%s: %+v", name, r.Usage)
				}
			}
			if passed, _, _ := run(o, []byte(start+end), whole); string(passed) != start {
				t.Errorf("%s: passed %q", name, passed)
			}
		}
	}
}

// A stream is complete with the marker or the end of the body, whichever comes.
func TestResponsesAreCompleteWithTheirLastByte(t *testing.T) {
	m := NewMeter(Options{Format: OpenAIResponses, Framing: SSE})
	m.Feed([]byte(sse(`{"type":"response.completed","response":{}}`)))
	if !m.Final() || m.Complete() {
		t.Errorf("final %v, complete %v", m.Final(), m.Complete())
	}
	m.Feed([]byte(sse("[DONE]")))
	if !m.Complete() {
		t.Error("not complete after the marker")
	}
	m = NewMeter(Options{Format: OpenAIResponses, Framing: SSE})
	m.Feed([]byte(sse(`{"type":"response.output_text.delta","delta":"a"}`)))
	m.Finish()
	if r := m.Report(); r.Complete || r.Err == nil {
		t.Errorf("cut off: %+v", r)
	}
}

// Text comes in deltas, in items and in the whole, and counts once.
func TestResponseOutputCountsOnce(t *testing.T) {
	item := `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[{"title":"x"}]}]}`
	call := `{"type":"function_call","name":"f","arguments":"{}","call_id":"c"}`
	deltas := sse(`{"type":"response.output_text.delta","delta":"Hel"}`, `{"type":"response.output_text.delta","delta":"lo"}`, `{"type":"response.function_call_arguments.delta","delta":"{}"}`)
	items := sse(`{"type":"response.output_item.added","item":`+call+`}`, `{"type":"response.output_item.done","item":`+item+`}`, `{"type":"response.output_item.done","item":`+call+`}`)
	end := sse(`{"type":"response.completed","response":{"output":[` + item + `,` + call + `]}}`)
	for name, test := range map[string]struct {
		stream string
		bytes  int64
	}{
		"deltas alone": {deltas + sse(`{"type":"response.completed","response":{}}`), 7},
		"items alone":  {items + sse(`{"type":"response.completed","response":{}}`), 8},
		"whole alone":  {end, 8},
		"all":          {deltas + items + end, 8},
	} {
		if got := seenIn(t, Options{Format: OpenAIResponses, Framing: SSE}, test.stream); got != (seen{content: true, bytes: test.bytes}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := seenIn(t, Options{Format: OpenAIResponses}, `{"output":[`+item+`,`+call+`]}`); got != (seen{content: true, bytes: 8}) {
		t.Errorf("without a stream: %+v", got)
	}
}

func TestWhatAResponseItemHolds(t *testing.T) {
	nothing, something := seen{}, seen{content: true}
	for item, want := range map[string]seen{
		`"type":"message","role":"assistant","content":[],"status":"in_progress"`:              nothing,
		`"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"no"}]`:    {content: true, bytes: 2},
		`"type":"message","role":"assistant","content":[{"type":"painting","strokes":[1]}]`:    something,
		`"role":"user","type":"message","content":[{"type":"input_text","text":"question"}]`:   nothing,
		`"type":"reasoning","summary":[],"content":null,"encrypted_content":null`:              nothing,
		`"type":"reasoning","summary":[],"encrypted_content":"gAAA"`:                           something,
		`"type":"reasoning","summary":[{"type":"summary_text","text":"abc"}]`:                  {content: true, visible: true, bytes: 3},
		`"type":"reasoning","content":[{"type":"reasoning_text","text":"abc"}]`:                {content: true, visible: true, bytes: 3},
		`"type":"function_call","name":"f","arguments":"{\"a\":1}","call_id":"c"`:              {content: true, bytes: 8},
		`"type":"custom_tool_call","name":"f","input":"ls"`:                                    {content: true, bytes: 3},
		`"type":"code_interpreter_call","code":"1+1","outputs":[{"logs":"2"}]`:                 {content: true, bytes: 3},
		`"type":"web_search_call","action":{"type":"search","query":"q"},"status":"completed"`: {content: true, bytes: 1},
		`"type":"file_search_call","queries":["a"],"results":[{"text":"long"}]`:                {content: true, bytes: 5},
		`"type":"image_generation_call","result":"AAAA","revised_prompt":"a cat"`:              {content: true, media: 4},
		`"type":"compaction","encrypted_content":"gAAA"`:                                       something,
		`"type":"mcp_list_tools","tools":[{"name":"a"}],"server_label":"x"`:                    something,
	} {
		if got := seenIn(t, Options{Format: OpenAIResponses}, `{"status":"completed","output":[{`+item+`}]}`); got != want {
			t.Errorf("{%s}: %+v, want %+v", item, got, want)
		}
	}
}

func TestToolsOfResponses(t *testing.T) {
	search := func(action string) string { return `{"type":"web_search_call","action":{"type":"` + action + `"}}` }
	code := func(container string) string {
		return `{"type":"code_interpreter_call","container_id":"` + container + `","code":"1"}`
	}
	items := []string{
		search("search"), search("open_page"), search("find_in_page"), search("search"), `{"type":"web_search_call"}`,
		`{"type":"file_search_call","queries":["a"]}`, `{"type":"x_search_call"}`, code("a"), code("b"), code("a"), `{"type":"code_interpreter_call"}`,
		`{"type":"image_generation_call","result":"AA"}`, `{"type":"image_generation_call","result":null,"status":"failed"}`,
		`{"type":"function_call","name":"web_search_call","arguments":"{\"type\":\"web_search_call\"}"}`,
	}
	want := Units{WebSearch: 3, FileSearch: 1, XSearch: 1, CodeInterpreter: 3, Images: 1}
	body := `{"output":[` + strings.Join(items, ",") + `]`
	if _, _, r := run(Options{Format: OpenAIResponses}, []byte(body+`}`), whole); r.Usage.Units != want {
		t.Errorf("counted: %+v", r.Usage.Units)
	}
	var stream []string
	for _, item := range items {
		stream = append(stream, `{"type":"response.output_item.added","item":`+item+`}`, `{"item":`+item+`,"type":"response.output_item.done"}`)
	}
	for _, end := range []string{`{"type":"response.completed","response":{}}`, `{"type":"response.completed","response":` + body + `}}`} {
		if _, _, r := run(Options{Format: OpenAIResponses, Framing: SSE}, []byte(sse(append(stream, end)...)), whole); r.Usage.Units != want {
			t.Errorf("in a stream: %+v", r.Usage.Units)
		}
	}
	// What the provider tells holds.
	want.WebSearch = 2
	if _, _, r := run(Options{Format: OpenAIResponses}, []byte(body+`,"tool_usage":{"web_search":{"num_requests":2}}}`), whole); r.Usage.Units != want {
		t.Errorf("told by OpenAI: %+v", r.Usage.Units)
	}
	want.WebSearch, want.XSearch, want.CodeInterpreter, want.FileSearch = 7, 5, 6, 0
	if _, _, r := run(Options{Format: OpenAIResponses}, []byte(body+`,"usage":{"input_tokens":1,"server_side_tool_usage_details":{"web_search_calls":7,"x_search_calls":5,"code_interpreter_calls":6,"file_search_calls":0}}}`), whole); r.Usage.Units != want {
		t.Errorf("told by xAI: %+v", r.Usage.Units)
	}
	want = Units{}
	if _, _, r := run(Options{Format: OpenAIResponses}, []byte(`{"output":[`+search("search")+`],"tool_usage":{"web_search":{"num_requests":0}}}`), whole); r.Usage.Units != want {
		t.Errorf("none told: %+v", r.Usage.Units)
	}
	if _, _, r := run(Options{Format: OpenAIResponses}, []byte(`{"output":[`+search("search")+`],"usage":{"input_tokens":1,"server_side_tool_usage_details":{"web_search_calls":0}}}`), whole); r.Usage.Units != want {
		t.Errorf("none told by xAI: %+v", r.Usage.Units)
	}
}

// Images that the model has made by another one are that one's, on top.
func TestImagesOfAResponseAreAPass(t *testing.T) {
	body := `{"model":"gpt-5","tools":[{"type":"function","name":"f","model":"x"},{"type":"image_generation","model":"gpt-image-1"}],` + responseUsage +
		`,"tool_usage":{"image_gen":{"input_tokens":30,"input_tokens_details":{"image_tokens":10,"text_tokens":20},"output_tokens":272,"output_tokens_details":{"image_tokens":272}},"web_search":{"num_requests":0}}}`
	_, _, r := run(Options{Format: OpenAIResponses}, []byte(body), single)
	want := Usage{InputTotal: 30, Input: 20, InputImage: 10, OutputTotal: 272, OutputImage: 272}
	if len(r.Passes) != 1 || r.Passes[0] != (Pass{Model: "gpt-image-1", Usage: want}) || r.Usage.InputTotal != 20 || r.Usage.OutputTotal != 9 || r.Model != "gpt-5" {
		t.Errorf("%+v", r)
	}
}

func TestCompactionIsMetered(t *testing.T) {
	body := `{"id":"resp_1","object":"response.compaction","created_at":1,"output":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a question"}]},` +
		`{"type":"compaction","id":"cmp_1","encrypted_content":"gAAA"}],` + responseUsage + `}`
	_, _, r := run(Options{Format: OpenAIResponses}, []byte(body), whole)
	if !r.Complete || !r.Reported || r.Usage.InputTotal != 20 || r.Usage.OutputTotal != 9 || !r.Content || r.Output.Bytes != 0 || r.Failed {
		t.Errorf("%+v", r)
	}
}

// Usage in anything but its own place is text.
func TestUsageInContentDoesNotCount(t *testing.T) {
	decoy := `{\"usage\":{\"input_tokens\":999,\"prompt_tokens\":999}}`
	stream := sse(
		`{"type":"response.output_text.delta","delta":"`+decoy+`","usage2":{"input_tokens":9}}`,
		`{"type":"response.output_item.done","item":{"type":"function_call","arguments":"`+decoy+`","usage":{"input_tokens":9},"output":{"usage":{"input_tokens":9}}}}`,
		`{"type":"response.completed","response":{"metadata":{"usage":{"input_tokens":9}},"output":[{"type":"message","content":[{"text":"`+decoy+`"}]}],`+responseUsage+`}}`)
	_, _, r := run(Options{Format: OpenAIResponses, Framing: SSE}, []byte(stream), single)
	if r.Usage.InputTotal != 20 || r.Usage.OutputTotal != 9 {
		t.Errorf("%+v", r.Usage)
	}
	// Nor does what is in an event that is not JSON.
	broken := sse(`{"type":"response.completed","response":{` + responseUsage + `}`)
	if _, _, r = run(Options{Format: OpenAIResponses, Framing: SSE}, []byte(broken), whole); r.Reported || r.Err == nil || !r.Final {
		t.Errorf("%+v", r)
	}
}
