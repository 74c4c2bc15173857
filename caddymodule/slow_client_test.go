package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// impatient makes Caddy wait for a client's next byte for a moment only: a minute is its
// default.
const impatient = "servers {\n\t\ttimeouts {\n\t\t\tread_body_idle 300ms\n\t\t\twrite_idle 1s\n\t\t}\n\t}"

// dial connects to the gateway, with as little room for what is not read as there can be.
func (g *gateway) dial() net.Conn {
	g.t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = connection.Close() })
	_ = connection.(*net.TCPConn).SetReadBuffer(4 << 10)
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	return connection
}

// A body that stops coming is answered in the dialect, and takes no memory any longer.
func TestBodiesThatStopComing(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: impatient})
	for _, d := range dialectCalls {
		for name, framing := range map[string]string{"a length": "Content-Length: 100000\r\n\r\n{", "chunks": "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"} {
			connection := g.dial()
			fill := strings.NewReplacer("%MODEL%", d.model)
			_, _ = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: %s\r\n", fill.Replace(d.path), strings.TrimPrefix(g.url, "http://"))
			_ = d.header(g.secret).Write(connection)
			_, _ = io.WriteString(connection, framing)
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", d.name, name, err)
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			got := reply{status: response.StatusCode, header: response.Header, body: body, err: err}
			if _, message := dialectError(t, d.name, got); got.status != http.StatusRequestTimeout || !strings.Contains(message, "too slowly, or stopped") {
				t.Errorf("%s, %s: %d %s", d.name, name, got.status, message)
			}
		}
	}
	waitFor(t, "the memory to be given back", func() bool { return bodiesMemory.used.Load() == 0 })
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
	for _, record := range g.records(6) {
		if record.Status != metering.StatusRejected || record.HTTPStatus != http.StatusRequestTimeout || record.Cost != 0 {
			t.Errorf("record %+v", record)
		}
	}
}

// A client that takes nothing of its answer has left: it is settled, and the provider's
// answer is not read for it any longer than for others that leave.
func TestClientsThatDoNotRead(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: impatient})
	credit, sent := g.balance(), 0
	// More than the buffers on the way can hold.
	long := strings.Repeat("The fare is two coins. ", 2_000)
	for _, c := range []struct {
		wire     wire
		response simulator.Response
	}{
		{chatStream, simulator.Response{ContentType: "text/event-stream", Body: []byte(strings.Repeat(`data: {"model":"gpt-4.1-mini","choices":[{"index":0,"delta":{"content":"`+long+`"}}]}`+"\n\n", 400))}},
		{chatJSON, simulator.Response{ContentType: "application/json", Body: []byte(`{"model":"gpt-4.1-mini","choices":[{"index":0,"message":{"content":"` + strings.Repeat(long, 400) +
			`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)}},
	} {
		w := c.wire
		g.provider.Add(simulator.Step{Response: c.response})
		connection := g.dial()
		_, _ = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
			w.path, strings.TrimPrefix(g.url, "http://"), g.secret, len(w.body), w.body)
		sent++
		g.records(sent) // though nothing is read
	}
	records := g.records(sent)
	for _, record := range records {
		if record.Status != metering.StatusClientClosed || record.HTTPStatus != http.StatusOK || record.Cost <= 0 {
			t.Errorf("record %+v", record)
		}
	}
	g.settledUp(credit, records)
}

// A client that reads slowly, and that the provider is slow for, gets its whole answer.
func TestClientsThatReadSlowlyGetAll(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: impatient})
	text := strings.Repeat("The fare is two coins. ", 1_000)
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{
		Answer: &simulator.Answer{Text: text}, Pauses: []simulator.Pause{{At: 20_000, Gate: gate}}, Chunks: simulator.Every(1000),
	}})
	slow := g.startCall(chatStream.path, chatStream.body, bearer(g.secret))
	slow.at(gate)
	slow.read(10)
	time.AfterFunc(time.Second, gate.Open) // longer than Caddy waits for a byte that can be sent
	got := slow.finish()
	if got.status != http.StatusOK || got.err != nil || !strings.HasSuffix(string(got.body), "data: [DONE]\n\n") {
		t.Errorf("%d %v, %d bytes", got.status, got.err, len(got.body))
	}
}
