package dialect

import (
	"fmt"
	"strings"
	"testing"
)

// benchmarkBody is a conversation of about a size, with escapes as in code.
func benchmarkBody(size int) []byte {
	turn := `{"role":"user","content":"` + strings.Repeat(`if err != nil {\n\treturn fmt.Errorf(\"reading the answer of the provider took too long: %w\", err)\n}\n`, 8) + `"}`
	turns := strings.Repeat(turn+",", max(size/len(turn), 1)-1) + turn
	return []byte(`{"model":"gpt-5.6","stream":true,"max_completion_tokens":2048,"temperature":0.7,"messages":[` + turns + `],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`)
}

func BenchmarkParseRequest(b *testing.B) {
	for _, size := range []int{1 << 10, 200 << 10, 2 << 20} {
		body := benchmarkBody(size)
		image := []byte(`{"model":"gpt-5.6","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("iVBORw0K", size/8) + `"}}]}]}`)
		accents := []byte(`{"model":"gpt-5.6","messages":[{"role":"user","content":"` + strings.Repeat("höhere Gebühr für größere Mengen, ", size/40) + `"}]}`)
		prose := []byte(`{"model":"gpt-5.6","messages":[{"role":"user","content":"` + strings.Repeat(`The gate checks a ticket, takes the fare, and looks into nobody's luggage.\n\"Next, please\" – it says. `, size/98) + `"}]}`)
		for name, text := range map[string][]byte{"chat": body, "image": image, "accents": accents, "prose": prose} {
			b.Run(fmt.Sprintf("%s/%dKB", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := ParseRequest(chatCompletions, "", false, "", text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkBody(b *testing.B) {
	for _, size := range []int{1 << 10, 200 << 10} {
		request := mustParse(b, chatCompletions, string(benchmarkBody(size)))
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := request.Body(Edit{Model: "gpt-5.6-2026-09-01", IncludeUsage: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTakeCredential(b *testing.B) {
	r := request("/v1/chat/completions")
	value := []string{"Bearer " + secret}
	b.ReportAllocs()
	for b.Loop() {
		r.Header["Authorization"] = value
		if _, err := TakeCredential(r); err != nil {
			b.Fatal(err)
		}
	}
}
