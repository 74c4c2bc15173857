package caddymodule

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// Speech that is coded in very few bytes is charged by what was heard in it, where the answer
// does not tell how long it is, and for no more than was held.
func TestTranscriptsTellHowLongTheirAudioIs(t *testing.T) {
	const size = 7_500 // 0.94 s at 64 kbit/s, 10 s at 6
	for name, test := range map[string]struct {
		said string
		want int64
	}{
		"a word":                    {"Hello.", 937},
		"a hundred letters":         {strings.Repeat("letters, ", 15), 4_200},
		"more than can be told":     {strings.Repeat("letters, ", 1000), 10_000},
		"a hundred in Chinese":      {strings.Repeat("检票，", 20), 4_400},
		"as subtitles, with times,": {strings.Repeat("1\n00:00:00,000 --> 00:00:01,000\nletters\n\n", 15), 4_200},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{})
			g.provider.Add(simulator.Step{Response: simulator.Response{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(test.said)}})
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			for name, value := range map[string]string{"model": "whisper-1", "response_format": "text"} {
				if err := form.WriteField(name, value); err != nil {
					t.Fatal(err)
				}
			}
			file, err := form.CreateFormFile("file", "speech.ogg")
			if err == nil {
				_, err = file.Write(bytes.Repeat([]byte{0xAA}, size))
			}
			if err == nil {
				err = form.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			header := bearer(g.secret)
			header.Set("Content-Type", form.FormDataContentType())
			if got := g.callWith("/v1/audio/transcriptions", body.String(), header); got.status != http.StatusOK || string(got.body) != test.said {
				t.Fatalf("%d %s", got.status, got.body)
			}
			record := g.records(1)[0]
			if got := record.Usage.Units.Milliseconds; got != test.want || record.Basis != metering.BasisEstimated || record.Shortfall != 0 {
				t.Errorf("%d ms charged (%s, shortfall %s), want %d", got, record.Basis, record.Shortfall, test.want)
			}
		})
	}
}
