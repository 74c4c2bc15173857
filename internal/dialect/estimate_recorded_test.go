package dialect

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/tokens"
	"github.com/faregate/faregate/metering/usage"
)

var update = flag.Bool("update", false, "write metering/tokens/testdata/recorded.csv anew from the recordings")

// recordedCounts are numbers out of the recordings, by which metering/tokens shows how
// well it counts: what texts are made of and what providers reported for them.
const recordedCounts = "../../metering/tokens/testdata/recorded.csv"

var recordedCountsHeader = []string{"direction", "model", "tools_at_provider", "bytes", "letters", "digits", "signs", "spaces", "breaks", "alphabets",
	"ideographs", "others", "calls", "messages", "tools", "tokenizer", "reported", "case"}

// The table is what the recordings say, where they are there.
func TestTheTableOfRecordedCountsIsTrue(t *testing.T) {
	table := [][]string{recordedCountsHeader}
	for _, one := range recordings(t) {
		table = append(table, one.counts(t)...)
	}
	var made bytes.Buffer
	if err := csv.NewWriter(&made).WriteAll(table); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(recordedCounts, made.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(recordedCounts)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, made.Bytes()) {
		t.Errorf("%s is not what the recordings say: run this test with -update", filepath.Base(recordedCounts))
	}
}

// recordedExpectation is what a recording is known to have consumed.
type recordedExpectation struct {
	Request struct {
		Body json.RawMessage `json:"body"`
	} `json:"request"`
	Response struct {
		Encoding string `json:"content_encoding"`
	} `json:"response"`
	Expected struct {
		Usage      map[string]int64 `json:"usage"`
		Model      string           `json:"response_model"`
		Counted    int64            `json:"count_tokens"`
		Tools      map[string]int64 `json:"tools"`
		Iterations []any            `json:"iterations"`
		Error      any              `json:"error"`
	} `json:"expected"`
}

var countedOperations = map[string]Operation{
	"openai_chat": chatCompletions, "openai_completions": completions, "openai_responses": responses, "openai_embeddings": embeddings,
	"anthropic_messages": messages, "gemini_generate": generateContent, "gemini_embed": embedContent,
	"openai_input_tokens": countResponses, "anthropic_count_tokens": countMessages,
}

// counts are the rows of a recording: its prompt and its answer, as far as their tokens
// are those of text that can be seen.
func (r *recorded) counts(t *testing.T) (rows [][]string) {
	operation, ok := countedOperations[r.Dialect]
	var e recordedExpectation
	if err := json.Unmarshal(r.facts, &e); err != nil {
		t.Fatal(err)
	}
	u := e.Expected.Usage
	if !ok || e.Expected.Error != nil || len(e.Expected.Iterations) > 0 || strings.Contains(r.name, "redacted-thinking") || e.Response.Encoding != "" ||
		u["output_audio"]+u["output_image"] > 0 {
		return nil
	}
	model := e.Expected.Model
	if tokens.For(model) == (tokens.Estimator{}) {
		model = r.Request.Model
	}
	elsewhere := len(e.Expected.Tools) > 0 || u["tool_use_prompt"] > 0 || strings.Contains(r.name, "server-tools") || strings.Contains(model, "compound") ||
		bytes.Contains(e.Request.Body, []byte("google_search")) || bytes.Contains(e.Request.Body, []byte("web_search"))
	row := func(direction string, p *tokens.Prompt, reported int64) {
		tokenizer := int64(-1)
		if estimator := tokens.For(model); estimator.HasTokenizer() && len(p.Sample) > 0 {
			tokenizer = estimator.Count(p.Sample, &p.Text)
		}
		var text []string
		for _, n := range []int64{p.Text.Bytes, p.Text.Letters, p.Text.Digits, p.Text.Signs, p.Text.Spaces, p.Text.Breaks, p.Text.Alphabets,
			p.Text.Ideographs, p.Text.Others, p.Text.Calls, p.Messages, p.Tools, tokenizer, reported} {
			text = append(text, strconv.FormatInt(n, 10))
		}
		rows = append(rows, append(append([]string{direction, model, strconv.FormatBool(elsewhere)}, text...), r.Provider+"/"+r.name))
	}
	media := u["input_audio"] + u["input_image"] + u["input_video"] + u["input_document"]
	if reported := max(u["input_total"], e.Expected.Counted); reported > 0 && media == 0 && len(e.Request.Body) > 4 {
		if p, elsewhere := promptOf(t, operation, tokens.For(model), e.Request.Body); elsewhere == 0 && p.Text.Bytes > 0 {
			row("input", p, reported)
		}
	}
	if sample, text, visible := r.output(operation, model); text.Bytes > 0 && u["output_total"] > u["reasoning"] {
		reported := u["output_total"]
		switch tokens.For(model).Family() {
		case "o200k", "claude", "claude 4.7", "gemini", "grok": // what is seen of their reasoning is a summary, if anything
			if reported -= u["reasoning"]; visible {
				return rows
			}
		}
		row("output", &tokens.Prompt{Text: text, Sample: sample}, reported)
	}
	return rows
}

// promptOf reads a prompt as EstimateInput does. elsewhere counts what is not in its text.
func promptOf(t *testing.T, operation Operation, estimator tokens.Estimator, body []byte) (prompt *tokens.Prompt, elsewhere int) {
	r := &Request{Operation: operation, body: body}
	r.noOutput = operation.read == readsEmbeddings || operation.read == readsEmbedContent
	p, _ := r.prompt(estimator)
	if p == nil {
		t.Fatalf("%.80s", body)
	}
	// Media, and what was said before.
	for _, word := range strings.Fields(`image inlineData fileData "document" "file input_audio cachedContent previous_response_id "conversation"`) {
		elsewhere += bytes.Count(body, []byte(word))
	}
	return p, elsewhere
}

func (r *recorded) output(operation Operation, model string) (sample []byte, text tokens.Text, visible bool) {
	options := usage.Options{Format: operation.Format, Estimator: tokens.For(model)}
	if r.Response.Streamed && !bytes.HasPrefix(r.answer, []byte("[")) {
		options.Framing = usage.SSE
	}
	m := usage.NewMeter(options)
	m.Feed(r.answer)
	m.Finish()
	report := m.Report()
	return m.Sample(), report.Output, report.VisibleReasoning
}
