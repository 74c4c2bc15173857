package usage

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// chatStream is a stream of ordinary chunks of about 250 bytes, as OpenAI sends them.
func chatStream(chunks int, usage string) []byte {
	var b bytes.Buffer
	for i := range chunks {
		fmt.Fprintf(&b, `data: {"id":"chatcmpl-CMKAtIAKW1eiFzDAZmCcrbvHgyoSw","object":"chat.completion.chunk","created":1759436803,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_cbf1785567","choices":[{"index":0,"delta":{"content":" w%d"},"logprobs":null,"finish_reason":null}]%s}`+"\n\n", i%10, usage)
	}
	return b.Bytes()
}

func benchmarkEvents(b *testing.B, options Options, stream []byte, events int) {
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)) / int64(events))
	m := NewMeter(options)
	event := len(stream) / events
	read := make([]byte, event) // as it is overwritten
	at := 0
	for b.Loop() {
		copy(read, stream[at:])
		m.Feed(read)
		if at += event; at == len(stream) {
			at = 0
		}
	}
	if r := m.Report(); r.Err != nil || !r.Content {
		b.Fatalf("%+v", r)
	}
}

// One event per operation.
func BenchmarkChatEvent(b *testing.B) {
	benchmarkEvents(b, Options{Format: OpenAIChat, Framing: SSE}, chatStream(100, ""), 100)
}

func BenchmarkChatEventStripped(b *testing.B) {
	benchmarkEvents(b, Options{Format: OpenAIChat, Framing: SSE, StripUsage: true}, chatStream(100, `,"usage":null`), 100)
}

func BenchmarkAnthropicEvent(b *testing.B) {
	event := "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" words of it\"}}\n\n"
	benchmarkEvents(b, Options{Format: AnthropicMessages, Framing: SSE}, []byte(strings.Repeat(event, 100)), 100)
}

func BenchmarkGeminiEvent(b *testing.B) {
	event := "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \" words of it\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 13,\"candidatesTokenCount\": 8,\"totalTokenCount\": 21,\"promptTokensDetails\": [{\"modality\": \"TEXT\",\"tokenCount\": 13}]},\"modelVersion\": \"gemini-2.5-flash\"}\r\n\r\n"
	benchmarkEvents(b, Options{Format: GeminiGenerate, Framing: SSE}, []byte(strings.Repeat(event, 100)), 100)
}

func BenchmarkResponsesEvent(b *testing.B) {
	var stream bytes.Buffer
	for i := range 100 {
		fmt.Fprintf(&stream, "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":%d,\"item_id\":\"msg_68c98a95a3bc8193b7d3e4d3b5b4e3d20d1\","+
			"\"output_index\":0,\"content_index\":0,\"delta\":\" w%d\",\"logprobs\":[],\"obfuscation\":\"kLd0vBzQqPw%d\"}\n\n", 100+i, i%10, i%10)
	}
	benchmarkEvents(b, Options{Format: OpenAIResponses, Framing: SSE}, stream.Bytes(), 100)
}

// A whole response of 200 kB in blocks of 32 kB.
func BenchmarkLargeDocument(b *testing.B) {
	body := []byte(`{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat(`some words of output and a line end\n`, 5600) +
		`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":50000,"total_tokens":50010}}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		m := NewMeter(Options{Format: OpenAIChat})
		for rest := body; len(rest) > 0; {
			n := min(32<<10, len(rest))
			m.Feed(rest[:n])
			rest = rest[n:]
		}
		m.Finish()
		if r := m.Report(); !r.Complete || r.Usage.OutputTotal != 50000 {
			b.Fatalf("%+v", r)
		}
	}
}

// A whole short response.
func BenchmarkSmallDocument(b *testing.B) {
	body := []byte(`{"id":"x","object":"chat.completion","created":1759436803,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Some words."},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0}}}`)
	b.ReportAllocs()
	for b.Loop() {
		m := NewMeter(Options{Format: OpenAIChat})
		m.Feed(body)
		m.Finish()
		if r := m.Report(); !r.Complete {
			b.Fatalf("%+v", r)
		}
		m.Release()
	}
}

// A whole stream of 100 events that come at once, in reads of 4 kB.
func BenchmarkChatStream(b *testing.B) {
	chunk := func(choices, usage string) string {
		return `data: {"id":"chatcmpl-CMKAtIAKW1eiFzDAZmCcrbvHgyoSw","object":"chat.completion.chunk","created":1759436803,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_cbf1785567","choices":[` +
			choices + `],"usage":` + usage + "}\n\n"
	}
	stream := []byte(chunk(`{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}`, "null"))
	stream = append(stream, chatStream(98, `,"usage":null`)...)
	stream = append(stream, chunk(`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`, "null")+
		chunk("", `{"prompt_tokens":10,"completion_tokens":98,"total_tokens":108}`)+"data: [DONE]\n\n"...)
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)))
	read := make([]byte, 4<<10)
	for b.Loop() {
		m := NewMeter(Options{Format: OpenAIChat, Framing: SSE, StripUsage: true})
		for rest := stream; len(rest) > 0; {
			n := copy(read, rest)
			m.Feed(read[:n])
			rest = rest[n:]
		}
		m.Finish()
		if r := m.Report(); !r.Complete || r.Usage.OutputTotal != 98 {
			b.Fatalf("%+v", r)
		}
		m.Release()
	}
}
