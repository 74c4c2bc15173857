package caddymodule

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/tokens"
	"github.com/faregate/faregate/metering/usage"
)

var everyEvent = flag.Bool("every-event", false, "leave after every event of every recorded stream, not after a choice of them in ten of each dialect")

// leftStream is a recorded stream that clients leave.
type leftStream struct {
	name    string
	body    []byte
	framing usage.Framing
	kind    string
	// input and output are what the recording is known to have consumed in all.
	input, output int64
	ends          []int // of its events
}

// spoken is how streams of a dialect are asked for here, and what they are priced at.
var spoken = map[string]struct {
	path, request string
	header        func(string) http.Header
	format        usage.Format
	model         string
}{
	"openai_chat": {"/v1/chat/completions", `{"model":"own-chat","max_tokens":4000,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello"}]}`,
		bearer, usage.OpenAIChat, "own-chat"},
	"openai_responses": {"/v1/responses", `{"model":"own-chat","max_output_tokens":4000,"stream":true,"input":"hello"}`, bearer, usage.OpenAIResponses, "own-chat"},
	"anthropic_messages": {"/v1/messages", `{"model":"own-messages","max_tokens":4000,"stream":true,"messages":[{"role":"user","content":"hello"}]}`,
		xAPIKey, usage.AnthropicMessages, "own-messages"},
	"gemini_generate": {"/v1beta/models/own-gemini:streamGenerateContent", `{"contents":[{"parts":[{"text":"hello"}]}],"generationConfig":{"maxOutputTokens":4000}}`,
		googleKey, usage.GeminiGenerate, "own-gemini"},
}

// Nanodollars for a token of those models.
const everyInputPrice, everyOutputPrice = 3000, 7000

const everyModels = `
	drains 5
	model own-chat {
		to openai/own
		price input 3 output 7
		context_length 100000
	}
	model own-messages {
		to anthropic/own
		price input 3 output 7
		context_length 100000
	}
	model own-gemini {
		to google/own
		price input 3 output 7
		context_length 100000
	}`

// A client leaves recorded streams after their events. Cancelled, it costs what was
// reported by then, and what was not is counted; drained, what the whole answer costs.
func TestAClientLeavesRecordedStreamsAfterEachEvent(t *testing.T) {
	g := newGateway(t, gatewayOptions{credit: "1000", extra: everyModels})
	keys := map[auth.OnDisconnect]*leaverKey{auth.OnDisconnectCancel: nil, auth.OnDisconnectDrain: nil}
	for policy := range keys {
		id, secret := g.createKey(nil, time.Time{})
		if _, err := g.store.EditKey(testContext(t), id, func(key *store.LimitedKey) error { key.OnDisconnect = policy; return nil }); err != nil {
			t.Fatal(err)
		}
		keys[policy] = &leaverKey{id: id, secret: secret}
	}
	g.run()
	credit := g.balance()
	watch := watchProvider(t)
	count := map[string]int{}
	streams := leftStreams(t)
	for _, s := range streams {
		count[s.kind]++
		t.Run(s.name, func(t *testing.T) {
			for _, policy := range []auth.OnDisconnect{auth.OnDisconnectCancel, auth.OnDisconnectDrain} {
				for _, k := range s.indices() {
					leaver := &leaver{g: g, t: t, watch: watch, stream: s, policy: policy, key: keys[policy]}
					leaver.leaveAfter(k)
				}
			}
		})
	}
	for kind := range spoken {
		if count[kind] < 10 {
			t.Errorf("%d streams of %s, want 10", count[kind], kind)
		}
	}
	var records []*metering.Record
	for record, err := range g.store.Records(testContext(t), store.Filter{AccountID: g.account}) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	g.settledUp(credit, records)
	t.Logf("left %d times", len(records))
}

type leaverKey struct {
	id, secret string
	last       time.Time // its latest record began
	records    int       // that began then
}

// leaver leaves one stream.
type leaver struct {
	g      *gateway
	t      *testing.T
	watch  *providerWatch
	stream *leftStream
	policy auth.OnDisconnect
	key    *leaverKey
}

func (l *leaver) leaveAfter(k int) {
	s, how := l.stream, spoken[l.stream.kind]
	at := 0
	if k > 0 {
		at = s.ends[k-1]
	}
	name := fmt.Sprintf("%s after %d of %d events", l.policy, k, len(s.ends))
	gate := simulator.NewGate()
	contentType, path := "text/event-stream", how.path
	if s.framing == usage.JSON {
		contentType = "application/json"
	} else if how.format == usage.GeminiGenerate {
		path += "?alt=sse"
	}
	// With a stated length there are no chunks' heads among the bytes to be counted.
	l.g.provider.Add(simulator.Step{Response: simulator.Response{
		ContentType: contentType, Body: s.body, ContentLength: int64(len(s.body)), Pauses: []simulator.Pause{{At: int64(at), Gate: gate}},
	}})
	l.watch.begin()
	call := startCall(l.t, leavingClient, l.g.url+path, how.request, how.header(l.key.secret))
	call.at(gate)
	var record *metering.Record
	seen := func() bool {
		if record == nil {
			record = l.newRecord()
		}
		return record != nil
	}
	if at < len(s.body) {
		l.watch.until(l.t, at)
	} else {
		gate.Open()
		waitShortly(l.t, name, seen) // it has ended
	}
	call.leave()
	if l.policy == auth.OnDisconnectDrain {
		// Where the end was read already, there is nothing to drain.
		waitShortly(l.t, name, func() bool { return seen() || draining() == 1 })
		gate.Open()
	}
	waitShortly(l.t, name, seen)
	gate.Open()
	l.compare(name, record, at)
}

// newRecord is the latest of the key's, if there is one that was not seen.
func (l *leaver) newRecord() *metering.Record {
	n := 0
	var latest *metering.Record
	for record, err := range l.g.store.Records(testContext(l.t), store.Filter{KeyID: l.key.id, Since: l.key.last}) {
		if err != nil {
			l.t.Fatal(err)
		}
		n++
		latest = record
	}
	if n <= l.key.records {
		return nil
	}
	if l.key.records = 1; latest.StartedAt.Equal(l.key.last) {
		l.key.records = n
	}
	l.key.last = latest.StartedAt
	return latest
}

// compare checks a charge against the table of rules, read naively.
func (l *leaver) compare(name string, record *metering.Record, at int) {
	s := l.stream
	read := s.body[:at]
	if l.policy == auth.OnDisconnectDrain {
		read = s.body
	}
	told := s.naive(read)
	if l.policy == auth.OnDisconnectDrain && told.input+told.output != s.input+s.output {
		l.t.Fatalf("read naively, the recording says %+v; it is known to have consumed %d and %d", told, s.input, s.output)
	}
	basis, input, output := metering.BasisMeasured, told.input, told.output
	ownInput, ownOutput, ownText := s.ownCount(read)
	switch {
	case told.input+told.output == 0:
		basis, input, output = metering.BasisEstimated, ownInput, ownOutput
	// Counts of the output that come with it may lag behind, by half of it at most.
	case told.provisional && ownOutput > output, !told.ended && ownText > 2*output:
		basis, output = metering.BasisEstimated, ownOutput
	}
	cost := metering.Nanos(input*everyInputPrice + output*everyOutputPrice)
	if record.Basis != basis || record.Usage.InputTotal != input || record.Usage.OutputTotal != output || record.Cost != cost || record.Shortfall != 0 {
		l.t.Errorf("%s: %s, %d and %d tokens, %s; want %s, %d and %d, %s", name,
			record.Basis, record.Usage.InputTotal, record.Usage.OutputTotal, record.Cost, basis, input, output, cost)
	}
	if mayBeWhole := told.ended || at == len(s.body); record.Status != metering.StatusClientClosed && (record.Status != metering.StatusOK || !mayBeWhole) {
		l.t.Errorf("%s: status %s", name, record.Status)
	}
}

// indices are after how many events clients leave.
func (s *leftStream) indices() []int {
	n := len(s.ends)
	if *everyEvent {
		all := make([]int, n+1)
		for i := range all {
			all[i] = i
		}
		return all
	}
	few := []int{0, 1, n / 2, n - 2, n - 1, n}
	few = slices.DeleteFunc(few, func(i int) bool { return i < 0 })
	slices.Sort(few)
	return slices.Compact(few)
}

// toldSoFar is what a part of a stream tells of its usage.
type toldSoFar struct {
	input, output int64
	provisional   bool // the output is only reported with the end
	ended         bool
}

// naive reads a part of the stream in the plainest way.
func (s *leftStream) naive(read []byte) (told toldSoFar) {
	merged := map[string]int64{}
	for _, document := range s.documents(read) {
		number := func(of map[string]any, names ...string) (n int64) {
			for _, name := range names {
				if value, ok := of[name].(float64); ok {
					n += int64(value)
				}
			}
			return n
		}
		object := func(of map[string]any, name string) map[string]any {
			inner, _ := of[name].(map[string]any)
			return inner
		}
		switch s.kind {
		case "openai_chat":
			said := object(document, "usage")
			if said == nil {
				said = object(object(document, "x_groq"), "usage")
			}
			if number(said, "prompt_tokens", "completion_tokens") > 0 {
				told.input = number(said, "prompt_tokens")
				// Some leave reasoning out of the output, but not out of the total.
				told.output = max(number(said, "completion_tokens"), number(said, "total_tokens")-told.input)
				if _, vercel := said["market_cost"]; vercel { // and out of the total
					told.output += number(object(said, "completion_tokens_details"), "reasoning_tokens")
				}
			}
			choices, _ := document["choices"].([]any)
			for _, choice := range choices {
				if reason, _ := choice.(map[string]any)["finish_reason"].(string); reason != "" {
					told.ended = true
				}
			}
		case "openai_responses":
			kind, _ := document["type"].(string)
			told.ended = told.ended || kind == "response.completed" || kind == "response.incomplete" || kind == "response.failed"
			if said := object(object(document, "response"), "usage"); number(said, "input_tokens", "output_tokens") > 0 {
				told.input, told.output = number(said, "input_tokens"), number(said, "output_tokens")
			}
		case "anthropic_messages":
			for _, said := range []map[string]any{object(document, "usage"), object(object(document, "message"), "usage")} {
				for field := range said {
					if value, ok := said[field].(float64); ok {
						merged[field] = int64(value)
					}
				}
			}
			stop, _ := object(document, "delta")["stop_reason"].(string)
			told.ended = told.ended || stop != ""
			told.input = merged["input_tokens"] + merged["cache_read_input_tokens"] + merged["cache_creation_input_tokens"]
			told.output = merged["output_tokens"]
			told.provisional = !told.ended
		case "gemini_generate":
			if said := object(document, "usageMetadata"); number(said, "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount") > 0 {
				told.input = number(said, "promptTokenCount", "toolUsePromptTokenCount")
				told.output = number(said, "candidatesTokenCount", "thoughtsTokenCount")
			}
			candidates, _ := document["candidates"].([]any)
			for _, candidate := range candidates {
				if reason, _ := candidate.(map[string]any)["finishReason"].(string); reason != "" {
					told.ended = true
				}
			}
		}
	}
	return told
}

// documents are the JSON documents in a part of the stream.
func (s *leftStream) documents(read []byte) []map[string]any {
	var list []map[string]any
	if s.framing == usage.JSON {
		decoder := json.NewDecoder(bytes.NewReader(read))
		_, _ = decoder.Token() // [
		for decoder.More() {
			var document map[string]any
			if decoder.Decode(&document) != nil {
				break
			}
			list = append(list, document)
		}
		return list
	}
	for line := range bytes.Lines(read) {
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		var document map[string]any
		if ok && json.Unmarshal(data, &document) == nil {
			list = append(list, document)
		}
	}
	return list
}

// ownCount is our own count of the request and of a part of the stream: of the output
// with what is around it, and of its text alone.
func (s *leftStream) ownCount(read []byte) (input, output, text int64) {
	how := spoken[s.kind]
	called := tokens.For("own", how.model)
	meter := usage.NewMeter(usage.Options{Format: how.format, Framing: s.framing, Choices: 1, Estimator: called})
	meter.Feed(bytes.Clone(read))
	if len(read) == len(s.body) {
		meter.Finish()
	}
	estimator := tokens.For(meter.Report().Model, "own", how.model)
	path, _, _ := strings.Cut(how.path, "?")
	operation, model, stream, err := dialect.Match("POST", path, dialect.OpenAI)
	if err != nil {
		panic(err)
	}
	request, err := dialect.ParseRequest(operation, model, stream, "", []byte(how.request))
	if err != nil {
		panic(err)
	}
	report := meter.Report()
	return request.EstimateInput(estimator), meter.EstimateOutput(estimator), called.Count(nil, &report.Output)
}

// leftStreams are ten recorded streams of each dialect, or all of them.
func leftStreams(t *testing.T) []*leftStream {
	t.Helper()
	var list []*leftStream
	for _, root := range []string{"../metering/usage/testdata/recordings", "../../shared/fixtures"} {
		if strings.HasPrefix(root, "../..") && !*everyEvent {
			continue
		}
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == root {
				return fs.SkipAll
			}
			if err != nil || entry.Name() != "case.json" {
				return err
			}
			s, err := readLeftStream(root, path)
			if s != nil {
				list = append(list, s)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if *everyEvent {
		return list
	}
	// The longest come last: it is the variety of endings that counts.
	slices.SortStableFunc(list, func(a, b *leftStream) int { return cmp.Compare(len(a.ends), len(b.ends)) })
	count := map[string]int{}
	return slices.DeleteFunc(list, func(s *leftStream) bool {
		count[s.kind]++
		return count[s.kind] > 10
	})
}

// readLeftStream reads a recording, if it is a stream that comes to a good end.
func readLeftStream(root, path string) (*leftStream, error) {
	var described struct {
		Provider, Dialect string
		Response          struct {
			Status   int
			Streamed bool
			Type     string `json:"content_type"`
			Encoding string `json:"content_encoding"`
		}
		Expected struct {
			Usage      map[string]int64
			Error      any
			Iterations []any
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &described); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	_, served := spoken[described.Dialect]
	if !served || !described.Response.Streamed || described.Response.Status != 200 || described.Response.Encoding != "" || described.Expected.Error != nil {
		return nil, nil
	}
	// Passes beside the usage are priced by themselves, which other tests are about.
	if len(described.Expected.Iterations) > 0 {
		return nil, nil
	}
	s := &leftStream{kind: described.Dialect, framing: usage.SSE, input: described.Expected.Usage["input_total"], output: described.Expected.Usage["output_total"]}
	if s.name, _ = filepath.Rel(root, filepath.Dir(path)); s.name == unendingRecording {
		return nil, nil
	}
	if s.body, err = os.ReadFile(filepath.Join(filepath.Dir(path), "response.txt")); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(s.body, []byte("[")) {
		s.framing = usage.JSON
	}
	s.divide()
	return s, nil
}

// divide finds the ends of the events.
func (s *leftStream) divide() {
	if s.framing == usage.JSON {
		decoder := json.NewDecoder(bytes.NewReader(s.body))
		_, _ = decoder.Token()
		for decoder.More() {
			var element json.RawMessage
			if decoder.Decode(&element) != nil {
				break
			}
			s.ends = append(s.ends, int(decoder.InputOffset()))
		}
		if len(s.ends) > 0 {
			s.ends[len(s.ends)-1] = len(s.body)
		}
		return
	}
	at, line := 0, 0
	for text := range bytes.Lines(s.body) {
		at += len(text)
		if len(bytes.TrimSpace(text)) > 0 {
			line++
		} else if line > 0 {
			s.ends, line = append(s.ends, at), 0
		}
	}
	if line > 0 {
		s.ends = append(s.ends, at)
	}
}
