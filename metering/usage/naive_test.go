package usage

import (
	"encoding/json"
	"strings"
	"testing"
)

// naiveUsage is what a response reports, read by the rules in the plainest way.
func naiveUsage(o Options, list []object) Usage {
	switch o.Format {
	case AnthropicMessages:
		return naiveMessages(list)
	case GeminiGenerate:
		return naiveGemini(list)
	}
	var last object
	model := ""
	for _, d := range list {
		if o.Format == OpenAIResponses {
			if inner := d.object("response"); inner != nil {
				if m := inner.text("model"); m != "" {
					model = m
				}
				d = inner
			} else if d["response"] != nil {
				continue
			}
		}
		if m := d.text("model"); m != "" {
			model = m
		}
		if u := d.object("usage"); naiveAny(u) {
			last = u
		} else if u := d.object("x_groq", "usage"); naiveAny(u) && (o.Format == OpenAIChat || o.Format == OpenAICompletions) {
			last = u
		}
	}
	return naiveOpenAI(o, last, model)
}

func naiveAny(u object) bool {
	for _, name := range strings.Fields(`prompt_tokens completion_tokens total_tokens input_tokens output_tokens cached_tokens num_cached_tokens
		prompt_cache_hit_tokens prompt_cache_miss_tokens cache_creation_input_tokens pages_processed
		server_tool_use.web_search_requests server_tool_use_details.web_search_requests`) {
		if u.number(name) > 0 {
			return true
		}
	}
	for _, name := range strings.Fields(`web_search x_search file_search document_search code_interpreter`) {
		if u.number("server_side_tool_usage_details."+name+"_calls") > 0 {
			return true
		}
	}
	for _, name := range strings.Fields(`cached audio image video reasoning cache_write text`) {
		for _, details := range naiveDetails {
			isInput := strings.HasPrefix(details, "prompt") || strings.HasPrefix(details, "input")
			if (name == "text" || name == "reasoning") && isInput || (name == "cached" || name == "cache_write" || name == "video") && !isInput {
				continue
			}
			if u.number(details+"."+name+"_tokens", details+".cached_tokens_details."+name+"_tokens") > 0 {
				return true
			}
		}
	}
	return floor(u["seconds"], 1000)+floor(u["prompt_audio_seconds"], 1000) > 0
}

var naiveDetails = []string{
	"prompt_tokens_details", "input_tokens_details", "input_token_details",
	"completion_tokens_details", "output_tokens_details", "output_token_details",
}

func naiveOpenAI(o Options, u object, model string) Usage {
	details := func(name string) (in, out int64) {
		in = u.number("prompt_tokens_details."+name, "input_tokens_details."+name, "input_token_details."+name)
		out = u.number("completion_tokens_details."+name, "output_tokens_details."+name, "output_token_details."+name)
		return in, out
	}
	in := u.number("prompt_tokens", "input_tokens")
	out := u.number("completion_tokens", "output_tokens")
	hit := u.number("prompt_cache_hit_tokens")
	if in == 0 {
		in = hit + u.number("prompt_cache_miss_tokens")
	}
	cached, _ := details("cached_tokens")
	cached = max(cached, hit, u.number("cached_tokens"), u.number("num_cached_tokens"))
	written, _ := details("cache_write_tokens")
	written = max(written, u.number("cache_creation_input_tokens"))
	audioIn, audioOut := details("audio_tokens")
	imageIn, imageOut := details("image_tokens")
	video, _ := details("video_tokens")
	_, reasoning := details("reasoning_tokens")

	total := u.number("total_tokens")
	beyond := total - in - out
	switch {
	case naiveScalar(u["market_cost"]), beyond > 0 && beyond == reasoning:
		out += reasoning
	case beyond > 0 && beyond == audioIn:
		in += audioIn
	case beyond > 0 && in > 0 && strings.HasPrefix(model, "gemini-"):
		out += beyond
		reasoning = max(reasoning, beyond)
	case in == 0:
		in = max(total-out, 0)
	case out == 0:
		out = max(total-in, 0)
	}
	result := Usage{InputTotal: in, OutputTotal: out}
	if cached+written > in {
		cached = max(cached-written, 0)
	}
	result.CacheWrite = min(written, in)
	result.CacheRead = min(cached, in-result.CacheWrite)
	rest := in - result.CacheWrite - result.CacheRead
	result.InputAudio = min(audioIn, rest)
	result.InputImage = min(imageIn, rest-result.InputAudio)
	result.InputVideo = min(video, rest-result.InputAudio-result.InputImage)
	result.Input = rest - result.InputAudio - result.InputImage - result.InputVideo
	result.OutputAudio = min(audioOut, out)
	result.OutputImage = min(imageOut, out-result.OutputAudio)
	result.Output = out - result.OutputAudio - result.OutputImage
	result.Reasoning = min(reasoning, result.Output)
	return result
}

// naiveScalar tells whether a value was told, if not a sensible one.
func naiveScalar(v any) bool {
	switch v.(type) {
	case json.Number, string, bool:
		return true
	}
	return false
}

func naiveMessages(list []object) Usage {
	merged := object{}
	for _, d := range list {
		for _, u := range []object{d.object("usage"), d.object("message", "usage")} {
			for _, name := range []string{
				"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
				"cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens", "output_tokens_details.thinking_tokens",
			} {
				if v := u.at(strings.Split(name, ".")...); naiveScalar(v) {
					merged[name] = v
				}
			}
		}
	}
	n := func(name string) int64 { return floor(merged[name], 1) }
	hour := n("cache_creation.ephemeral_1h_input_tokens")
	written := max(n("cache_creation_input_tokens"), hour+n("cache_creation.ephemeral_5m_input_tokens"))
	in, read, out := n("input_tokens"), n("cache_read_input_tokens"), n("output_tokens")
	return Usage{
		InputTotal: in + read + written, Input: in, CacheRead: read, CacheWrite1h: hour, CacheWrite5m: written - hour,
		OutputTotal: out, Output: out, Reasoning: min(out, n("output_tokens_details.thinking_tokens")),
	}
}

func naiveGemini(list []object) Usage {
	var last object
	for _, d := range list {
		u := d.object("usageMetadata")
		for _, name := range []string{"promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount"} {
			if naiveScalar(u[name]) {
				last = u
			}
		}
	}
	by := func(modality string, names ...string) (n int64) {
		for _, name := range names {
			list, _ := last[name].([]any)
			for _, element := range list {
				if detail, ok := element.(map[string]any); ok && object(detail).text("modality") == modality {
					n += object(detail).number("tokenCount")
				}
			}
		}
		return n
	}
	thoughts := last.number("thoughtsTokenCount")
	u := Usage{
		InputTotal:  last.number("promptTokenCount") + last.number("toolUsePromptTokenCount"),
		OutputTotal: last.number("candidatesTokenCount") + thoughts, Reasoning: thoughts,
	}
	take := func(n int64, left *int64) int64 {
		n = min(max(n, 0), *left)
		*left -= n
		return n
	}
	left := u.InputTotal
	cached := take(last.number("cachedContentTokenCount"), &left)
	const cache, prompt, tools, output = "cacheTokensDetails", "promptTokensDetails", "toolUsePromptTokensDetails", "candidatesTokensDetails"
	u.CacheReadAudio = take(by("AUDIO", cache), &cached)
	u.CacheReadImage = take(by("IMAGE", cache), &cached)
	u.CacheReadVideo = take(by("VIDEO", cache), &cached)
	u.CacheRead = cached
	u.InputAudio = take(by("AUDIO", prompt, tools)-u.CacheReadAudio, &left)
	u.InputImage = take(by("IMAGE", prompt, tools)-u.CacheReadImage, &left)
	u.InputVideo = take(by("VIDEO", prompt, tools)-u.CacheReadVideo, &left)
	u.Input = left
	left = u.OutputTotal - thoughts
	u.OutputAudio = take(by("AUDIO", output), &left)
	u.OutputImage = take(by("IMAGE", output), &left)
	u.Output = left + thoughts
	return u
}

// naiveCompare tells whether a response could be compared.
func naiveCompare(t *testing.T, o Options, response []byte) bool {
	t.Helper()
	list, ok := documents(t, o, response)
	if !ok {
		return false
	}
	_, _, report := run(o, response, whole)
	got := report.Usage
	got.Units = Units{}
	if want := naiveUsage(o, list); got != want {
		t.Errorf("%+v, %q:\ngot  %+v\nwant %+v", o, response, got, want)
	}
	return true
}

var naiveOptions = []Options{
	{}, {Framing: SSE}, {Format: OpenAICompletions, Framing: SSE}, {Format: OpenAIResponses}, {Format: OpenAIResponses, Framing: SSE},
	{Format: OpenAIEmbeddings}, {Format: OpenAISpeech, Framing: SSE},
	{Format: AnthropicMessages}, {Format: AnthropicMessages, Framing: SSE}, {Format: GeminiGenerate}, {Format: GeminiGenerate, Framing: SSE},
}

// readNaively tells whether naiveUsage knows the format.
func readNaively(format Format) bool {
	switch format {
	case OpenAIImages, GeminiEmbed, MistralOCR, FreeAnswer, OpenAITranscription:
		return false
	}
	return true
}

func TestRecordingsReadNaively(t *testing.T) {
	compared := 0
	for _, r := range recordings(t) {
		o := r.options()
		if o.Profile = ProfileStandard; o.Framing == Raw {
			continue
		}
		if !readNaively(o.Format) {
			continue
		}
		if naiveCompare(t, o, r.response) {
			compared++
		}
	}
	if compared < 100 {
		t.Errorf("only %d recordings compared", compared)
	}
}

// FuzzNaive compares with a reader that takes a response as a whole.
func FuzzNaive(f *testing.F) {
	for _, r := range recordings(f) {
		if len(r.response) < 1500 && strings.HasPrefix(r.name, recordingRoots[0]) {
			f.Add(r.response)
		}
	}
	for _, usage := range []string{
		`{"prompt_tokens":9,"completion_tokens":4,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":7}}`,
		`{"input_tokens":1e2,"output_tokens":4.9,"input_tokens_details":{"cached_tokens":70,"cache_write_tokens":40}}`,
		`{"prompt_tokens":"12","total_tokens":30,"prompt_tokens_details":{"audio_tokens":18}}`,
	} {
		f.Add([]byte(`{"model":"gemini-x","usage":` + usage + `,"x_groq":{"usage":{"prompt_tokens":1}}}`))
		f.Add([]byte(sse(`{"type":"response.completed","response":{"model":"m","usage":`+usage+`}}`, `{"usage":null}`)))
		f.Add([]byte(sse(`{"type":"message_start","message":{"usage":`+usage+`}}`, `{"type":"message_delta","usage":{"output_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":3}}}`)))
	}
	f.Add([]byte(`[{"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":3,"promptTokensDetails":[{"modality":"IMAGE","tokenCount":4}],"thoughtsTokenCount":2}},{"usageMetadata":{"trafficType":"X"}}]`))
	f.Fuzz(func(t *testing.T, response []byte) {
		for _, o := range naiveOptions {
			naiveCompare(t, o, response)
		}
	})
}
