package main

import (
	"net/http"
	"time"
)

// workload is one kind of request.
type workload struct {
	name   string
	speech *speech
	model  string
	// prompt is JSON: a text or a list of parts.
	prompt string
	// events of the answer; 0 is a document. They come with pace between them.
	events int
	pace   time.Duration
	// clients call at once when there is no rate; the rate is per second.
	clients int
	rate    float64
	// leaveAfter is how many events a client reads before it leaves; 0 is all.
	leaveAfter int
}

func (w *workload) streams() bool { return w.events > 0 }

// request is what the client of a gateway sends. The header is what an SDK sends.
func (w *workload) request(host, secret string) []byte {
	header := http.Header{
		"Accept":                      {"application/json"},
		"Accept-Encoding":             {"gzip, deflate"},
		"Content-Type":                {"application/json"},
		"User-Agent":                  {"OpenAI/Python 2.8.1"},
		"X-Stainless-Lang":            {"python"},
		"X-Stainless-Package-Version": {"2.8.1"},
		"X-Stainless-Os":              {"Linux"},
		"X-Stainless-Arch":            {"x64"},
		"X-Stainless-Runtime":         {"CPython"},
		"X-Stainless-Runtime-Version": {"3.13.1"},
		"X-Stainless-Async":           {"false"},
		"X-Stainless-Retry-Count":     {"0"},
		"X-Stainless-Read-Timeout":    {"600"},
	}
	switch w.speech.name {
	case "anthropic":
		header.Set("X-Api-Key", secret)
		header.Set("Anthropic-Version", "2023-06-01")
	case "google":
		header.Set("X-Goog-Api-Key", secret)
	default:
		header.Set("Authorization", "Bearer "+secret)
	}
	return rawRequest(w.speech.path(w.model, w.streams()), host, header, []byte(w.speech.body(w.model, w.prompt, w.streams())))
}

// whole tells whether an answer is the one expected.
func (w *workload) whole(r *response) bool {
	switch {
	case r.status != http.StatusOK:
		return false
	case w.leaveAfter > 0:
		return r.events >= w.leaveAfter
	case w.streams():
		return r.bytes > int64(w.events*40) && r.ends(w.speech.terminal)
	}
	return r.bytes > 500
}

func workloadOf(name, dialect, kind string, prompt string, events int, pace time.Duration, clients int, rate float64) *workload {
	return &workload{
		name: name, speech: speeches[dialect], model: modelPrefix + dialect + "-" + kind, prompt: prompt,
		events: events, pace: pace, clients: clients, rate: rate,
	}
}

// workloads are all that there are, in the order of the table.
func workloads() []*workload {
	small, streaming := prose(700), prose(700)
	list := []*workload{
		workloadOf("small JSON", "openai", "json", small, 0, 0, 64, 5000),
		workloadOf("small JSON, anthropic", "anthropic", "json", small, 0, 0, 64, 5000),
		workloadOf("small JSON, google", "google", "json", small, 0, 0, 64, 5000),
		workloadOf("200 KB prompt", "openai", "json", prose(200<<10), 0, 0, 16, 1500),
		workloadOf("2 MB prompt with an image", "openai", "json", picture(2<<20), 0, 0, 4, 100),
		workloadOf("100-event stream", "openai", "stream", streaming, 100, 0, 32, 1500),
		workloadOf("100-event stream, anthropic", "anthropic", "stream", streaming, 100, 0, 32, 1500),
		workloadOf("100-event stream, google", "google", "stream", streaming, 100, 0, 32, 1500),
		workloadOf("500 streams at 20 ms", "openai", "paced", streaming, 100, 20*time.Millisecond, 500, 0),
		workloadOf("5,000 streams at 20 ms", "openai", "paced", streaming, 100, 20*time.Millisecond, 5000, 0),
	}
	storm := workloadOf("disconnect storm", "openai", "paced", streaming, 100, 20*time.Millisecond, 200, 0)
	storm.leaveAfter = 2
	return append(list, storm)
}
