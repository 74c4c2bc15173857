package usage

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/tokens"
)

// seen is what a response shows of its output.
type seen struct {
	content, visible bool
	bytes, media     int64
}

func seenIn(t *testing.T, options Options, response string) seen {
	t.Helper()
	var whole seen
	for i, size := range []func() int{func() int { return len(response) }, single} {
		_, _, r := run(options, []byte(response), size)
		if r.Output.Runes() > r.Output.Bytes {
			t.Errorf("%s: %d runes in %d bytes", response, r.Output.Runes(), r.Output.Bytes)
		}
		got := seen{r.Content, r.VisibleReasoning, r.Output.Bytes, r.OutputMediaBytes}
		if i > 0 && got != whole {
			t.Errorf("%s: in single bytes %+v, whole %+v", response, got, whole)
		}
		whole = got
	}
	return whole
}

func TestWhatAChatMessageHolds(t *testing.T) {
	nothing, something := seen{}, seen{content: true}
	for members, want := range map[string]seen{
		`"role":"assistant","content":null`:          nothing,
		`"content":""`:                               nothing,
		`"content":"é"`:                              {content: true, bytes: 2},
		`"content":[{"type":"text","text":"ab"}]`:    {content: true, bytes: 2},
		`"content":[{"type":"reference","ids":[1]}]`: something,
		`"content":[{"type":"thinking","thinking":[{"type":"text","text":"abc"}]}]`: {content: true, visible: true, bytes: 3},
		`"content":[{"type":"thinking","thinking":"abc"}]`:                          {content: true, visible: true, bytes: 3},
		`"refusal":"no"`: {content: true, bytes: 2},
		`"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]`:           {content: true, bytes: 3},
		`"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]`:                                             {content: true, bytes: 8},
		`"tool_calls":[{"id":"x","type":"custom","custom":{"name":"shell","input":""}}]`:                           {content: true, bytes: 5},
		`"tool_calls":[{"index":0,"custom":{"input":"ls -l"}}]`:                                                    {content: true, bytes: 5},
		`"tool_calls":[{"index":0,"id":"x","type":"custom"}]`:                                                      nothing,
		`"tool_calls":[{"index":0,"later":{"input":"ls"}}]`:                                                        something,
		`"function_call":{"name":"f","arguments":"ab"}`:                                                            {content: true, bytes: 3},
		`"audio":{"id":"audio_1","transcript":"Hello"}`:                                                            {content: true, bytes: 5},
		`"audio":{"id":"audio_1","expires_at":1}`:                                                                  nothing,
		`"audio":{"data":"AAAA"}`:                                                                                  {content: true, media: 4},
		`"audio":"AAAA"`:                                                                                           something,
		`"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]`:                           {content: true, media: 24},
		`"images":["data:image/png;base64,AA"]`:                                                                    something,
		`"reasoning_content":"abc"`:                                                                                {content: true, visible: true, bytes: 3},
		`"reasoning_content":"","reasoning":null,"reasoning_details":[]`:                                           nothing,
		`"reasoning":{"text":"a"}`:                                                                                 {content: true, visible: true, bytes: 12},
		`"reasoning":"abc","reasoning_content":"abc"`:                                                              {content: true, visible: true, bytes: 3},
		`"content":"d","reasoning":"abc","reasoning_details":[{"type":"reasoning.text","text":"abc"}]`:             {content: true, visible: true, bytes: 4},
		`"reasoning_details":[{"type":"reasoning.text","text":"abc"},{"type":"reasoning.summary","summary":"de"}]`: {content: true, visible: true, bytes: 5},
		`"reasoning":null,"reasoning_details":[{"type":"reasoning.encrypted","data":"xyz"}]`:                       something,
		`"reasoning_details":[{"type":"reasoning.text","text":"","signature":"xyz","index":0}]`:                    nothing,

		`"executed_tools":[{"type":"search"}]`:                           something,
		`"thoughts":"abc"`:                                               something,
		`"thoughts":[["a"]]`:                                             something,
		`"thoughts":{},"a":[],"b":"","c":null,"d":7,"e":true`:            nothing,
		`"channel":"analysis","annotations":[{"type":"url_citation"}]`:   nothing,
		`"provider_metadata":{"google":{}},"extra_content":{"google":1}`: nothing,
	} {
		got := seenIn(t, Options{Framing: SSE}, sse(`{"choices":[{"index":0,"delta":{`+members+`}}]}`))
		if got != want {
			t.Errorf("delta {%s}: %+v, want %+v", members, got, want)
		}
		got = seenIn(t, Options{}, `{"choices":[{"index":0,"message":{`+members+`},"finish_reason":"stop"}]}`)
		if got != want {
			t.Errorf("message {%s}: %+v, want %+v", members, got, want)
		}
	}
}

func TestWhatAnAnthropicBlockHolds(t *testing.T) {
	nothing, something := seen{}, seen{content: true}
	for block, want := range map[string]seen{
		`"type":"text","text":""`:                                                                                      nothing,
		`"type":"text","text":"abc"`:                                                                                   {content: true, bytes: 3},
		`"type":"thinking","thinking":"abc","signature":"xyz"`:                                                         {content: true, visible: true, bytes: 3},
		`"type":"thinking","thinking":"","signature":"xyz"`:                                                            nothing,
		`"type":"redacted_thinking","data":"xyz"`:                                                                      something,
		`"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1},"caller":{"type":"direct"}`:                       {content: true, bytes: 8},
		`"type":"server_tool_use","id":"x","name":"web_search","input":{"query":"q"}`:                                  {content: true, bytes: 23},
		`"type":"web_search_tool_result","tool_use_id":"x","content":[{"type":"web_search_result","title":"a title"}]`: something,
		`"type":"compaction","content":"a summary"`:                                                                    something,
		`"type":"compaction","content":null`:                                                                           nothing,
		`"type":"fallback","from":{"model":"a"},"to":{"model":"b"}`:                                                    nothing,
		`"type":"text","text":"","citations":[{"cited_text":"a"}]`:                                                     nothing,
		`"type":"painting","source":{"type":"base64","data":"AAAA"},"index":4`:                                         something,
		`"type":"painting","source":{},"list":[],"size":3,"name":"","note":null`:                                       nothing,
	} {
		got := seenIn(t, Options{Format: AnthropicMessages, Framing: SSE}, sse(`{"type":"content_block_start","index":0,"content_block":{`+block+`}}`))
		if got != want {
			t.Errorf("block {%s}: %+v, want %+v", block, got, want)
		}
		got = seenIn(t, Options{Format: AnthropicMessages}, `{"type":"message","content":[{`+block+`}],"stop_reason":"end_turn"}`)
		if got != want {
			t.Errorf("in a message {%s}: %+v, want %+v", block, got, want)
		}
	}
	for delta, want := range map[string]seen{
		`"type":"thinking_delta","thinking":"abc"`:          {content: true, visible: true, bytes: 3},
		`"type":"signature_delta","signature":"xyz"`:        nothing,
		`"type":"input_json_delta","partial_json":"{\"a"`:   {content: true, bytes: 3},
		`"type":"compaction_delta","content":"a summary"`:   something,
		`"type":"painting_delta","stroke":"AAAA"`:           something,
		`"stop_reason":"stop_sequence","stop_sequence":"x"`: nothing,
	} {
		got := seenIn(t, Options{Format: AnthropicMessages, Framing: SSE}, sse(`{"type":"content_block_delta","index":0,"delta":{`+delta+`}}`))
		if got != want {
			t.Errorf("delta {%s}: %+v, want %+v", delta, got, want)
		}
	}
}

func TestWhatAGeminiPartHolds(t *testing.T) {
	nothing, something := seen{}, seen{content: true}
	for part, want := range map[string]seen{
		`"text":""`:                                               nothing,
		`"text":"abc"`:                                            {content: true, bytes: 3},
		`"text":"abc","thought":true`:                             {content: true, visible: true, bytes: 3},
		`"thought":true,"text":"abc"`:                             {content: true, visible: true, bytes: 3},
		`"text":"abc","thought":false`:                            {content: true, bytes: 3},
		`"text":"","thought":true,"thoughtSignature":"xyz"`:       nothing,
		`"inlineData":{"mimeType":"image/png","data":"AAAAAAAA"}`: {content: true, media: 8},
		`"functionCall":{"id":"1","name":"f","args":{"a":1}}`:     {content: true, bytes: 8},
		`"functionCall":{"name":"f","willContinue":true}`:         {content: true, bytes: 1},
		`"functionCall":{}`:                                       nothing,
		`"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"xyz","willContinue":true},{"jsonPath":"$.a","stringValue":""}]}`: {content: true, bytes: 6},
		`"functionCall":{"partialArgs":[{"jsonPath":"$.a","numberValue":12.5},{"jsonPath":"$.bb","boolValue":false}]}`:                    {content: true, bytes: 3 + 4 + 4 + 5},
		`"functionCall":{"partialArgs":[{"nullValue":"NULL_VALUE","jsonPath":"$.a"}]}`:                                                    {content: true, bytes: 3},
		`"functionCall":{"partialArgs":[{"structValue":{"a":"b"}}]}`:                                                                      something,
		`"functionCall":{"partialCode":"a"}`:                                   something,
		`"executableCode":{"language":"PYTHON","code":"1+1"}`:                  {content: true, bytes: 3},
		`"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"2"}`:          something,
		`"toolCall":{"toolType":"GOOGLE_SEARCH_WEB","args":{"queries":["a"]}}`: something,
		`"fileData":{"fileUri":"x"}`:                                           something,
		`"painting":"AAAA"`:                                                    something,
		`"painting":{}`:                                                        nothing,
	} {
		document := `{"candidates":[{"content":{"role":"model","parts":[{` + part + `}]}}]}`
		if got := seenIn(t, Options{Format: GeminiGenerate, Framing: SSE}, sse(document)); got != want {
			t.Errorf("part {%s}: %+v, want %+v", part, got, want)
		}
		if got := seenIn(t, Options{Format: GeminiGenerate}, "["+document+"]"); got != want {
			t.Errorf("in an array {%s}: %+v, want %+v", part, got, want)
		}
	}
}

// A value's path counts once, also where its pieces come in several events.
func TestArgumentsInPieces(t *testing.T) {
	piece := func(value, more string) string {
		return `{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"` + value + `"` + more + `}]}}]}}]}`
	}
	response := sse(piece("ab", `,"willContinue":true`), piece("cd", `,"willContinue":true`), piece("", ""), piece("ef", ""))
	want := seen{content: true, bytes: int64(len("$.a" + "abcd" + "$.a" + "ef"))}
	if got := seenIn(t, Options{Format: GeminiGenerate, Framing: SSE}, response); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What is not known may be a remark: it does not take back the end, after which
// nothing may pass before the settlement.
func TestUnknownMembersDoNotReopenAStream(t *testing.T) {
	before, end := sse(chatChunk(0, "a", "")), sse(chatChunk(0, "", "stop"), `{"choices":[{"index":0,"delta":{"verdict":{"safe":"yes"}}}]}`)
	passed, withheld, r := run(Options{Framing: SSE}, []byte(before+end), whole)
	if string(passed) != before || string(withheld) != end || !r.Final {
		t.Errorf("passed %q, withheld %q, final %v", passed, withheld, r.Final)
	}
}

func TestRecordedOutputIsContent(t *testing.T) {
	for _, r := range recordings(t) {
		_, _, report := run(r.options(), r.response, whole)
		if u := report.Usage; u.OutputTotal > u.Reasoning && !report.Failed && !report.Content {
			t.Errorf("%s: %d tokens of output are no content", r.name, u.OutputTotal)
		}
		if strings.HasSuffix(r.name, "usage-in-every-chunk-gemini-3.1-pro-preview-2") { // a call whose arguments are streamed
			counted, reported := tokens.For(report.Model).Answer(nil, &report.Output), report.Usage.OutputTotal-report.Usage.Reasoning
			if counted < reported/2 || counted > reported {
				t.Errorf("%s: counted %d tokens, reported %d", r.name, counted, reported)
			}
		}
	}
}
