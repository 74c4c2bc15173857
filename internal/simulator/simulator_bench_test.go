package simulator_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// BenchmarkStream is the floor below a gateway's benchmark: client and provider
// in one process, over a real socket, without anything between.
func BenchmarkStream(b *testing.B) {
	native := simulator.New(simulator.Options{})
	sample := httptest.NewRecorder()
	native.ServeHTTP(sample, httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(chatStreamRequest)))
	body := sample.Body.Bytes()
	for name, response := range map[string]simulator.Response{
		"native":          {},
		"replayed whole":  {Body: body},
		"replayed by 256": {Body: body, Chunks: simulator.Every(256)},
	} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(simulator.New(simulator.Options{
				Script: simulator.Script{{Times: simulator.Always, Response: response}},
			}))
			defer server.Close()
			client := server.Client()
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				answer, err := client.Post(server.URL+"/v1/chat/completions", "application/json", strings.NewReader(chatStreamRequest))
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK || n < 1000 {
					b.Fatal(n, err)
				}
				answer.Body.Close()
			}
		})
	}
}
