package simulator_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

func TestRequestsAreRecorded(t *testing.T) {
	overBoth(t, func(t *testing.T, http2 bool) {
		provider, client, url := connect(t, simulator.Options{}, http2)
		r := request(t, "POST", url+"/v1/chat/completions?a=b%20c", chatRequest, "Authorization", "Bearer provider-key", "X-Twice", "1")
		r.Header.Add("X-Twice", "2")
		r.Host = "api.provider.example"
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		mustPost(t, client, url+"/second", "{}")

		requests, err := provider.WaitEnded(deadline(t), 2)
		if err != nil {
			t.Fatal(err)
		}
		first := requests[0]
		if first.Method != "POST" || first.RequestURI != "/v1/chat/completions?a=b%20c" || first.Host != "api.provider.example" ||
			string(first.Body) != chatRequest || first.TLS != http2 || (first.Proto == "HTTP/2.0") != http2 {
			t.Errorf("recorded %+v", first)
		}
		if first.Header.Get("Authorization") != "Bearer provider-key" || len(first.Header.Values("X-Twice")) != 2 {
			t.Errorf("header %v", first.Header)
		}
		if !first.Ended || first.Sent != int64(len(answer)) || first.ClosedEarly || first.Incomplete {
			t.Errorf("end: %+v; the answer has %d bytes", first, len(answer))
		}
		if requests[1].RequestURI != "/second" {
			t.Errorf("second %+v", requests[1])
		}
	})
}

func TestAClientThatLeavesIsNoticed(t *testing.T) {
	overBoth(t, func(t *testing.T, http2 bool) {
		provider, client, url := connect(t, simulator.Options{}, http2)
		provider.Add(simulator.Step{Response: simulator.Response{
			Status: 200, Body: []byte("0123456789"), Pauses: []simulator.Pause{{At: 6}},
		}})
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		response, err := client.Do(request(t, "POST", url+"/x", "{}").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.ReadFull(response.Body, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		if requests, err := provider.WaitRequests(deadline(t), 1); err != nil || requests[0].Ended {
			t.Errorf("before leaving: %+v, %v", requests, err)
		}
		leave()
		requests, err := provider.WaitEnded(deadline(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		if !requests[0].ClosedEarly || requests[0].Sent != 6 {
			t.Errorf("%+v", requests[0])
		}
	})
}

func TestAnIncompleteRequestGetsNoAnswer(t *testing.T) {
	provider, _, url := connect(t, simulator.Options{Script: simulator.Script{{Response: simulator.Response{Status: 200}}}}, false)
	connection, err := (&net.Dialer{}).DialContext(deadline(t), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1234"); err != nil {
		t.Fatal(err)
	}
	connection.Close()
	requests, err := provider.WaitEnded(deadline(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if !requests[0].Incomplete || string(requests[0].Body) != "1234" {
		t.Errorf("%+v", requests[0])
	}
	if provider.Unused() != 1 {
		t.Error("it used a step of the script")
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	provider, _, _ := connect(t, simulator.Options{}, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := provider.WaitRequests(ctx, 1); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "0 of 1") {
		t.Errorf("error %v", err)
	}
	forgetful := simulator.New(simulator.Options{})
	if _, err := forgetful.WaitEnded(t.Context(), 1); !errors.Is(err, simulator.ErrNotRecording) {
		t.Errorf("error %v", err)
	}
}

func TestScriptSteps(t *testing.T) {
	provider, client, url := connect(t, simulator.Options{Script: simulator.Script{
		{Path: "/v1/messages", Response: simulator.Response{Status: 201}},
		{Model: "simulator/standard", Response: simulator.Response{Status: 202}},
		{Method: "PUT", Response: simulator.Response{Status: 203}},
		{Path: "/v1beta/*", Model: "standard", Times: 2, Response: simulator.Response{Status: 206}},
		{Path: "/always", Times: simulator.Always, Response: simulator.Response{Status: 418}},
		{Path: "/having", Times: simulator.Always, Having: []string{"one", "two"}, Response: simulator.Response{Status: 203}},
	}}, false)
	ask := func(path, body string, want int) {
		t.Helper()
		if response, _ := mustPost(t, client, url+path, body); response.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, response.StatusCode, want)
		}
	}
	ask("/v1/chat/completions", chatRequest, 202)
	ask("/v1/chat/completions", chatRequest, 200) // used up: native
	ask(geminiPath, geminiRequest, 206)
	ask("/v1beta/models/other:generateContent", geminiRequest, 200)
	ask(geminiPath, geminiRequest, 206)
	ask(geminiPath, geminiRequest, 200)
	for range 3 {
		ask("/always", "{}", 418)
	}
	ask("/having", "two and one", 203)
	ask("/having", "one", 404)
	ask("/v1/messages", messagesRequest, 201)
	if unused := provider.Unused(); unused != 1 {
		t.Errorf("%d unused, want the PUT alone", unused)
	}
}
