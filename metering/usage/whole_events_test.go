package usage

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// However a stream is cut and wherever it breaks off, what is passed of it ends with an event.
func TestOnlyWholeEventsArePassed(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for name, test := range map[string]struct {
		options Options
		stream  string
	}{
		"chat": {Options{Framing: SSE}, ": ping\n\n" + sse(chatChunk(0, "a", ""), chatChunk(0, "b\\n\\n", ""), `{"error":{"message":"of the operator"}}`)},
		"messages": {Options{Format: AnthropicMessages, Framing: SSE},
			"event: message_start\n" + sse(`{"type":"message_start"}`) + "event: ping\r\n" + sse(`{"type":"ping"}`) + "event: error\n" + sse(`{"type":"error","error":{"type":"overloaded_error"}}`)},
		"candidates and a bare error": {Options{Format: GeminiGenerate, Framing: SSE},
			strings.ReplaceAll(sse(`{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`), "\n", "\r\n") + "{\n  \"error\": {\n    \"code\": 429\n  }\n}\n"},
	} {
		stream := []byte(test.stream)
		for cut := range stream {
			m := NewMeter(test.options)
			var passed []byte
			for rest := stream[:cut]; len(rest) > 0; {
				n := 1 + random.IntN(len(rest))
				passed = append(passed, m.Feed(bytes.Clone(rest[:n]))...)
				rest = rest[n:]
			}
			if !bytes.HasPrefix(stream, passed) || !endsEvent(passed) {
				t.Fatalf("%s, %d bytes: passed %q", name, cut, passed)
			}
			passed = append(passed, m.Finish()...)
			if passed = append(passed, m.Withheld()...); !bytes.HasPrefix(stream, passed) {
				t.Fatalf("%s, %d bytes: passed in the end %q", name, cut, passed)
			}
			last := passed[bytes.LastIndex(passed, []byte("\n\n"))+1:]
			if _, data, found := bytes.Cut(last, []byte("data: {")); found && !bytes.HasSuffix(bytes.TrimSpace(data), []byte("}")) {
				if m.Failed() {
					continue // it is told apart from an answer, and replaced
				}
				t.Fatalf("%s, %d bytes: passed a part of an event in the end: %q", name, cut, passed)
			}
		}
	}
}

func endsEvent(passed []byte) bool {
	return len(passed) == 0 || bytes.HasSuffix(passed, []byte("\n\n")) || bytes.HasSuffix(passed, []byte("\r\n\r\n")) || bytes.HasSuffix(passed, []byte("\n\r"))
}

// An event that is larger than what is kept passes as it comes, and unchanged.
func TestLargeEventsPassAsTheyCome(t *testing.T) {
	t.Parallel()
	large := sse(chatChunk(0, strings.Repeat("x", 3*maxKept), ""))
	stream := sse(chatChunk(0, "a", "")) + large + sse(chatChunk(0, "b", ""), chatChunk(0, "", "stop"), "[DONE]")
	m := NewMeter(Options{Framing: SSE})
	var passed []byte
	most := 0
	for at, rest := 0, stream; len(rest) > 0; {
		n := min(1000, len(rest))
		at += n
		passed = append(passed, m.Feed([]byte(rest[:n]))...)
		if !m.Final() {
			most = max(most, at-len(passed))
		}
		rest = rest[n:]
	}
	if passed = append(append(passed, m.Finish()...), m.Withheld()...); string(passed) != stream {
		t.Error("the stream was changed")
	}
	if most > maxKept+1000 {
		t.Errorf("%d bytes were kept", most)
	}
}

// Some servers give each chunk an error that says nothing.
func TestAnErrorThatSaysNothingIsNone(t *testing.T) {
	t.Parallel()
	for _, empty := range []string{`""`, `{}`, `null`, `{"message":"","code":null}`, `{"message":null,"type":"","code":0,"param":null}`} {
		for _, strip := range []bool{false, true} {
			_, _, report := run(Options{Framing: SSE, StripUsage: strip}, []byte(sse(`{"choices":[{"delta":{"content":"a"}}],"error":`+empty+`}`,
				`{"choices":[{"delta":{},"finish_reason":"stop"}],"error":`+empty+`}`, "[DONE]")), single)
			if report.Failed || !report.Complete || !report.Content {
				t.Errorf("%s: %+v", empty, report)
			}
		}
	}
	for _, said := range []string{`"x"`, `{"message":"x"}`, `{"message":"","code":"x"}`, `{"code":429}`, `{"detail":{"a":1}}`} {
		if _, _, report := run(Options{}, []byte(`{"error":`+said+`}`), whole); !report.Failed {
			t.Errorf("%s is no error", said)
		}
	}
}

// What was dropped of what is withheld is not looked for when the end is taken back.
func TestTheEndIsTakenBackAfterTooMuch(t *testing.T) {
	t.Parallel()
	m := NewMeter(Options{Framing: SSE})
	next := chatChunk(0, "b", "stop")
	for _, piece := range []string{
		sse(chatChunk(0, "a", "stop")), "data: ", strings.Repeat("x", maxWithheld), "\n\ndata: " + next[:10], next[10:] + "\n\n",
	} {
		m.Feed([]byte(piece))
	}
	if !errors.Is(m.Err(), ErrTooLarge) {
		t.Errorf("%v", m.Err())
	}
}
