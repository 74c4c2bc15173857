package simulator_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/faregate/faregate/internal/simulator"
)

// recorded has what breaks careless replaying: CRLF, characters of several
// bytes, a byte order mark, bytes that are no UTF-8, and no line end at its end.
var recorded = []byte("\ufeffdata: {\"text\":\"Grüße 🎫\"}\r\n\r\n: comment\n\ndata: \x00\xff\xfe\r\rdata: end")

func TestReplayIsByteExactInAnyChunking(t *testing.T) {
	chunkings := map[string]simulator.Chunking{
		"whole":      nil,
		"every byte": simulator.Every(1),
		"every 7":    simulator.Every(7),
		"every 0":    simulator.Every(0),
		"sizes":      simulator.Sizes(1, 0, 2, 30, 500),
		"offsets":    simulator.Offsets(40, 3, 3, -1, 0, 9999),
		"random":     simulator.Random(42, 5),
		"random 0":   simulator.Random(42, 0),
	}
	overBoth(t, func(t *testing.T, http2 bool) {
		provider, client, url := connect(t, simulator.Options{}, http2)
		for name, chunking := range chunkings {
			provider.Add(simulator.Step{Response: simulator.Response{
				Status: 203, Body: recorded, ContentType: "text/event-stream", Chunks: chunking,
			}})
			response, body := mustPost(t, client, url+"/v1/chat/completions", chatRequest)
			if response.StatusCode != 203 || response.Header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("%s: status %d, content type %q", name, response.StatusCode, response.Header.Get("Content-Type"))
			}
			if !bytes.Equal(body, recorded) {
				t.Errorf("%s: body %q, want %q", name, body, recorded)
			}
		}
	})
}

func TestChunksAreFlushedOneByOne(t *testing.T) {
	overBoth(t, func(t *testing.T, http2 bool) {
		var gates []*simulator.Gate
		var pauses []simulator.Pause
		for at := range 10 {
			gates = append(gates, simulator.NewGate())
			pauses = append(pauses, simulator.Pause{At: int64(at * 4), Gate: gates[at]})
		}
		provider, client, url := connect(t, simulator.Options{}, http2)
		provider.Add(simulator.Step{Response: simulator.Response{Status: 200, Body: recorded[:40], Pauses: pauses}})
		response, err := client.Do(request(t, "POST", url+"/v1/messages", "{}"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		for i, gate := range gates {
			<-gate.Reached()
			gate.Open()
			piece := make([]byte, 4) // readable although the next gate is closed
			if _, err := io.ReadFull(response.Body, piece); err != nil {
				t.Fatalf("piece %d: %v", i, err)
			}
			if !bytes.Equal(piece, recorded[i*4:i*4+4]) {
				t.Fatalf("piece %d: %q", i, piece)
			}
		}
	})
}

func TestRandomChunkingFollowsItsSeed(t *testing.T) {
	cuts := fmt.Sprint(simulator.Random(7, 9)(400))
	if again := fmt.Sprint(simulator.Random(7, 9)(400)); again != cuts {
		t.Errorf("the same seed cut differently:\n%s\n%s", cuts, again)
	}
	if other := fmt.Sprint(simulator.Random(8, 9)(400)); other == cuts {
		t.Errorf("another seed cut the same: %s", cuts)
	}
}

func TestRecordingReadsBothLayouts(t *testing.T) {
	packed := gzipped(t, recorded)
	recordings := fstest.MapFS{
		"flat/a/response.txt": {Data: recorded},
		"flat/a/case.json": {Data: []byte(`{"status":429,"content_type":"application/json",
			"headers":{"retry-after":"3","content-encoding":"br","content-length":"9"}}`)},
		"nested/b/response.txt": {Data: packed},
		"nested/b/case.json": {Data: []byte(`{"id":"b","response":{"status":200,
			"content_type":"text/event-stream; charset=utf-8","content_encoding":"gzip","headers":{}}}`)},
		"no/status/response.txt": {Data: recorded},
		"no/status/case.json":    {Data: []byte(`{"response":{"status":null}}`)},
		"no/json/response.txt":   {Data: recorded},
		"no/json/case.json":      {Data: []byte(`{`)},
	}
	provider, client, url := connect(t, simulator.Options{}, false)

	replay := func(name string) (*http.Response, []byte) {
		recording, err := simulator.Recording(recordings, name)
		if err != nil {
			t.Fatal(err)
		}
		provider.Add(simulator.Step{Response: recording})
		return mustPost(t, client, url+"/v1/chat/completions", chatRequest)
	}
	response, body := replay("flat/a")
	if response.StatusCode != 429 || response.Header.Get("Retry-After") != "3" || response.Header.Get("Content-Encoding") != "" || !bytes.Equal(body, recorded) {
		t.Errorf("flat layout: %d %v %q", response.StatusCode, response.Header, body)
	}
	response, body = replay("nested/b")
	if response.StatusCode != 200 || response.Header.Get("Content-Encoding") != "gzip" || !bytes.Equal(body, packed) {
		t.Errorf("nested layout: %d %v %d bytes, want the %d packed ones", response.StatusCode, response.Header, len(body), len(packed))
	}
	for _, name := range []string{"no/status", "no/json", "no/such"} {
		if _, err := simulator.Recording(recordings, name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestSharedRecordings replays the whole collection where it is at hand.
func TestSharedRecordings(t *testing.T) {
	root := "../../../shared/fixtures"
	if _, err := os.Stat(root); err != nil {
		t.Skip("the shared collection of recordings is not here")
	}
	recordings := os.DirFS(root)
	cases, err := fs.Glob(recordings, "*/*/case.json")
	if err != nil {
		t.Fatal(err)
	}
	provider, client, url := connect(t, simulator.Options{}, false)
	replayed := 0
	for i, name := range cases {
		name = path.Dir(name)
		recording, err := simulator.Recording(recordings, name)
		if err != nil {
			continue // transcripts of WebSockets, and a few without a status
		}
		recording.Chunks = simulator.Random(uint64(i), 2000)
		provider.Add(simulator.Step{Response: recording})
		response, body := mustPost(t, client, url+"/any", "{}")
		if response.StatusCode != recording.Status || !bytes.Equal(body, recording.Body) {
			t.Errorf("%s: status %d, %d of %d bytes", name, response.StatusCode, len(body), len(recording.Body))
		}
		replayed++
	}
	if replayed < 400 {
		t.Errorf("only %d of %d recordings could be replayed", replayed, len(cases))
	}
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	if _, err := packer.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := packer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}
