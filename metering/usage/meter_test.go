package usage

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func sse(documents ...string) string {
	var b strings.Builder
	for _, d := range documents {
		fmt.Fprintf(&b, "data: %s\n\n", d)
	}
	return b.String()
}

func chatChunk(index int, content, finish string) string {
	if finish != "" {
		finish = `,"finish_reason":"` + finish + `"`
	}
	return fmt.Sprintf(`{"choices":[{"index":%d,"delta":{"content":%q}%s}]}`, index, content, finish)
}

// What is withheld begins with the event after which no more content can follow.
func TestTerminalPoint(t *testing.T) {
	chat := Options{Framing: SSE}
	two := Options{Framing: SSE, Choices: 2}
	claude := Options{Format: AnthropicMessages, Framing: SSE}
	gemini := Options{Format: GeminiGenerate, Framing: SSE}
	twoCandidates := Options{Format: GeminiGenerate, Framing: SSE, Choices: 2}
	for name, test := range map[string]struct {
		options  Options
		pass     string
		withheld string
	}{
		"chat": {chat, sse(chatChunk(0, "a", "")), sse(chatChunk(0, "", "stop"), "[DONE]")},
		"chat with two choices": {two,
			sse(chatChunk(0, "a", ""), chatChunk(1, "b", "stop"), chatChunk(1, "", "stop"), chatChunk(0, "c", "")),
			sse(chatChunk(0, "", "length"), "[DONE]")},
		"chat without finish reason": {chat, sse(chatChunk(0, "a", "")), sse("[DONE]")},
		"empty finish reasons":       {chat, sse(`{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}`), sse("[DONE]")},
		"content after the end":      {chat, sse(chatChunk(0, "a", "stop"), chatChunk(0, "b", "stop")), sse(chatChunk(0, "c", "stop"), "[DONE]")},
		"error in the stream":        {chat, sse(chatChunk(0, "a", "")), sse(`{"error":{"message":"x"}}`)},
		"error event":                {chat, sse(chatChunk(0, "a", "")) + ": c\n\n", "event: error\ndata: {}\n\n"},
		"messages": {claude, sse(`{"type":"message_start","message":{"stop_reason":null}}`, `{"type":"ping"}`),
			sse(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}`, `{"type":"message_stop"}`)},
		"messages without stop reason": {claude, sse(`{"type":"message_start"}`), sse(`{"type":"message_stop"}`)},
		"messages, error":              {claude, sse(`{"type":"message_start"}`), "event: error\n" + sse(`{"type":"error","error":{"type":"overloaded_error"}}`)},
		"candidates": {gemini, sse(`{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`),
			sse(`{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}`)},
		"two candidates":                {twoCandidates, sse(`{"candidates":[{"finishReason":"STOP"}]}`), sse(`{"candidates":[{"finishReason":"STOP","index":1}]}`)},
		"blocked prompt":                {gemini, "", sse(`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":1}}`)},
		"error, candidates":             {gemini, sse(`{"candidates":[{}]}`), sse(`{"error":{"code":503,"status":"UNAVAILABLE"}}`)},
		"last event without blank line": {chat, sse(chatChunk(0, "a", "")), "data: " + chatChunk(0, "", "stop")},
	} {
		t.Run(name, func(t *testing.T) {
			response := test.pass + test.withheld
			passed, withheld, report := run(test.options, []byte(response), whole)
			if string(passed) != test.pass || string(withheld) != test.withheld {
				t.Errorf("passed\n%s\nwithheld\n%s", passed, withheld)
			}
			if !report.Final {
				t.Error("not final")
			}
			if test.options.Format == OpenAIChat {
				stripping := test.options
				stripping.StripUsage = true
				for _, size := range []func() int{whole, single} {
					passed, withheld, _ = run(stripping, []byte(response), size)
					if string(passed) != test.pass || string(withheld) != test.withheld {
						t.Errorf("stripping: passed\n%s\nwithheld\n%s", passed, withheld)
					}
				}
			}
			// In single bytes nothing else is passed.
			passed, withheld, _ = run(test.options, []byte(response), single)
			if string(passed) != test.pass || string(withheld) != test.withheld {
				t.Errorf("by bytes: passed\n%s\nwithheld\n%s", passed, withheld)
			}
		})
	}
}

func TestDocumentsAreWithheldFromTheBlockThatEndsThem(t *testing.T) {
	body := `{"choices":[{"message":{"content":"` + strings.Repeat("x", 5000) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`
	response := body + "\n\n"
	passed, withheld, report := run(Options{}, []byte(response), func() int { return 1000 })
	if string(passed) != response[:5000] || string(withheld) != response[5000:] {
		t.Errorf("passed %d bytes, withheld %d", len(passed), len(withheld))
	}
	if !report.Complete || report.Usage.InputTotal != 3 || report.Output.Bytes != 5000 {
		t.Errorf("%+v", report)
	}
	array := []string{`[{"candidates":[{"content":{"parts":[{"text":"é"}]}}]}`, `,{"candidates":[{"finishReason":"STOP"}],`, `"usageMetadata":{"promptTokenCount":3}}`, `]`}
	m := NewMeter(Options{Format: GeminiGenerate})
	for i, piece := range array {
		if pass := string(m.Feed([]byte(piece))); (pass != "") != (i < 1) {
			t.Errorf("piece %d: passed %q", i, pass)
		}
	}
	m.Finish()
	if r := m.Report(); !r.Complete || r.Usage.InputTotal != 3 || r.Output.Bytes != 2 || r.Output.Runes() != 1 || string(m.Withheld()) != strings.Join(array[1:], "") {
		t.Errorf("%+v, withheld %q", r, m.Withheld())
	}
}

func TestErrorKinds(t *testing.T) {
	for body, want := range map[string]ErrorKind{
		`{"error":{"message":"x","type":"invalid_request_error","param":null,"code":"model_not_found"}}`: ErrorNotFound,
		`{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}`:                                           ErrorRateLimited,
		`{"error":{"code":400,"message":"Token limit reached"}}`:                                         ErrorInvalidRequest,
		`{"error":{"code":"insufficient_quota","type":"insufficient_quota"}}`:                            ErrorQuota,
		`{"error":{"message":"only text"}}`:                                                              ErrorOther,
		`{"code":"Some","error":"only text"}`:                                                            ErrorOther,
		`{"error":{"type":"server_error","code":null}}`:                                                  ErrorServer,
	} {
		_, _, r := run(Options{}, []byte(body), whole)
		if !r.Failed || r.ErrorKind != want {
			t.Errorf("%s: failed %v, %q, want %q", body, r.Failed, r.ErrorKind, want)
		}
		_, _, r = run(Options{Framing: SSE}, []byte(sse(chatChunk(0, "a", ""), body)), single)
		if !r.Failed || r.ErrorKind != want || !r.Content {
			t.Errorf("in a stream %s: failed %v, %q, want %q", body, r.Failed, r.ErrorKind, want)
		}
	}
	_, _, r := run(Options{Format: AnthropicMessages}, []byte(`{"type":"error","error":{"type":"overloaded_error","message":"x"}}`), whole)
	if !r.Failed || r.ErrorKind != ErrorOverloaded {
		t.Errorf("%+v", r)
	}
	if _, _, r = run(Options{}, []byte(`{"choices":[],"error":null}`), whole); r.Failed || r.ErrorKind != ErrorNone {
		t.Errorf("null error: %+v", r)
	}
}

func TestWhatCannotBeReliedOn(t *testing.T) {
	for _, test := range []struct {
		options  Options
		response string
		want     error
	}{
		{Options{}, `{"choices":[{"message":{"content":"a`, ErrTruncated},
		{Options{}, ``, ErrTruncated},
		{Options{}, `<html>`, ErrMalformed},
		{Options{}, `{"choices":[}`, ErrMalformed},
		{Options{}, `{} {}`, ErrMalformed},
		{Options{Framing: SSE}, sse(chatChunk(0, "a", "")), ErrTruncated},
		{Options{Framing: SSE}, sse(`{"choices":[{"index":0`, chatChunk(0, "", "stop"), "[DONE]"), ErrMalformed},
		{Options{Format: AnthropicMessages, Framing: SSE}, sse(`{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`), ErrTruncated},
		{Options{Format: GeminiGenerate, Framing: SSE}, sse(`{"candidates":[{"content":{}}]}`), ErrTruncated},
		{Options{Format: GeminiGenerate}, `[{"candidates":[{"finishReason":"STOP"}]}`, ErrTruncated},
		{Options{Framing: SSE}, sse(chatChunk(0, "", "stop"), "[DONE]"), nil},
		{Options{Framing: SSE}, sse("alive", " ", "1", chatChunk(0, "", "stop"), "[DONE]"), nil},
		{Options{Framing: SSE}, sse(chatChunk(0, "", "stop")), nil}, // not every server sends the marker
	} {
		for _, size := range []func() int{whole, single} {
			passed, withheld, r := run(test.options, []byte(test.response), size)
			if !errors.Is(r.Err, test.want) || r.Err == nil && !r.Complete || errors.Is(r.Err, ErrTruncated) && r.Complete {
				t.Errorf("%q: error %v, complete %v, want %v", test.response, r.Err, r.Complete, test.want)
			}
			if string(passed)+string(withheld) != test.response {
				t.Errorf("%q: passed %q, withheld %q", test.response, passed, withheld)
			}
		}
	}
}

// A usage that is all zero is no report: it has been seen with output.
func TestZeroUsageIsNotReported(t *testing.T) {
	_, _, r := run(Options{}, []byte(`{"choices":[{"message":{"content":"abc"}}],"usage":{"prompt_tokens":0,"completion_tokens":0}}`), whole)
	if r.Reported || !r.Content || r.Output.Bytes != 3 {
		t.Errorf("%+v", r)
	}
}

// Names go into records: whatever is none is left out.
func TestNamesAreSafe(t *testing.T) {
	for name, want := range map[string]string{
		"gpt-4o_2": "gpt-4o_2", "models/a:b@c.d": "models/a:b@c.d", "with space": "", "<script>": "", "é": "",
		strings.Repeat("x", 64): strings.Repeat("x", 64), strings.Repeat("x", 65): "", strings.Repeat("x", 1000): "", `g\u0070t`: "gpt", `a\nb`: "",
	} {
		_, _, r := run(Options{}, []byte(`{"model":"`+name+`","choices":[{"finish_reason":"`+name+`"}],"service_tier":"`+name+`"}`), single)
		if r.Model != want || r.FinishReason != want || r.ServiceTier != want {
			t.Errorf("%s: %q, %q, %q, want %q", name, r.Model, r.FinishReason, r.ServiceTier, want)
		}
	}
}

func TestCount(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "12": 12, "12.0": 12, "12.9": 12, "-5": 0, "": 0, ".5": 0, "99999999999999999999999": maxCount,
		"1e3": 1000, "1E+3": 1000, "1.25e2": 125, "1250e-1": 125, "0e5": 0, "1e400": maxCount, "1e-400": 0, "1e": 0, "1e+": 0, "1.2.3": 0, "e5": 0,
		"0.00012e5": 12, "0.0": 0, "1e99999999999999999999": maxCount, "-1e3": 0, "true": 0, "007": 7,
	} {
		if got := count([]byte(text)); got != want {
			t.Errorf("count(%q) = %d, want %d", text, got, want)
		}
	}
}

// A large event takes no more memory than one of 50 bytes.
func TestMemoryIsBounded(t *testing.T) {
	block := bytes.Repeat([]byte(`words \"and\" escapes é \\ `), 1300)
	feed := func(m *Meter, size int, head, tail string) {
		m.Feed([]byte(head))
		for range size / len(block) {
			m.Feed(block)
		}
		m.Feed([]byte(tail))
		m.Finish()
	}
	for name, test := range map[string]struct {
		options    Options
		head, tail string
	}{
		"content of an event":  {Options{Framing: SSE}, `data: {"choices":[{"delta":{"content":"`, `"},"finish_reason":"stop"}]}` + "\n\n"},
		"skipped string":       {Options{Framing: SSE}, `data: {"x":"`, `","choices":[{"finish_reason":"stop"}]}` + "\n\n"},
		"skipped object":       {Options{Framing: SSE}, `data: {"x":[{"`, `":1}],"choices":[{"finish_reason":"stop"}]}` + "\n\n"},
		"key":                  {Options{Framing: SSE}, `data: {"`, `":1,"choices":[{"finish_reason":"stop"}]}` + "\n\n"},
		"model name":           {Options{}, `{"model":"`, `"}`},
		"content of a body":    {Options{}, `{"choices":[{"message":{"content":"`, `"},"finish_reason":"stop"}]}`},
		"comment":              {Options{Framing: SSE}, `: `, "\n\n" + sse("[DONE]")},
		"field name":           {Options{Framing: SSE}, `x`, "\n\n" + sse("[DONE]")},
		"event type":           {Options{Framing: SSE}, `event: `, "\n\n" + sse("[DONE]")},
		"marker":               {Options{Framing: SSE}, `data: [`, "\n\n" + sse("[DONE]")},
		"tool input":           {Options{Format: AnthropicMessages}, `{"content":[{"input":{"a":"`, `"}}],"stop_reason":"end_turn"}`},
		"image":                {Options{Format: GeminiGenerate}, `[{"candidates":[{"content":{"parts":[{"inlineData":{"data":"`, `"}}]},"finishReason":"STOP"}]}]`},
		"delta of a response":  {Options{Format: OpenAIResponses, Framing: SSE}, `data: {"delta":"`, `","type":"response.completed"}` + "\n\n"},
		"item of a response":   {Options{Format: OpenAIResponses}, `{"output":[{"type":"message","content":[{"text":"`, `"}]}]}`},
		"image in an event":    {Options{Format: OpenAIImages, Framing: SSE}, `data: {"b64_json":"`, `","type":"image_generation.completed"}` + "\n\n"},
		"audio in an event":    {Options{Format: OpenAISpeech, Framing: SSE}, `data: {"audio":"`, `","type":"speech.audio.done"}` + "\n\n"},
		"embedding":            {Options{Format: OpenAIEmbeddings}, `{"data":[{"embedding":"`, `"}]}`},
		"completion":           {Options{Format: OpenAICompletions, Framing: SSE}, `data: {"choices":[{"text":"`, `"}]}` + "\n\n" + sse("[DONE]")},
		"raw audio":            {Options{Format: OpenAISpeech, Framing: Raw}, "", ""},
		"error outside":        {Options{Framing: SSE}, `{"x":"`, `","error":{"code":1}}` + "\n"},
		"large stripped event": {Options{Framing: SSE, StripUsage: true}, `data: {"choices":[{"delta":{"content":"`, `"},"finish_reason":"stop"}]}` + "\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMeter(test.options)
			var before, after runtime.MemStats
			size := 5 << 20
			if name == "content of an event" {
				size = 50 << 20
			}
			runtime.ReadMemStats(&before)
			feed(m, size, test.head, test.tail)
			runtime.ReadMemStats(&after)
			limit := uint64(64 << 10)
			if test.options.StripUsage {
				limit = 8 * maxStripped
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > limit {
				t.Errorf("allocated %d bytes", used)
			}
			if r := m.Report(); !r.Final {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestWhatFollowsTheEndIsBounded(t *testing.T) {
	m := NewMeter(Options{Framing: SSE})
	m.Feed([]byte(sse("[DONE]")))
	comment := []byte(":" + strings.Repeat(" ", 1<<20) + "\n\n")
	for range 20 {
		if pass := m.Feed(comment); len(pass) > 0 {
			t.Fatal("passed after the end")
		}
	}
	m.Feed([]byte("\n"))
	if err := m.Report().Err; !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	if got := m.Withheld(); len(got) > maxWithheld || len(got)%len(comment) != len(sse("[DONE]")) {
		t.Errorf("%d bytes withheld", len(got))
	}
}
