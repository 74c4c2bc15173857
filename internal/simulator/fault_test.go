package simulator_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
)

func TestFaults(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 10)
	cases := map[string]struct {
		response simulator.Response
		noAnswer bool // the error comes instead of a header
		want     int  // bytes before the error
		reset    bool // the error is a TCP reset (seen as such over HTTP/1.1)
	}{
		"hang up before the header": {response: simulator.Response{Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader}, noAnswer: true},
		"reset before the header":   {response: simulator.Response{Fault: simulator.Reset, FaultAt: simulator.BeforeHeader}, noAnswer: true, reset: true},
		"hang up behind the header": {response: simulator.Response{Fault: simulator.HangUp}},
		"hang up in the middle":     {response: simulator.Response{Fault: simulator.HangUp, FaultAt: 33}, want: 33},
		"hang up in small chunks":   {response: simulator.Response{Fault: simulator.HangUp, FaultAt: 33, Chunks: simulator.Every(2)}, want: 33},
		"hang up before the end":    {response: simulator.Response{Fault: simulator.HangUp, FaultAt: simulator.AtEnd}, want: 100},
		"reset in the middle":       {response: simulator.Response{Fault: simulator.Reset, FaultAt: 33}, want: 33, reset: true},
		"reset at the end":          {response: simulator.Response{Fault: simulator.Reset, FaultAt: 100}, want: 100, reset: true},
		"claims too much":           {response: simulator.Response{ContentLength: 150}, want: 100},
	}
	overBoth(t, func(t *testing.T, http2 bool) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				provider, client, url := connect(t, simulator.Options{}, http2)
				c.response.Status, c.response.Body = 200, body
				gate := simulator.NewGate()
				c.response.Pauses = []simulator.Pause{{At: int64(c.want), Gate: gate}}
				provider.Add(simulator.Step{Response: c.response})
				if c.noAnswer {
					gate.Open()
				}

				// GET without a body, which a transport might repeat, is not
				// used: a repeated request would get the native answer.
				response, err := client.Do(request(t, "POST", url+"/x", "{}"))
				if c.noAnswer {
					if err == nil {
						t.Fatal("got an answer")
					}
				} else {
					if err != nil {
						t.Fatal(err)
					}
					defer response.Body.Close()
					// What came before the fault is read first: a reset may
					// take what is still on its way along.
					read := make([]byte, c.want)
					if _, err := io.ReadFull(response.Body, read); err != nil || !bytes.Equal(read, body[:c.want]) {
						t.Fatalf("before the fault: %q, %v", read, err)
					}
					gate.Open()
					var more int
					more, err = response.Body.Read(make([]byte, 1))
					if more != 0 || err == nil || errors.Is(err, io.EOF) {
						t.Fatalf("behind the fault: %d bytes, error %v", more, err)
					}
				}
				if !http2 && c.reset != errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("error %v; reset expected: %v", err, c.reset)
				}
				requests, err := provider.WaitEnded(deadline(t), 1)
				if err != nil {
					t.Fatal(err)
				}
				if requests[0].Sent != int64(c.want) || requests[0].ClosedEarly {
					t.Errorf("sent %d, want %d; closed early by the client: %v", requests[0].Sent, c.want, requests[0].ClosedEarly)
				}
			})
		}
	})
}

func TestResetOverHTTP2TakesTheConnection(t *testing.T) {
	gate := simulator.NewGate()
	provider, client, url := connect(t, simulator.Options{Script: simulator.Script{
		{Path: "/other", Response: simulator.Response{Status: 200, Body: []byte("12345"), Pauses: []simulator.Pause{{At: 3}}}},
		{Path: "/reset", Response: simulator.Response{Status: 200, Body: []byte("12345"), Fault: simulator.Reset, FaultAt: 3,
			Pauses: []simulator.Pause{{At: 3, Gate: gate}}}},
	}}, true)
	other, err := client.Do(request(t, "POST", url+"/other", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Body.Close()
	cut, err := client.Do(request(t, "POST", url+"/reset", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Body.Close()
	if cut.ProtoMajor != 2 {
		t.Fatalf("spoke %s", cut.Proto)
	}
	gate.Open()
	if _, err := io.ReadAll(other.Body); err == nil {
		t.Error("the other stream of the connection ended well")
	}
	if _, err := provider.WaitEnded(deadline(t), 2); err != nil {
		t.Error(err)
	}
}

func TestClaimsTooLittle(t *testing.T) {
	_, client, url := connect(t, simulator.Options{Script: simulator.Script{{Times: 2, Response: simulator.Response{
		Status: 200, Body: []byte("0123456789"), ContentType: "text/plain", ContentLength: 4,
		Header: http.Header{"X-Extra": {"yes"}}, Chunks: simulator.Every(3),
	}}}}, false)
	response, body := mustPost(t, client, url+"/x", "{}")
	if string(body) != "0123" || response.ContentLength != 4 || response.Header.Get("X-Extra") != "yes" {
		t.Errorf("client read %q, length %d, header %v", body, response.ContentLength, response.Header)
	}

	// On the wire the rest is there.
	connection, err := (&net.Dialer{}).DialContext(deadline(t), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(connection)
	if err != nil || !bytes.HasSuffix(raw, []byte("\r\n\r\n0123456789")) {
		t.Errorf("on the wire: %q, %v", raw, err)
	}

	_, client, url = connect(t, simulator.Options{Script: simulator.Script{{Response: simulator.Response{
		Status: 200, Body: []byte("0123456789"), ContentLength: 4,
	}}}}, true)
	if response, body, err := post(t, client, url+"/x", "{}"); err == nil {
		t.Errorf("HTTP/2: %v %q without an error", response, body)
	}
}

func TestOddBodies(t *testing.T) {
	huge := strings.Repeat("x", 300_000)
	provider, client, url := connect(t, simulator.Options{}, false)
	client.Transport.(*http.Transport).MaxResponseHeaderBytes = 1 << 20
	provider.Add(
		simulator.Step{Response: simulator.Response{Gzip: true}},
		simulator.Step{Response: simulator.Response{ContentType: "text/html", Header: simulator.ProviderHeader(simulator.OpenAI)}},
		simulator.Step{Response: simulator.Response{Header: http.Header{"X-Huge": {huge}}, Trailing: []byte("\n\ndata: more")}},
		simulator.Step{Response: simulator.Response{Body: []byte("no type")}},
		simulator.Step{Response: simulator.Response{Status: 200}},
	)

	packed, plain := mustPost(t, client, url+"/other", chatRequest)
	if packed.Header.Get("Content-Encoding") != "gzip" {
		t.Error("not packed")
	}
	reader, err := gzip.NewReader(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(reader); err != nil || !bytes.Contains(text, []byte(`"error"`)) {
		t.Errorf("unpacked: %q, %v", text, err)
	}

	response, _ := mustPost(t, client, url+"/v1/chat/completions", chatRequest)
	if response.Header.Get("Content-Type") != "text/html" || response.Header.Get("Set-Cookie") == "" || response.Header.Get("Openai-Organization") == "" {
		t.Errorf("header %v", response.Header)
	}
	response, body := mustPost(t, client, url+"/v1/chat/completions", chatStreamRequest)
	if response.Header.Get("X-Huge") != huge || !bytes.HasSuffix(body, []byte("data: [DONE]\n\n\n\ndata: more")) {
		t.Errorf("huge header of %d bytes, end %q", len(response.Header.Get("X-Huge")), body[len(body)-40:])
	}
	response, body = mustPost(t, client, url+"/v1/chat/completions", chatRequest)
	if _, typed := response.Header["Content-Type"]; typed || string(body) != "no type" {
		t.Errorf("type %q, body %q", response.Header["Content-Type"], body)
	}
	if response, body = mustPost(t, client, url+"/v1/chat/completions", chatRequest); response.StatusCode != 200 || len(body) != 0 {
		t.Errorf("empty answer: %d %q", response.StatusCode, body)
	}
	if left := provider.Unused(); left != 0 {
		t.Errorf("%d steps unused", left)
	}
}

func TestSlowHeaderWaitsAtItsGate(t *testing.T) {
	overBoth(t, func(t *testing.T, http2 bool) {
		gate := simulator.NewGate()
		_, client, url := connect(t, simulator.Options{Script: simulator.Script{{Response: simulator.Response{
			Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}},
		}}}}, http2)
		answered := make(chan error, 1)
		go func() {
			response, err := client.Do(request(t, "POST", url+"/v1/chat/completions", chatRequest))
			if err == nil {
				err = response.Body.Close()
			}
			answered <- err
		}()
		<-gate.Reached()
		select {
		case err := <-answered:
			t.Fatalf("answered before the gate opened: %v", err)
		default:
		}
		gate.Open()
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

func TestDelaysAreAskedOfTheSleeper(t *testing.T) {
	var slept []time.Duration
	sleep := func(_ context.Context, d time.Duration) error {
		slept = append(slept, d)
		return nil
	}
	provider, client, url := connect(t, simulator.Options{Delay: simulator.DemoDelay, Sleep: sleep}, false)
	provider.Add(simulator.Step{Response: simulator.Response{
		Status: 200, Body: []byte("0123456789"), Chunks: simulator.Every(4), Delay: time.Second,
		Pauses: []simulator.Pause{{At: simulator.BeforeHeader, For: time.Hour}, {At: 5, For: time.Minute}},
	}})
	mustPost(t, client, url+"/x", "{}")
	want := []time.Duration{time.Hour, time.Second, time.Minute, time.Second}
	if len(slept) != len(want) {
		t.Fatalf("slept %v, want %v", slept, want)
	}
	for i := range want {
		if slept[i] != want[i] {
			t.Fatalf("slept %v, want %v", slept, want)
		}
	}

	slept = nil
	_, body := mustPost(t, client, url+"/v1/chat/completions", chatStreamRequest)
	if events := bytes.Count(body, []byte("\n\n")); len(slept) != events-1 || slept[0] != simulator.DemoDelay {
		t.Errorf("%d delays between %d events: %v", len(slept), events, slept)
	}
}
