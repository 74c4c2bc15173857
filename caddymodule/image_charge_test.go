package caddymodule

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

const (
	imageRequest = `{"model":"gpt-image-1","prompt":"a cat","quality":"high","size":"1024x1024","stream":true,"partial_images":1}`
	imagePreview = "data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"AAAA\",\"partial_image_index\":0}\n\n"
	imageMade    = "data: {\"type\":\"image_generation.completed\",\"b64_json\":\"AAAAAAAA\"USAGE}\n\n"
	imageUsage   = `,"usage":{"input_tokens":10,"output_tokens":4260,"total_tokens":4270}`
)

// Who leaves with the last preview, which is nearly the image, pays for the image: nothing
// before the end of the stream says how many tokens that is.
func TestAnImageIsPaidForByWhoLeavesWithItsPreview(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{
		ContentType: "text/event-stream", Body: []byte(imagePreview + strings.Replace(imageMade, "USAGE", imageUsage, 1)),
		Pauses: []simulator.Pause{{At: int64(len(imagePreview)), Gate: gate}},
	}})
	call := g.startCall("/v1/images/generations", imageRequest, bearer(g.secret))
	call.readTo("AAAA")
	call.leave()
	untilDraining(t, 1)
	gate.Open()
	if record := g.records(1)[0]; record.Basis != metering.BasisMeasured || record.Cost.String() != "0.17045" { // 10 at 5, 4,260 at 40
		t.Errorf("%s for %+v, %s", record.Cost, record.Usage, record.Basis)
	}
}

// An image without a usage is charged by our own count, if it is not priced by the piece.
func TestAnImageWithoutAUsageIsCounted(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: `
		model drawer {
			to openai/homemade
			price input 0 output 0 {
				unit images 0.04
			}
		}`})
	made := `{"created":1,"data":[{"b64_json":"AAAAAAAA"},{"b64_json":"AAAAAAAA"}]}`
	for i, row := range []struct {
		request, contentType, answer string
		least, most                  metering.Nanos
	}{
		{strings.Replace(imageRequest, `,"stream":true`, `,"n":2`, 1), "application/json", made, 332_800_000, 332_900_000},
		{imageRequest, "text/event-stream", imagePreview + strings.Replace(imageMade, "USAGE", "", 1), 166_400_000, 166_500_000},
		{`{"model":"drawer","prompt":"a cat","n":2}`, "application/json", made, 80_000_000, 80_000_000},
	} {
		g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: row.contentType, Body: []byte(row.answer)}})
		g.callWith("/v1/images/generations", row.request, bearer(g.secret))
		record := g.records(i + 1)[i]
		if record.Basis != metering.BasisEstimated || record.Cost < row.least || record.Cost > row.most {
			t.Errorf("%s: %s for %+v, %s", row.request, record.Cost, record.Usage, record.Basis)
		}
	}
}
