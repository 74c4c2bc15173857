package usage

import (
	"strings"
	"testing"
)

func TestAnswersOfEveryKind(t *testing.T) {
	image := `"usage":{"input_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40},"output_tokens":1000,"total_tokens":1050`
	imageUsage := Usage{InputTotal: 50, Input: 10, InputImage: 40, OutputTotal: 1000, OutputImage: 1000, Units: Units{Images: 1}}
	units := func(u Units) Usage { return Usage{Units: u} }
	for name, test := range map[string]struct {
		options  Options
		response string
		want     Usage
		reported bool
		shows    seen
	}{
		"completion": {Options{Format: OpenAICompletions}, `{"choices":[{"text":"é","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}`,
			Usage{InputTotal: 5, Input: 5, OutputTotal: 1, Output: 1}, true, seen{content: true, bytes: 2}},
		"completions in a stream": {Options{Format: OpenAICompletions, Framing: SSE, Choices: 2},
			sse(`{"choices":[{"text":"a","index":0,"finish_reason":"stop"}],"usage":null}`, `{"choices":[{"text":"b","index":1,"finish_reason":"length"}],"usage":null}`,
				`{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`, "[DONE]"),
			Usage{InputTotal: 5, Input: 5, OutputTotal: 2, Output: 2}, true, seen{content: true, bytes: 2}},
		"embeddings": {Options{Format: OpenAIEmbeddings}, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-5]}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}`,
			Usage{InputTotal: 8, Input: 8}, true, seen{content: true}},
		"embeddings, total alone": {Options{Format: OpenAIEmbeddings}, `{"data":[{"embedding":"AAAA"}],"usage":{"total_tokens":8}}`, Usage{InputTotal: 8, Input: 8}, true, seen{content: true}},
		"image":                   {Options{Format: OpenAIImages}, `{"data":[{"b64_json":"AAAA"}],` + image + `}}`, imageUsage, true, seen{content: true, media: 4}},
		"image, output told apart": {Options{Format: OpenAIImages}, `{"data":[{"b64_json":"AAAA"}],` + image + `,"output_tokens_details":{"image_tokens":900,"text_tokens":100}}}`,
			Usage{InputTotal: 50, Input: 10, InputImage: 40, OutputTotal: 1000, OutputImage: 900, Output: 100, Units: Units{Images: 1}}, true, seen{content: true, media: 4}},
		"images by the piece": {Options{Format: OpenAIImages, Choices: 3}, `{"created":1,"data":[{"url":"https://x"},{"b64_json":"AAAA","revised_prompt":"a cat"},{"b64_json":"","url":""}]}`,
			units(Units{Images: 2}), false, seen{content: true, media: 4}},
		"image in a stream": {Options{Format: OpenAIImages, Framing: SSE},
			sse(`{"type":"image_generation.partial_image","b64_json":"AAAAAAAA","partial_image_index":0}`, `{"type":"image_generation.completed","b64_json":"AAAA",`+image+`}}`),
			imageUsage, true, seen{content: true, media: 4}},
		"edit in a stream": {Options{Format: OpenAIImages, Framing: SSE},
			sse(`{"b64_json":"AAAAAAAA","partial_image_index":0,"type":"image_edit.partial_image"}`, `{"b64_json":"AAAA",`+image+`},"type":"image_edit.completed"}`, "[DONE]"),
			imageUsage, true, seen{content: true, media: 4}},
		"two images in a stream": {Options{Format: OpenAIImages, Framing: SSE, Choices: 2},
			sse(`{"type":"image_generation.completed","b64_json":"AAAA",`+image+`}}`, `{"type":"image_generation.completed","b64_json":"AAAA",`+image+`}}`),
			Usage{InputTotal: 100, Input: 20, InputImage: 80, OutputTotal: 2000, OutputImage: 2000, Units: Units{Images: 2}}, true, seen{content: true, media: 8}},
		"two images in a stream, added up": {Options{Format: OpenAIImages, Framing: SSE, Choices: 2},
			sse(`{"type":"image_generation.completed","b64_json":"AAAA",`+image+`}}`, `{"type":"image_generation.completed","b64_json":"AAAA",`+strings.Replace(image, "1000", "2000", 1)+`}}`),
			Usage{InputTotal: 50, Input: 10, InputImage: 40, OutputTotal: 2000, OutputImage: 2000, Units: Units{Images: 2}}, true, seen{content: true, media: 8}},
		"transcription": {Options{Format: OpenAITranscription}, `{"text":"Hé","usage":{"type":"tokens","total_tokens":27,"input_tokens":17,"input_token_details":{"text_tokens":2,"audio_tokens":15},"output_tokens":10}}`,
			Usage{InputTotal: 17, Input: 2, InputAudio: 15, OutputTotal: 10, Output: 10}, true, seen{content: true, bytes: 3}},
		"transcription by time": {Options{Format: OpenAITranscription}, `{"text":"a","usage":{"type":"duration","seconds":9.5}}`, units(Units{Milliseconds: 9500}), true, seen{content: true, bytes: 1}},
		"transcription, verbose": {Options{Format: OpenAITranscription}, `{"task":"transcribe","duration":8.470000267028809,"text":"ab","segments":[{"text":"ab"}],"words":[{"word":"ab"}],"usage":{"type":"duration","seconds":9}}`,
			units(Units{Milliseconds: 9000}), true, seen{content: true, bytes: 2}},
		"transcription, verbose without usage": {Options{Format: OpenAITranscription, Units: Units{Milliseconds: 5}}, `{"duration":8.470000267028809,"text":"ab"}`,
			units(Units{Milliseconds: 8470}), true, seen{content: true, bytes: 2}},
		"transcription that tells nothing": {Options{Format: OpenAITranscription, Units: Units{Milliseconds: 5000}}, `{"text":"ab"}`, units(Units{Milliseconds: 5000}), false, seen{content: true, bytes: 2}},
		"transcription by Mistral": {Options{Format: OpenAITranscription, Profile: ProfileAudioApart}, `{"text":"a","usage":{"prompt_audio_seconds":36,"prompt_tokens":13,"completion_tokens":151,"total_tokens":164}}`,
			Usage{InputTotal: 13, Input: 13, OutputTotal: 151, Output: 151, Units: Units{Milliseconds: 36000}}, true, seen{content: true, bytes: 1}},
		"transcription as plain text":                        {Options{Format: OpenAITranscription, Framing: Raw, Units: Units{Milliseconds: 5000}}, "1\n00:00 --> 00:01\nHé\n", units(Units{Milliseconds: 5000}), false, seen{content: true, bytes: 22}},
		"transcription of more than its audio was taken for": {Options{Format: OpenAITranscription, Framing: Raw, Units: Units{Milliseconds: 100}, LongestAudio: 1000}, "1\n00:00 --> 00:01\nHéllo, 世界\n", units(Units{Milliseconds: 5*40 + 2*110}), false, seen{content: true, bytes: 33}},
		"transcription of more than there can be":            {Options{Format: OpenAITranscription, Units: Units{Milliseconds: 100}, LongestAudio: 300}, `{"text":"abcdefghijk"}`, units(Units{Milliseconds: 300}), false, seen{content: true, bytes: 11}},
		"transcription of a file that tells its length":      {Options{Format: OpenAITranscription, Units: Units{Milliseconds: 100}}, `{"text":"abcdefghijk"}`, units(Units{Milliseconds: 100}), false, seen{content: true, bytes: 11}},
		"transcription of more than is reported":             {Options{Format: OpenAITranscription, Units: Units{Milliseconds: 100}, LongestAudio: 1000}, `{"text":"abcdefghijk","usage":{"type":"duration","seconds":0.2}}`, units(Units{Milliseconds: 200}), true, seen{content: true, bytes: 11}},
		"transcription in a stream": {Options{Format: OpenAITranscription, Framing: SSE}, sse(`{"type":"transcript.text.delta","delta":"H"}`, `{"type":"transcript.text.delta","delta":"é"}`,
			`{"type":"transcript.text.segment","text":"Hé"}`, `{"type":"transcript.text.done","text":"Hé","usage":{"type":"tokens","input_tokens":3,"output_tokens":2,"total_tokens":5}}`, "[DONE]"),
			Usage{InputTotal: 3, Input: 3, OutputTotal: 2, Output: 2}, true, seen{content: true, bytes: 3}},
		"transcription in one event": {Options{Format: OpenAITranscription, Framing: SSE}, sse(`{"text":"Hé","type":"transcript.text.done"}`), Usage{}, false, seen{content: true, bytes: 3}},
		"speech in a stream": {Options{Format: OpenAISpeech, Framing: SSE, Units: Units{Characters: 7}},
			sse(`{"type":"speech.audio.delta","audio":"AAAA"}`, `{"type":"speech.audio.done","usage":{"input_tokens":10,"output_tokens":82,"total_tokens":92}}`, "[DONE]"),
			Usage{InputTotal: 10, Input: 10, OutputTotal: 82, Output: 82, Units: Units{Characters: 7}}, true, seen{content: true, media: 4}},
		"speech":            {Options{Format: OpenAISpeech, Framing: Raw, Units: Units{Characters: 7}}, strings.Repeat("\xFF\x00", 1000), units(Units{Characters: 7}), false, seen{content: true, media: 2000}},
		"speech by Mistral": {Options{Format: OpenAISpeech, Units: Units{Characters: 7}}, `{"audio_data":"AAAA"}`, units(Units{Characters: 7}), false, seen{content: true, media: 4}},
		"pages":             {Options{Format: MistralOCR}, `{"pages":[{"index":0,"markdown":"# a"},{"markdown":"b"}],"model":"m","usage_info":{"pages_processed":2,"doc_size_bytes":10}}`, units(Units{Pages: 2}), true, seen{content: true, bytes: 4}},
		"Gemini's embeddings": {Options{Format: GeminiEmbed}, `{"embeddings":[{"values":[0.1]}],"usageMetadata":{"promptTokenCount":261,"promptTokenDetails":[{"modality":"IMAGE","tokenCount":258},{"modality":"TEXT","tokenCount":3}]}}`,
			Usage{InputTotal: 261, Input: 3, InputImage: 258}, true, seen{content: true}},
		"Gemini's embedding, total alone":       {Options{Format: GeminiEmbed}, `{"embedding":{"values":[0.1]},"usageMetadata":{"totalTokenCount":6}}`, Usage{InputTotal: 6, Input: 6}, true, seen{content: true}},
		"Gemini's embedding that tells nothing": {Options{Format: GeminiEmbed, Units: Units{Characters: 30}}, `{"embedding":{"values":[0.1]}}`, units(Units{Characters: 30}), false, seen{content: true}},
		"Vertex's predictions": {Options{Format: GeminiEmbed}, `{"predictions":[{"embeddings":{"statistics":{"truncated":false,"token_count":6},"values":[0.1]}},{"embeddings":{"statistics":{"token_count":4.0},"values":[]}}],"metadata":{"billableCharacterCount":31}}`,
			Usage{InputTotal: 10, Input: 10, Units: Units{Characters: 31}}, true, seen{content: true}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []func() int{whole, single} {
				passed, withheld, r := run(test.options, []byte(test.response), size)
				if string(passed)+string(withheld) != test.response || len(withheld) == 0 {
					t.Errorf("passed %q, withheld %q", passed, withheld)
				}
				if r.Usage != test.want || r.Reported != test.reported || r.Free {
					t.Errorf("reported %v, %+v\nwant %+v", r.Reported, r.Usage, test.want)
				}
				if !r.Complete || !r.Final || r.Failed || r.Err != nil {
					t.Errorf("%+v", r)
				}
				checkDisjoint(t, r.Usage)
			}
			if got := seenIn(t, test.options, test.response); got != test.shows {
				t.Errorf("%+v, want %+v", got, test.shows)
			}
		})
	}
}

func TestStreamsEndWithTheirLastPiece(t *testing.T) {
	for name, test := range map[string]struct {
		options        Options
		pass, withheld string
	}{
		"completions":   {Options{Format: OpenAICompletions}, sse(`{"choices":[{"text":"a","index":0}]}`), sse(`{"choices":[{"text":"","index":0,"finish_reason":"stop"}]}`, `{"choices":[],"usage":{"prompt_tokens":1}}`, "[DONE]")},
		"image":         {Options{Format: OpenAIImages}, sse(`{"type":"image_edit.partial_image","b64_json":"AA"}`), sse(`{"type":"image_edit.completed","b64_json":"AA"}`)},
		"second image":  {Options{Format: OpenAIImages, Choices: 2}, sse(`{"type":"image_generation.completed","b64_json":"AA"}`), sse(`{"type":"image_generation.completed","b64_json":"AA"}`)},
		"transcription": {Options{Format: OpenAITranscription}, sse(`{"type":"transcript.text.delta","delta":"a"}`), sse(`{"type":"transcript.text.done","text":"a"}`) + ": bye\n\n" + sse("[DONE]")},
		"speech":        {Options{Format: OpenAISpeech}, sse(`{"type":"speech.audio.delta","audio":"AA"}`), sse(`{"type":"speech.audio.done"}`, "[DONE]")},
	} {
		test.options.Framing = SSE
		for _, end := range []string{"", "\r"} {
			pass, withheld := test.pass, test.withheld
			if end != "" {
				pass, withheld = strings.ReplaceAll(pass, "\n", "\r\n"), strings.ReplaceAll(withheld, "\n", "\r\n")
			}
			passed, kept, r := run(test.options, []byte(pass+withheld), whole)
			if string(passed) != pass || string(kept) != withheld || !r.Final || !r.Complete || r.Err != nil {
				t.Errorf("%s: passed %q, withheld %q, %+v", name, passed, kept, r)
			}
			if name == "second image" {
				continue // the first one alone is an answer, too
			}
			if _, _, r := run(test.options, []byte(pass), whole); r.Final || r.Complete || r.Err == nil {
				t.Errorf("%s, cut off: %+v", name, r)
			}
		}
	}
}

// Of several images some may be refused.
func TestFewerImagesThanAskedFor(t *testing.T) {
	stream := sse(`{"type":"image_generation.completed","b64_json":"AA","usage":{"input_tokens":1,"output_tokens":2}}`)
	_, _, r := run(Options{Format: OpenAIImages, Framing: SSE, Choices: 3}, []byte(stream), single)
	if !r.Final || !r.Complete || r.Err != nil || r.Usage.Units.Images != 1 {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsFree(t *testing.T) {
	for body, want := range map[string]int64{
		`{"input_tokens":14}`: 14, `{"object":"response.input_tokens","input_tokens":12}`: 12, `{"totalTokens":7,"totalBillableCharacters":25,"promptTokensDetails":[{"tokenCount":9}]}`: 7,
		`{"id":"modr-1","model":"omni-moderation-latest","results":[{"flagged":true,"category_scores":{"hate":2.5e-7}}]}`: 0,
	} {
		_, _, r := run(Options{Format: FreeAnswer}, []byte(body), single)
		if !r.Free || r.Counted != want || r.Reported || !r.Usage.Zero() || !r.Complete || r.Failed {
			t.Errorf("%s: %+v", body, r)
		}
	}
	if _, _, r := run(Options{Format: FreeAnswer}, []byte(`{"error":{"type":"not_found_error"},"type":"error"}`), whole); !r.Failed || r.ErrorKind != ErrorNotFound {
		t.Errorf("%+v", r)
	}
}

// An error can come under status 200, in every stream.
func TestErrorsInStreams(t *testing.T) {
	for format := OpenAIChat; format <= FreeAnswer; format++ {
		o := Options{Format: format, Framing: SSE}
		before := sse(`{"type":"ping"}`)
		for name, test := range map[string]struct {
			end  string
			want ErrorKind
		}{
			"event of an error":     {"event: error\n" + sse(`{"error":{"code":"503","type":"overloaded_error"}}`), ErrorOverloaded},
			"event without details": {"event: error\n" + sse(`{"message":"x"}`), ErrorOther},
			"member":                {sse(`{"error":{"type":"rate_limit_error","code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}`), ErrorRateLimited},
			"outside of events":     {"{\"error\":{\"code\":503,\"type\":\"overloaded_error\",\"status\":\"UNAVAILABLE\"}}\n", ErrorOverloaded},
			"outside, over lines":   {"{\r\n  \"error\": {\r\n    \"code\": \"503\",\r\n\r\n    \"type\": \"overloaded_error\"\r\n  }\r\n}", ErrorOverloaded},
			"outside, in a list":    {"[{\n\"error\":{\"type\":\"overloaded_error\",\"status\":\"UNAVAILABLE\"}}]\n", ErrorOverloaded},
		} {
			for i, size := range []func() int{whole, single, whole, single} {
				o.StripUsage = i > 1
				passed, withheld, r := run(o, []byte(before+test.end), size)
				if !r.Failed || r.ErrorKind != test.want || !r.Final || r.Reported {
					t.Errorf("format %d, %s: %+v", format, name, r)
				}
				if string(passed)+string(withheld) != before+test.end || len(withheld) == 0 || !strings.HasPrefix(string(passed), before) {
					t.Errorf("format %d, %s: passed %q, withheld %q", format, name, passed, withheld)
				}
			}
		}
	}
}

// What stands outside of events and is no error says nothing, and takes nothing away.
func TestWhatIsNoEvent(t *testing.T) {
	inside := "data: {\"choices\":[],\n{\"error\":{}}\ndata: \"usage\":null}"
	for _, line := range []string{inside, `{"choices":[],"usage":{"prompt_tokens":99}}`, `[1,2]`, `[DONE]`, `{broken`, `{"a":"b`, `hello {`, `{}`, `[`, `}{`} {
		stream := sse(chatChunk(0, "a", "")) + line + "\n\n" + sse(`{}`) + sse(`{}`, chatChunk(0, "b", "stop"), `{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, "[DONE]")
		for _, strip := range []bool{false, true} {
			for _, size := range []func() int{whole, single} {
				_, _, r := run(Options{Framing: SSE, StripUsage: strip}, []byte(stream), size)
				if !r.Complete || r.Failed || r.Err != nil || r.Usage.InputTotal != 3 || r.Usage.OutputTotal != 2 || r.Output.Bytes != 2 {
					t.Errorf("%q: %+v", line, r)
				}
			}
		}
	}
}

// A raw answer has no end of its own: its last bytes wait for the end of the body.
func TestRawAnswersWithholdTheirTail(t *testing.T) {
	for _, length := range []int{0, 1, rawTail - 1, rawTail, rawTail + 1, 10_000} {
		body := strings.Repeat("x", length)
		for _, size := range []func() int{whole, single, func() int { return 700 }} {
			passed, withheld, r := run(Options{Format: OpenAISpeech, Framing: Raw}, []byte(body), size)
			if string(passed)+string(withheld) != body || len(withheld) != min(length, rawTail) || !r.Complete || r.OutputMediaBytes != int64(length) {
				t.Errorf("%d bytes: passed %d, withheld %d, %+v", length, len(passed), len(withheld), r)
			}
		}
	}
	m := NewMeter(Options{Format: OpenAISpeech, Framing: Raw})
	if m.Feed([]byte("abc")); m.Final() || m.Complete() || !m.Content() {
		t.Error("over before the body is")
	}
}

// Some servers begin with a byte order mark, or with white space to keep a
// connection alive. What follows a document spoils it, but not what it told.
func TestWhatIsAroundADocument(t *testing.T) {
	body := `{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`
	for _, before := range []string{"\xEF\xBB\xBF", "\n\n  \r\n\t", "\xEF\xBB\xBF\r\n"} {
		for _, size := range []func() int{whole, single} {
			if _, _, r := run(Options{}, []byte(before+body+" \r\n"), size); !r.Complete || r.Err != nil || r.Usage.InputTotal != 3 {
				t.Errorf("%q: %+v", before, r)
			}
		}
	}
	for _, after := range []string{",", "x", "{}", "]"} {
		for _, size := range []func() int{whole, single} {
			if _, _, r := run(Options{}, []byte(body+after), size); r.Err == nil || r.Complete || r.Usage.InputTotal != 3 {
				t.Errorf("before %q: %+v", after, r)
			}
		}
	}
	if _, _, r := run(Options{}, []byte("\xEF\xBB\xBF\xEF\xBB\xBF"+body), whole); r.Err == nil {
		t.Errorf("two marks: %+v", r)
	}
}
