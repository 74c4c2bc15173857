package simulator

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
)

// Recording loads a recorded provider response, to be replayed byte for byte:
// NAME/response.txt are the bytes, NAME/case.json has status, content_type,
// content_encoding and headers, at its top level or inside "response".
//
//	response, err := simulator.Recording(os.DirFS("testdata/recordings"), "openai/chat-stream-gpt-4o")
func Recording(recordings fs.FS, name string) (Response, error) {
	body, err := fs.ReadFile(recordings, path.Join(name, "response.txt"))
	if err != nil {
		return Response{}, fmt.Errorf("recording %s: %w", name, err)
	}
	text, err := fs.ReadFile(recordings, path.Join(name, "case.json"))
	if err != nil {
		return Response{}, fmt.Errorf("recording %s: %w", name, err)
	}
	type facts struct {
		Status          int
		ContentType     string `json:"content_type"`
		ContentEncoding string `json:"content_encoding"`
		Headers         map[string]string
	}
	var described struct {
		facts
		Response *facts
	}
	if err := json.Unmarshal(text, &described); err != nil {
		return Response{}, fmt.Errorf("recording %s: case.json: %w", name, err)
	}
	if described.Response != nil {
		described.facts = *described.Response
	}
	if described.Status < 200 {
		// Not recorded, or 101: the transcript of a WebSocket.
		return Response{}, fmt.Errorf("recording %s: status %d is no HTTP answer", name, described.Status)
	}
	response := Response{Status: described.Status, ContentType: described.ContentType, Body: body, Header: http.Header{}}
	for name, value := range described.Headers {
		response.Header.Set(name, value)
	}
	// Where the recorder unpacked the body, these headers no longer fit it.
	for _, stale := range []string{"Content-Length", "Transfer-Encoding", "Content-Encoding", "Connection"} {
		response.Header.Del(stale)
	}
	if described.ContentEncoding != "" {
		response.Header.Set("Content-Encoding", described.ContentEncoding)
	}
	return response, nil
}
