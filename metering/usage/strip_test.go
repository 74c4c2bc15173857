package usage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// strippedPairs are chunks as sent without include_usage and as sent with it.
var strippedPairs = [][2]string{
	{`{"id":"1","choices":[],"prompt_filter_results":[{"prompt_index":0}]}`, ``},
	{`{"id":"1","choices":[],"prompt_filter_results":[]}`, `{"id":"1","choices":[],"usage":null,"prompt_filter_results":[]}`},
	{`{"id":"1","choices":[{"index":0,"delta":{"content":"a"}}]}`, `{"id":"1","choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}`},
	{`{"id":"1","choices":[{"index":0,"delta":{"content":"b"}}],"obfuscation":"x"}`,
		`{"id":"1","choices":[{"index":0,"delta":{"content":"b"}}],"usage":null,"obfuscation":"x"}`},
	{`{"id":"1","choices":[{"index":0,"delta":{"usage":null}}]}`, `{"usage":null,"id":"1","choices":[{"index":0,"delta":{"usage":null}}]}`},
	{`{"id": "1", "choices": [{"index": 0, "delta": {"content": ",\"usage\":null"}}]}`,
		`{"id": "1", "usage": null, "choices": [{"index": 0, "delta": {"content": ",\"usage\":null"}}]}`},
	{`{"id": "1", "choices": [{"index": 0, "delta": {}}]}`, `{"usage": null, "id": "1", "choices": [{"index": 0, "delta": {}}]}`},
	{`{}`, `{"usage":null}`},
	{`{"a":1}`, `{"usage":null,"usage":null,"a":1}`},
	{`{"a":1}`, `{"usage":null,"a":1,"us\u0061ge":null}`},
	{`{"a":1}`, `{"a":1,"usage":null,"usage":null}`},
	{`{"id":"1","choices":[{"index":0,"delta":{"content":"c"}}],"usage":{"prompt_tokens":1}}`, ``},
	{`{"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `{"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`},
}

const (
	usageChunk = `{"id":"1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`
	lateChunk  = `{"id":"1","choices":[{"index":0,"delta":{"audio":{"expires_at":1}}}]}`
)

func TestStripUsage(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, lineEnd := range []string{"\n", "\r\n", "\r"} {
		var without, with bytes.Buffer
		line := func(b *bytes.Buffer, data string) { fmt.Fprint(b, "data: ", data, lineEnd, lineEnd) }
		for _, pair := range strippedPairs {
			for _, b := range []*bytes.Buffer{&without, &with} {
				fmt.Fprint(b, ": comment", lineEnd, lineEnd, "id: 7", lineEnd)
			}
			line(&without, pair[0])
			if pair[1] == "" {
				pair[1] = pair[0]
			}
			line(&with, pair[1])
		}
		line(&with, usageChunk)
		for _, b := range []*bytes.Buffer{&without, &with} {
			line(b, lateChunk)
			line(b, "[DONE]")
		}
		options := Options{Format: OpenAIChat, Framing: SSE, StripUsage: true}
		for _, size := range []func() int{whole, single, func() int { return 1 + random.IntN(50) }} {
			passed, withheld, report := run(options, with.Bytes(), size)
			if got := string(passed) + string(withheld); got != without.String() {
				t.Errorf("line end %q: client gets\n%s\nwant\n%s", lineEnd, got, without.String())
			}
			if !strings.HasPrefix(string(withheld), ": comment"+lineEnd+lineEnd) && !strings.Contains(string(withheld[:60]), "id: 7") {
				t.Errorf("withheld from %q", withheld[:60])
			}
			if bytes.Contains(passed, []byte(`"stop"`)) || bytes.Contains(passed, []byte("[DONE]")) {
				t.Errorf("line end %q: the end was passed", lineEnd)
			}
			if report.Usage.InputTotal != 3 || report.Usage.OutputTotal != 2 || !report.Complete || report.Err != nil {
				t.Errorf("line end %q: %+v", lineEnd, report)
			}
		}
	}
}

// The recorded streams that have usage because it was asked for become what
// they would have been without.
func TestStripRecordedUsage(t *testing.T) {
	null := regexp.MustCompile(`,"usage":null`)
	chunk := regexp.MustCompile(`data: [^\n]*("choices": ?\[\][^\n]*"usage": ?\{|"usage": ?\{[^\n]*"choices": ?\[\])[^\n]*\n\n`)
	stripped := 0
	for _, r := range recordings(t) {
		options := r.options()
		if options.Format != OpenAIChat && options.Format != OpenAICompletions || options.Framing != SSE || !slices.Contains([]string{"openai", "azure-openai"}, r.Provider) {
			continue
		}
		options.StripUsage = true
		want := chunk.ReplaceAll(null.ReplaceAll(r.response, nil), nil)
		passed, withheld, report := run(options, r.response, whole)
		if got := append(passed, withheld...); !bytes.Equal(got, want) {
			t.Errorf("%s: client gets\n%s\nwant\n%s", r.name, got, want)
		}
		if !bytes.Equal(want, r.response) {
			stripped++
		}
		r.check(t, report)
	}
	if stripped < 3 {
		t.Errorf("only %d recordings had anything to strip", stripped)
	}
}

func TestStripPassesLargeEventsUnedited(t *testing.T) {
	large := `data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", 3*maxStripped) + `"}}],"usage":null}` + "\n\n"
	small := `data: {"choices":[],"a":1,"usage":null}` + "\n\n"
	for _, size := range []func() int{whole, func() int { return 4096 }} {
		passed, withheld, report := run(Options{Framing: SSE, StripUsage: true}, []byte(small+large+small), size)
		edited := strings.ReplaceAll(small, `,"usage":null`, "")
		if string(passed)+string(withheld) != edited+large+edited {
			t.Errorf("client gets %d bytes, want %d", len(passed)+len(withheld), 2*len(edited)+len(large))
		}
		if report.Output.Bytes != 3*maxStripped {
			t.Errorf("%d bytes of output", report.Output.Bytes)
		}
	}
}

// What is taken out of a piece that begins with an event is taken out in place.
func TestStripsInPlace(t *testing.T) {
	event := `data: {"choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}` + "\n\n"
	m := NewMeter(Options{Framing: SSE, StripUsage: true})
	piece := []byte(event + event + event[:20])
	pass := m.Feed(piece)
	want := strings.ReplaceAll(event, `,"usage":null`, "")
	if string(pass) != want+want || &pass[0] != &piece[0] {
		t.Errorf("%q", pass)
	}
	for i := range piece {
		piece[i] = '~'
	}
	if pass = m.Feed([]byte(event[20:] + event)); string(pass) != want+want {
		t.Errorf("%q follows", pass)
	}
}
