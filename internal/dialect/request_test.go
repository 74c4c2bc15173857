package dialect

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// refused parses a body that must be refused, and returns the error.
func refused(t *testing.T, operation Operation, query, body string) *Error {
	t.Helper()
	_, err := ParseRequest(operation, "gemini-3.8-flash", false, query, []byte(body))
	var problem *Error
	if !errors.As(err, &problem) {
		t.Errorf("%s: taken (%v)", body, err)
		return NewError(CodeInternal)
	}
	return problem
}

func TestChatRequest(t *testing.T) {
	r := mustParse(t, chatCompletions, `{"model":"openai/gpt-5.6","messages":[],"stream":true,"n":3,"max_completion_tokens":500,"stream_options":{"include_usage":true},
		"service_tier":"flex","store":false,"tools":[{"type":"function","function":{"name":"type","parameters":{"type":"web_search"}}},{"type":"custom"}],"web_search_options":null,"models":[]}`)
	if r.Model != "openai/gpt-5.6" || !r.Stream || !r.SSE || r.Choices != 3 || r.OutputCap != 500 || !r.IncludeUsage || r.ServiceTier != "flex" || len(r.Tools) != 0 || r.HasUnboundedInput() {
		t.Errorf("%#v %+v", r, *r)
	}
	r = mustParse(t, chatCompletions, `{"model":"a","stream":null,"n":null,"max_tokens":null,"max_completion_tokens":null,"stream_options":null,"store":null,"service_tier":null}`)
	if r.Stream || r.Choices != 1 || r.OutputCap != 0 || r.IncludeUsage || r.ServiceTier != "" {
		t.Errorf("null is not absent: %+v", *r)
	}
	if r = mustParse(t, chatCompletions, `{"model":"a","max_tokens":9,"max_completion_tokens":9}`); r.OutputCap != 9 {
		t.Errorf("cap is %d", r.OutputCap)
	}
}

func TestMessagesRequest(t *testing.T) {
	body := `{"model":"claude-opus-5","max_tokens":64000,"stream":true,"thinking":{"type":"enabled","budget_tokens":30000},"speed":"fast","inference_geo":"us","service_tier":"auto",
		"metadata":{"user_id":"x"},"tools":[{"name":"a","input_schema":{"type":"object","properties":{"type":{},"max_uses":{}}}},{"type":"bash_20250124","name":"bash"},
		{"type":"web_search_20250305","name":"web_search","max_uses":5},{"name":"web_fetch","max_uses":2,"type":"web_fetch_20260318"}],
		"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"a","input":{"source":{"type":"file"},"file_id":"f"}}]}]}`
	r, err := ParseRequest(messages, "", false, "beta=true&x=1", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if r.Model != "claude-opus-5" || r.OutputCap != 64000 || !r.SSE || r.ThinkingBudget != 30000 || r.Speed != "fast" || r.Geo != "us" || r.ServiceTier != "auto" ||
		!r.beta || r.WebSearches() != 5 || r.Passes() != 8 || r.HasUnboundedInput() {
		t.Errorf("%+v", *r)
	}
	if r = mustParse(t, messages, `{"model":"a","max_tokens":1,"context_management":{"edits":[{"type":"clear_tool_uses_20250919"},{"type":"compact_20260112"}]},
		"tools":[{"type":"tool_search_tool_regex_20251119","name":"s"}]}`); r.Passes() != 12 {
		t.Errorf("%d passes", r.Passes())
	}
	// Tools that are added on the way count as those at the top.
	if r = mustParse(t, messages, `{"model":"a","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_addition","tool":{"type":"tool_definition",
		"definition":{"type":"web_search_20250305","name":"web_search","max_uses":3}}}]}]}`); r.WebSearches() != 3 {
		t.Errorf("%d searches", r.WebSearches())
	}
}

// A conversation that the provider keeps is refused in the words that make the
// provider's SDKs send it whole.
func TestThreadsAreRefused(t *testing.T) {
	for _, thread := range []string{`{"type":"create"}`, `{"type":"continue","previous_message_id":"msg_1"}`} {
		problem := refused(t, messages, "", `{"model":"a","max_tokens":1,"messages":[],"thread":`+thread+`}`)
		if _, _, body := EncodeError(Anthropic, problem); problem.Status != 400 || problem.Code != CodeThread ||
			!strings.Contains(string(body), `"details":{"error_code":"thread_unsupported_request"}`) {
			t.Errorf("%s: %s", thread, body)
		}
	}
	mustParse(t, messages, `{"model":"a","max_tokens":1,"messages":[],"thread":null}`)
}

func TestGenerateRequest(t *testing.T) {
	for _, body := range []string{
		`{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":100,"candidateCount":2,"thinkingConfig":{"thinkingBudget":512}},"tools":[{"functionDeclarations":[{"name":"googleSearch"}]}],"serviceTier":"flex"}`,
		`{"contents":{"parts":{"text":"hi"}},"generation_config":{"max_output_tokens":100,"candidate_count":2,"thinking_config":{"thinking_budget":512}},"tools":{"function_declarations":[]},"service_tier":"flex","model":"models/gemini-3.8-flash"}`,
	} {
		r, err := ParseRequest(generateContent, "gemini-3.8-flash", true, "alt=sse", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if r.Model != "gemini-3.8-flash" || !r.Stream || !r.SSE || r.OutputCap != 100 || r.Choices != 2 || r.ThinkingBudget != 512 || r.ServiceTier != "flex" {
			t.Errorf("%s: %+v", body, *r)
		}
	}
	r, err := ParseRequest(generateContent, "m", true, "", []byte(`{"generationConfig":{"thinkingConfig":{"thinkingBudget":-1}}}`))
	if err != nil || !r.Stream || r.SSE || r.ThinkingBudget != 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

// What two parsers could read in two ways is refused, in every dialect.
func TestAmbiguousBodiesAreRefused(t *testing.T) {
	chat := `{"model":"a",%s}`
	message := `{"model":"a","max_tokens":1,%s}`
	generate := `{"contents":[],%s}`
	for _, row := range []struct {
		operation Operation
		frame     string
		members   string
	}{
		{chatCompletions, chat, `"model":"b"`}, {chatCompletions, chat, `"Model":"b"`}, {chatCompletions, chat, `"mod\u0065l":"b"`}, {chatCompletions, chat, `"\u004dODEL":"b"`},
		{chatCompletions, chat, `"N":8`}, {chatCompletions, chat, `"ſtream":true`}, {chatCompletions, chat, `"max_to\u212Aens":1`}, {chatCompletions, chat, `"max_toKens":1`},
		{chatCompletions, chat, `"stream":true,"stream":false`}, {chatCompletions, chat, `"stream_options":{"include_usage":true,"include_usage":false}`},
		{chatCompletions, chat, `"stream_options":{"Include_Usage":true}`}, {chatCompletions, chat, `"store":false,"Store":true`},
		{chatCompletions, chat, `"messages":[{"content":[{"image_url":{"url":"data:","URL":"http://x"}}]}]`}, {chatCompletions, chat, `"messages":[{"content":"a","Content":[]}]`},
		{messages, message, `"Max_Tokens":100000`}, {messages, message, `"thinking":{"budget_tokens":1,"Budget_tokens":2}`}, {messages, message, `"tools":[{"type":"web_search_20250305","max_uses":1,"max_uses":100}]`},
		{messages, message, `"tools":[{"Type":"web_search_20250305"}]`}, {messages, message, `"messages":[{"content":[{"source":{"type":"text","TYPE":"url"}}]}]`},
		{generateContent, generate, `"generationConfig":{},"generation_config":{}`}, {generateContent, generate, `"GenerationConfig":{"maxOutputTokens":5}`}, {generateContent, generate, `"generation_Config":{}`},
		{generateContent, generate, `"generationConfig":{"maxOutputTokens":5,"max_output_tokens":500000}`}, {generateContent, generate, `"generationConfig":{"CandidateCount":8}`},
		{generateContent, generate, `"tools":[{"function_declarations":[],"functionDeclarations":[]}]`}, {generateContent, generate, `"cached_Content":"x"`},
	} {
		body := fmt.Sprintf(row.frame, row.members)
		if problem := refused(t, row.operation, "", body); problem.Code != CodeAmbiguousJSON || problem.Status != 400 || problem.Param == "" {
			t.Errorf("%s: %v", body, problem)
		}
	}
	// The same names elsewhere are nobody's business.
	mustParse(t, chatCompletions, `{"model":"a","metadata":{"a":1,"a":2,"Model":"x","model":"y"},"x":"model","y":{"n":1,"N":2}}`)
}

func TestWrongValuesAreRefused(t *testing.T) {
	for _, row := range []struct {
		operation          Operation
		query, body, param string
	}{
		{chatCompletions, "", `{}`, "model"}, {chatCompletions, "", `{"model":null}`, "model"}, {chatCompletions, "", `{"model":1}`, "model"}, {chatCompletions, "", `{"model":["a"]}`, "model"},
		{chatCompletions, "", `{"model":""}`, "model"}, {chatCompletions, "", `{"model":"../x"}`, "model"}, {chatCompletions, "", `{"model":"a b"}`, "model"}, {chatCompletions, "", `{"model":"a\u0000"}`, "model"},
		{chatCompletions, "", `{"model":"` + strings.Repeat("a", 129) + `"}`, "model"}, {chatCompletions, "", `{"model":"` + strings.Repeat("a", 5000) + `"}`, "model"},
		{chatCompletions, "", `{"model":"a","n":0}`, "n"}, {chatCompletions, "", `{"model":"a","n":129}`, "n"}, {chatCompletions, "", `{"model":"a","n":2.0}`, "n"}, {chatCompletions, "", `{"model":"a","n":"2"}`, "n"},
		{chatCompletions, "", `{"model":"a","n":1e1}`, "n"}, {chatCompletions, "", `{"model":"a","n":-1}`, "n"}, {chatCompletions, "", `{"model":"a","n":99999999999999999999}`, "n"}, {chatCompletions, "", `{"model":"a","n":true}`, "n"},
		{chatCompletions, "", `{"model":"a","max_tokens":0}`, "max_tokens"}, {chatCompletions, "", `{"model":"a","max_tokens":-1}`, "max_tokens"}, {chatCompletions, "", `{"model":"a","max_completion_tokens":1e3}`, "max_completion_tokens"},
		{chatCompletions, "", `{"model":"a","max_completion_tokens":5,"max_tokens":6}`, "max_tokens"}, {chatCompletions, "", `{"model":"a","stream":"true"}`, "stream"}, {chatCompletions, "", `{"model":"a","stream":1}`, "stream"},
		{chatCompletions, "", `{"model":"a","stream_options":[]}`, "stream_options"}, {chatCompletions, "", `{"model":"a","stream_options":true}`, "stream_options"}, {chatCompletions, "", `{"model":"a","stream_options":{"include_usage":1}}`, "stream_options.include_usage"},
		{chatCompletions, "", `{"model":"a","service_tier":"a b"}`, "service_tier"}, {chatCompletions, "", `{"model":"a","service_tier":7}`, "service_tier"},
		{messages, "", `{"model":"a"}`, "max_tokens"}, {messages, "", `{"model":"a","max_tokens":null}`, "max_tokens"}, {messages, "", `{"model":"a","max_tokens":"5"}`, "max_tokens"}, {messages, "", `{"max_tokens":5}`, "model"},
		{messages, "", `{"model":"a","max_tokens":5,"thinking":7}`, "thinking"}, {messages, "", `{"model":"a","max_tokens":5,"thinking":{"budget_tokens":1.5}}`, "thinking.budget_tokens"},
		{messages, "", `{"model":"a","max_tokens":5,"tools":[{"type":"web_search_20250305","max_uses":0}]}`, "tools.max_uses"}, {messages, "beta=true&beta=false", `{"model":"a","max_tokens":5}`, "beta"},
		{generateContent, "", `{"model":"models/other"}`, "model"}, {generateContent, "", `{"generationConfig":{"maxOutputTokens":"8192"}}`, "generationConfig.maxOutputTokens"}, {generateContent, "", `{"generationConfig":[]}`, "generationConfig"},
		{generateContent, "", `{"generationConfig":{"candidateCount":0}}`, "generationConfig.candidateCount"}, {generateContent, "alt=proto", `{}`, "alt"}, {generateContent, "alt=sse&a%6ct=json", `{}`, "alt"},
	} {
		if problem := refused(t, row.operation, row.query, row.body); problem.Code != CodeInvalidRequest || problem.Param != row.param || problem.Message == "" {
			t.Errorf("%s: %+v", row.body, problem)
		}
	}
}

func TestUnsupportedFeaturesAreRefused(t *testing.T) {
	for _, row := range []struct {
		operation Operation
		body      string
	}{
		{chatCompletions, `{"model":"a","store":true}`}, {chatCompletions, `{"model":"a","models":["b"]}`}, {chatCompletions, `{"model":"a","fallbacks":[{"model":"b"}]}`},
		{chatCompletions, `{"model":"a","background":true}`}, {chatCompletions, `{"model":"a","deferred":true}`}, {chatCompletions, `{"model":"a","web_search_options":{}}`},
		{chatCompletions, `{"model":"a","enable_search":true}`}, {chatCompletions, `{"model":"a","enable_code_interpreter":true}`},
		{chatCompletions, `{"model":"a","search_parameters":{"mode":"on"}}`}, {chatCompletions, `{"model":"a","plugins":[{"id":"web"}]}`}, {chatCompletions, `{"model":"a","tools":[{"type":"web_search"}]}`},
		{chatCompletions, `{"model":"a","messages":[{"content":[{"type":"file","file":{"file_id":"f"}}]}]}`}, {chatCompletions, `{"model":"a","messages":[{"role":"assistant","audio":{"id":"a"}}]}`},
		{messages, `{"model":"a","max_tokens":1,"fallbacks":"default"}`}, {messages, `{"model":"a","max_tokens":1,"container":"c"}`}, {messages, `{"model":"a","max_tokens":1,"mcp_servers":[{}]}`},
		{messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"type":"code_execution_20250825"}}}]}]}`},
		{messages, `{"model":"a","max_tokens":1,"tools":[{"type":"web_search_20250305","name":"web_search"}]}`}, {messages, `{"model":"a","max_tokens":1,"tools":[{"type":"code_execution_20250825"}]}`},
		{messages, `{"model":"a","max_tokens":1,"tools":[{"type":"advisor_20260301","model":"b","max_uses":1}]}`}, {messages, `{"model":"a","max_tokens":1,"tools":[{"type":"mcp_toolset"}]}`}, {messages, `{"model":"a","max_tokens":1,"tools":[{"type":"web_search_latest","max_uses":1}]}`},
		{messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]}`}, {messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"type":"container_upload","file_id":"f"}]}]}`},
		{messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"type":"tool_result","content":[{"type":"image","source":{"type":"f\u0069le"}}]}]}]}`},
		{generateContent, `{"cachedContent":"c"}`}, {generateContent, `{"cached_content":"c"}`}, {generateContent, `{"store":true}`}, {generateContent, `{"continuationToken":"x"}`}, {generateContent, `{"tools":[{"googleSearch":{}}]}`},
		{generateContent, `{"tools":{"google_search":{}}}`}, {generateContent, `{"tools":[{"codeExecution":{}}]}`}, {generateContent, `{"tools":[{"urlContext":{}}]}`}, {generateContent, `{"tools":[{"notYetKnown":{}}]}`},
		{generateContent, `{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x"}}]}]}`}, {generateContent, `{"contents":{"parts":{"file_data":{"file_uri":"files/x"}}}}`},
	} {
		if problem := refused(t, row.operation, "", row.body); problem.Code != CodeUnsupported || problem.Status != 400 || problem.Param == "" {
			t.Errorf("%s: %+v", row.body, problem)
		}
	}
}

func TestInputBound(t *testing.T) {
	image := strings.Repeat("A", 100_000)
	for name, row := range map[string]struct {
		operation   Operation
		body        string
		images      int
		unbounded   bool
		least, most int64
	}{
		"text":               {chatCompletions, `{"model":"a","messages":[{"content":"` + image + `"}]}`, 0, false, 100_000, 101_000},
		"image in a part":    {chatCompletions, `{"model":"a","messages":[{"content":[{"image_url":{"url":"data:image/png;base64,` + image + `"}}]}]}`, 1, false, imageTokens[OpenAI], imageTokens[OpenAI] + 500},
		"image, escaped":     {chatCompletions, `{"model":"a","messages":[{"content":[{"image_url":{"url":"d\u0061ta:image\/png;base64,` + image + `"}}]}]}`, 1, false, imageTokens[OpenAI], imageTokens[OpenAI] + 500},
		"image as a string":  {chatCompletions, `{"model":"a","messages":[{"content":[{"image_url":"DATA:image/png;base64,"}]}]}`, 1, false, 0, 60_000},
		"remote image":       {chatCompletions, `{"model":"a","messages":[{"content":[{"image_url":{"url":"https://x"}}]}]}`, 0, true, 0, 1000},
		"data of other kind": {chatCompletions, `{"model":"a","messages":[{"content":[{"image_url":{"url":"data:application/pdf;base64,"}}]}]}`, 0, true, 0, 1000},
		"document":           {chatCompletions, `{"model":"a","messages":[{"content":[{"type":"document_url","document_url":"https://x"}]}]}`, 0, true, 0, 1000},
		"PDF":                {chatCompletions, `{"model":"a","messages":[{"content":[{"file":{"file_data":"data:"}}]}]}`, 0, true, 0, 1000},
		"audio":              {chatCompletions, `{"model":"a","messages":[{"content":[{"input_audio":{"data":"` + image + `","format":"wav"}}]}]}`, 0, false, 100_000, 101_000},
		"audio elsewhere":    {chatCompletions, `{"model":"a","messages":[{"content":[{"input_audio":{"data":"https:\/\/x","format":"wav"}}]}]}`, 0, true, 0, 1000},
		"Anthropic image":    {messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"source":{"type":"base64","data":"` + image + `","media_type":"image/png"}}]}]}`, 1, false, imageTokens[Anthropic], imageTokens[Anthropic] + 500},
		"in a tool's result": {messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"content":[{"source":{"data":"` + image + `","media_type":"image/png"}}]}]}]}`, 1, false, imageTokens[Anthropic], imageTokens[Anthropic] + 500},
		"Anthropic PDF":      {messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"source":{"type":"base64","media_type":"application/pdf","data":""}}]}]}`, 0, true, 0, 1000},
		"Anthropic address":  {messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"source":{"type":"url","url":"https://x"}}]}]}`, 0, true, 0, 1000},
		"Anthropic text":     {messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"source":{"type":"text","media_type":"text/plain","data":"` + image + `"}}]}]}`, 0, false, 100_000, 101_000},
		"text posing as one": {messages, `{"model":"a","max_tokens":1,"messages":[{"content":[{"source":{"media_type":"image/png","content":[{"source":{"type":"text","data":"` + image + `"}}]}}]}]}`, 0, false, 100_000, 101_000},
		"provider's tools":   {messages, `{"model":"a","max_tokens":1,"tools":[{"type":"bash_20250124"}]}`, 0, false, toolTokens, toolTokens + 500},
		"tools of one's own": {messages, `{"model":"a","max_tokens":1,"tools":[{"name":"f","input_schema":{"type":"object"}}]}`, 0, false, toolPrompt, toolPrompt + 500},
		"Gemini image":       {generateContent, `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + image + `"}}]}]}`, 1, false, imageTokens[Google], imageTokens[Google] + 500},
		"Gemini, snake":      {generateContent, `{"contents":{"parts":{"inline_data":{"mime_type":"image/png","data":"` + image + `"}}}}`, 1, false, imageTokens[Google], imageTokens[Google] + 500},
		"Gemini video":       {generateContent, `{"contents":[{"parts":[{"inlineData":{"mimeType":"video/mp4","data":""}}]}]}`, 0, true, 0, 1000},
		"Gemini address":     {generateContent, `{"contents":[{"parts":[{"fileData":{"fileUri":"https://youtu.be/x"}}]}]}`, 0, true, 0, 1000},
		"function's result":  {generateContent, `{"contents":[{"parts":[{"functionResponse":{"parts":[{"inlineData":{"mimeType":"application/pdf"}}]}}]}]}`, 0, true, 0, 1000},
	} {
		r := mustParse(t, row.operation, row.body)
		if bound := r.InputBound(); r.images != row.images || r.HasUnboundedInput() != row.unbounded || bound < row.least || bound > row.most {
			t.Errorf("%s: %d images, unbounded %v, bound %d", name, r.images, r.HasUnboundedInput(), bound)
		}
	}
}

// No error and no printed request shows what a body holds.
func TestNothingQuotesTheBody(t *testing.T) {
	const canary = "canary"
	for _, body := range []string{
		`{"model":"canary!"}`, `{"canary":canary}`, `{"model":"a","stream":"canary"}`, `{"model":"a","max_tokens":"canary"}`, `{"model":"a","service_tier":"canary !"}`, `{"model":"a"} canary`,
		`{"model":"a","tools":[{"type":"canary"}]}`, `{"model":"a","Model":"canary"}`, `{"model":"a","store":"canary"}`, "{\"canary\":\"canary\xff\"}", `{"model":"a","max_tokens":1,"tools":[{"type":"canary_20250101"}]}`,
	} {
		for _, operation := range operations {
			if _, err := ParseRequest(operation, "m", false, "alt=json", []byte(body)); err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
	r := mustParse(t, chatCompletions, `{"model":"a","x":"canary"}`)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, r); strings.Contains(text, canary) || strings.Contains(text, "99 97 110") {
			t.Errorf("%s prints %s", format, text)
		}
	}
}
