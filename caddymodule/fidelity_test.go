package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// plainModels are called by the names that their providers know, so that nothing of a
// request has to be edited.
const plainModels = `
	model plain {
		to openai
		price input 1 output 1 {
			unit images 0.001
			unit characters 0.000001
			unit milliseconds 0.000001
		}
		context_length 1000
		output_limit 1000
	}
	model plain-messages {
		to anthropic
		price input 1 output 1
		context_length 1000
		output_limit 1000
	}
	model plain-gemini {
		to google
		price input 1 output 1
		context_length 1000
		output_limit 1000
	}`

// plainCall is how answers of a wire format are asked for, so that nothing is injected.
// In a streamed one STREAM is replaced.
type plainCall struct {
	path, body string
	header     func(string) http.Header
}

var plainCalls = map[string]plainCall{
	"openai_chat":            {"/v1/chat/completions", "{ \"model\" : \"plain\",\r\n\t\"temperature\":1.0e0, \"top_p\":0.10 ,\"messages\":[{\"content\":\"\\u0068\\/i \\ud83d\\ude00 é\",\"role\":\"user\"}],\"max_tokens\" :  100STREAM}\n", bearer},
	"openai_completions":     {"/v1/completions", "{\"prompt\":[\"hi\"],\n \"model\":\"plain\", \"max_tokens\":100, \"temperature\":1E-1, \"seed\":-0STREAM }", bearer},
	"openai_responses":       {"/v1/responses", "{\"store\" :false, \"model\":\"plain\",\"input\" :\"h\\u0069\\n\", \"max_output_tokens\":100,\"unknown\":{\"a\":[1.50,-0.0]}STREAM}", bearer},
	"openai_embeddings":      {"/v1/embeddings", "{\"model\":\"plain\", \"input\":[[1,2,  3]]}", bearer},
	"openai_images":          {"/v1/images/generations", "{\"model\":\"plain\", \"prompt\":\"a \\u0063at\",\"n\":1}", bearer},
	"openai_speech":          {"/v1/audio/speech", "{\"model\":\"plain\", \"input\":\"h\\u0069\", \"voice\":\"alloy\"SPEECH}", bearer},
	"openai_moderations":     {"/v1/moderations", "{\"model\":\"plain\", \"input\":\"h\\u0069\"}", bearer},
	"openai_input_tokens":    {"/v1/responses/input_tokens", "{\"model\":\"plain\", \"input\":\"h\\u0069\"}", bearer},
	"openai_transcription":   {"/v1/audio/transcriptions", "", bearer},
	"anthropic_messages":     {"/v1/messages", "{\"model\":\"plain-messages\" , \"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":\"\\u0068i\"}],\"temperature\":1.0STREAM}", xAPIKey},
	"anthropic_count_tokens": {"/v1/messages/count_tokens", "{\"model\":\"plain-messages\" , \"messages\":[{\"role\":\"user\",\"content\":\"\\u0068i\"}]}", xAPIKey},
	"gemini_generate":        {"/v1beta/models/plain-gemini:generateContent", "{ \"contents\":[{\"parts\":[{\"text\":\"\\u0068i\"}]}],\"generation_config\":{\"maxOutputTokens\":100, \"temperature\":1e-1}}", googleKey},
	"gemini_count_tokens":    {"/v1beta/models/plain-gemini:countTokens", "{ \"contents\":[{\"parts\":[{\"text\":\"\\u0068i\"}]}]}", googleKey},
	"gemini_embed":           {"/v1beta/models/plain-gemini:embedContent", "{ \"content\":{\"parts\":[{\"text\":\"\\u0068i\"}]}}", googleKey},
}

func (c plainCall) of(kind, contentType string, streamed bool) plainCall {
	events := strings.HasPrefix(contentType, "text/event-stream")
	stream := ""
	switch {
	case !streamed:
	case kind == "openai_chat", kind == "openai_completions":
		stream = `, "stream_options":{ "include_usage":true }, "stream":true`
	case kind == "gemini_generate" && events:
		c.path = strings.Replace(c.path, ":generateContent", ":streamGenerateContent?alt=sse", 1)
	case kind == "gemini_generate":
		c.path = strings.Replace(c.path, ":generateContent", ":streamGenerateContent", 1)
	default:
		stream = `, "stream":true`
	}
	c.body = strings.Replace(c.body, "STREAM", stream, 1)
	speech := ""
	if events {
		speech = `, "stream_format":"sse"`
	}
	c.body = strings.Replace(c.body, "SPEECH", speech, 1)
	if kind == "openai_transcription" {
		var form bytes.Buffer
		writer := multipart.NewWriter(&form)
		_ = writer.SetBoundary("an-odd-boundary")
		_ = writer.WriteField("model", "plain")
		if events {
			_ = writer.WriteField("stream", "true")
		}
		file, _ := writer.CreateFormFile("file", "a.mp3")
		_, _ = file.Write([]byte{0xff, 0xfb, 0, 1, 2, '\r', '\n', '-', '-'})
		_ = writer.Close()
		c.body = form.String()
	}
	return c
}

// passes sends a request, and checks that provider and client see each other's bytes.
func (c plainCall) passes(t *testing.T, g *gateway, response simulator.Response) *metering.Record {
	t.Helper()
	g.provider.Add(simulator.Step{Response: response})
	header := c.header(g.secret)
	header.Set("Content-Type", "application/json")
	if strings.Contains(c.body, "an-odd-boundary") {
		header.Set("Content-Type", "multipart/form-data; boundary=an-odd-boundary")
	}
	got := g.callWith(c.path, c.body, header)
	if got.status != http.StatusOK || got.err != nil || got.header.Get("Content-Type") != response.ContentType {
		t.Fatalf("%d %s %v %.300s", got.status, got.header.Get("Content-Type"), got.err, got.body)
	}
	if !bytes.Equal(got.body, response.Body) {
		at := 0
		for at < min(len(got.body), len(response.Body)) && got.body[at] == response.Body[at] {
			at++
		}
		t.Errorf("%d bytes became %d; from byte %d on %.80q became %.80q", len(response.Body), len(got.body), at, response.Body[at:], got.body[at:])
	}
	requests := g.provider.Requests()
	if sent := requests[len(requests)-1]; string(sent.Body) != c.body || sent.Header.Get("Content-Type") != header.Get("Content-Type") {
		t.Errorf("the request %q reached the provider as %q", c.body, sent.Body)
	}
	return g.recordOf(got.header.Get("Faregate-Request-Id"))
}

// unendingRecording does not come to its end, as its last event lacks a brace.
const unendingRecording = "openai/responses-stream-usage-absent-nomodel"

func (g *gateway) recordOf(id string) *metering.Record {
	g.t.Helper()
	record, err := g.store.Record(testContext(g.t), id)
	if err != nil {
		g.t.Fatal(err)
	}
	return record
}

// Every recorded answer of an operation that is served comes through as it is, and so
// do requests with numbers, escapes and white space that nobody would write.
func TestRecordedBytesPassUnchanged(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "1000", extra: plainModels})
	n, kinds := 0, map[string]int{}
	for _, root := range []string{"../metering/usage/testdata/recordings", "../../shared/fixtures"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == root && strings.HasPrefix(root, "../..") {
				return fs.SkipAll
			}
			if err != nil || entry.Name() != "case.json" {
				return err
			}
			var described struct {
				Dialect  string
				Response struct {
					Status   int
					Streamed bool
					Type     string `json:"content_type"`
					Encoding string `json:"content_encoding"`
				}
				Expected struct{ Error any }
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := json.Unmarshal(text, &described); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			call, served := plainCalls[described.Dialect]
			// Errors have tests of their own, and what is compressed is unpacked.
			if !served || described.Response.Status != 200 || described.Expected.Error != nil || described.Response.Encoding != "" {
				return nil
			}
			body, err := os.ReadFile(filepath.Join(filepath.Dir(path), "response.txt"))
			if err != nil {
				return err
			}
			streamed := described.Response.Streamed
			contentType := described.Response.Type
			if streamed && bytes.HasPrefix(bytes.TrimSpace(body), []byte("data:")) {
				contentType = "text/event-stream" // a recorder's mistake
			}
			if strings.Contains(string(body[:min(len(body), 400)]), `"requests"`) && described.Dialect == "gemini_embed" {
				return nil
			}
			name, _ := filepath.Rel(root, filepath.Dir(path))
			if name == unendingRecording {
				return nil
			}
			n++
			kinds[described.Dialect]++
			t.Run(name, func(t *testing.T) {
				response := simulator.Response{Status: 200, ContentType: contentType, Body: body, Chunks: simulator.Random(uint64(n), 400)}
				call.of(described.Dialect, contentType, streamed).passes(t, g, response)
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for kind := range plainCalls {
		if kinds[kind] == 0 {
			t.Errorf("no recorded answer of %s", kind)
		}
	}
	g.verify()
}

// Streams are framed in all ways that the specification of server-sent events allows:
// each comes through as it is, however it is cut, and is measured.
func TestOddFramingPassesUnchanged(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "1000", extra: plainModels})
	chat := plainCalls["openai_chat"].of("openai_chat", ruledEvent, true)
	responses := plainCalls["openai_responses"].of("openai_responses", ruledEvent, true)
	messages := plainCalls["anthropic_messages"].of("anthropic_messages", ruledEvent, true)
	gemini := plainCalls["gemini_generate"].of("gemini_generate", ruledEvent, true)
	for _, dialect := range []struct {
		call   plainCall
		stream string
	}{
		{chat, ruledDialects[1].answer("some words", chatUsage(11, 5))},
		{responses, ruledDialects[3].answer("some words", responsesUsage(11, 5))},
		{messages, ruledDialects[5].answer("some words", messagesUsage(11, 5))},
		{gemini, ruledDialects[7].answer("some words", geminiUsage(11, 5))},
	} {
		plain := dialect.stream
		for name, stream := range map[string]string{
			"plain":                   plain,
			"CRLF":                    strings.ReplaceAll(plain, "\n", "\r\n"),
			"CR":                      strings.ReplaceAll(plain, "\n", "\r"),
			"mixed line ends":         strings.ReplaceAll(plain, "\n\n", "\r\n\n"),
			"a byte order mark":       "\ufeff" + plain,
			"comments":                ": processing\n\n" + strings.ReplaceAll(plain, "data: ", ":\n: keep-alive\ndata: "),
			"no blank after colons":   strings.ReplaceAll(plain, "data: ", "data:"),
			"other fields":            strings.ReplaceAll(plain, "data: ", "id: 7\nretry: 3000\nevent: message\nnobody: knows\nevent\ndata: "),
			"data in several lines":   strings.ReplaceAll(plain, `,"`, ",\ndata: \""),
			"many blank lines":        "\n\n" + strings.TrimRight(strings.ReplaceAll(plain, "\n\n", "\n\n\n\n\n"), "\n") + "\n\n", // after the end nothing is passed on
			"white space in the JSON": strings.ReplaceAll(strings.ReplaceAll(plain, `":`, `" : `), `{`, "{ \t"),
			"escapes":                 strings.ReplaceAll(plain, "some words", `\u0073ome\/ words \ud83d\ude00 \u00e9é`),
			"a long event":            strings.ReplaceAll(plain, "some words", strings.Repeat("long ", 50_000)),
		} {
			for cuts, chunks := range map[string]simulator.Chunking{"whole": nil, "by bytes": simulator.Every(1), "by chance": simulator.Random(5, 30)} {
				if len(stream) > 100_000 && cuts != "whole" {
					continue
				}
				t.Run(dialect.call.path+" "+name+" "+cuts, func(t *testing.T) {
					record := dialect.call.passes(t, g, simulator.Response{Status: 200, ContentType: ruledEvent, Body: []byte(stream), Chunks: chunks})
					if record.Basis != metering.BasisMeasured || record.Usage.InputTotal != 11 || record.Usage.OutputTotal != 5 || record.Status != metering.StatusOK {
						t.Errorf("%s, %s, %+v", record.Basis, record.Status, record.Usage)
					}
				})
			}
		}
	}
}

// Where something has to be edited, nothing else is: a name that the provider calls
// otherwise, a cap that the credit does not cover, usage that was not asked for.
func TestOnlyWhatIsEditedChanges(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.05", extra: everyModels})
	chat, messages, gemini := spoken["openai_chat"], spoken["anthropic_messages"], spoken["gemini_generate"]
	for name, row := range map[string]struct {
		path, sent, received string
		header               func(string) http.Header
	}{
		"the model": {chat.path,
			"\t{ \"model\" : \"own-ch\\u0061t\" ,\"messages\":[ {\"role\":\"user\",\"content\":\"\\u0068\\/i\"}],\"temperature\":1.00,\"max_tokens\": 100 }\r\n",
			"\t{ \"model\" : \"own\" ,\"messages\":[ {\"role\":\"user\",\"content\":\"\\u0068\\/i\"}],\"temperature\":1.00,\"max_tokens\": 100 }\r\n", chat.header},
		"the usage": {chat.path,
			`{"model":"own-chat","messages":[{"role":"user","content":"\u0068i"}],"stream" : true,"stream_options":{ "x":1.0 },"max_tokens":100}`,
			`{"model":"own","messages":[{"role":"user","content":"\u0068i"}],"stream" : true,"stream_options":{"include_usage":true, "x":1.0 },"max_tokens":100}`, chat.header},
		"the cap": {messages.path,
			`{ "max_tokens" :4000000, "model":"own-messages","messages":[{"role":"user","content":"\u0068i"}], "top_p" : 0.10}`,
			`{ "max_tokens" :CAP, "model":"own","messages":[{"role":"user","content":"\u0068i"}], "top_p" : 0.10}`, messages.header},
		"Gemini's cap": {"/v1beta/models/own-gemini:generateContent",
			`{"contents":[ {"parts":[{"text":"\u0068i"}]}] , "generation_config" : { "maxOutputTokens" : 4000000, "temperature":1e0 } }`,
			`{"contents":[ {"parts":[{"text":"\u0068i"}]}] , "generation_config" : { "maxOutputTokens" : CAP, "temperature":1e0 } }`, gemini.header},
	} {
		t.Run(name, func(t *testing.T) {
			got := g.callWith(row.path, row.sent, row.header(g.secret))
			want := strings.Replace(row.received, "CAP", got.header.Get("Faregate-Output-Cap"), 1)
			if got.status != http.StatusOK {
				t.Fatalf("%d %s", got.status, got.body)
			}
			requests := g.provider.Requests()
			if sent := string(requests[len(requests)-1].Body); sent != want {
				t.Errorf("the provider was sent %s\nwant %s", sent, want)
			}
		})
	}
}
