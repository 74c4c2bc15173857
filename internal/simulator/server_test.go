package simulator_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
)

func TestOnlyLoopbackAddresses(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		if server, err := simulator.Start(address, simulator.Options{}, nil); !errors.Is(err, simulator.ErrNotLoopback) {
			t.Errorf("%s: server %v, error %v", address, server, err)
		}
	}
	for _, address := range []string{"127.0.0.1", "127.0.0.1:99999", ""} {
		if server, err := simulator.Start(address, simulator.Options{}, nil); err == nil {
			t.Errorf("%s: server %v", address, server)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "127.8.8.8:0", "localhost:0"} {
		server, err := simulator.Start(address, simulator.Options{}, nil)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if err := server.Close(deadline(t)); err != nil {
			t.Errorf("%s: close: %v", address, err)
		}
	}
}

func TestServerWithTLSSpeaksHTTP2(t *testing.T) {
	// httptest has a certificate for 127.0.0.1 and a client that trusts it.
	borrowed := httptest.NewTLSServer(nil)
	defer borrowed.Close()
	client := borrowed.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	defer client.CloseIdleConnections()

	server, err := simulator.Start("127.0.0.1:0", simulator.Options{Record: true}, &tls.Config{Certificates: borrowed.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	response, _ := mustPost(t, client, server.URL+"/v1/chat/completions", chatRequest)
	if response.ProtoMajor != 2 || response.StatusCode != 200 {
		t.Errorf("%s %d", response.Proto, response.StatusCode)
	}
	client.CloseIdleConnections()
	if err := server.Close(deadline(t)); err != nil {
		t.Error(err)
	}
	if requests := server.Requests(); len(requests) != 1 || !requests[0].TLS {
		t.Errorf("%+v", requests)
	}
}

func TestCloseCutsStallsAndLeavesNoGoroutine(t *testing.T) {
	server, err := simulator.Start("127.0.0.1:0", simulator.Options{Record: true, Script: simulator.Script{{
		Times: 3, Response: simulator.Response{Status: 200, Body: []byte("0123456789"), Pauses: []simulator.Pause{{At: 5}}},
	}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	for range 3 {
		response, err := client.Do(request(t, "POST", server.URL+"/x", "{}"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.ReadFull(response.Body, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Close(deadline(t)); err != nil {
		t.Error(err)
	}
	for _, request := range server.Requests() {
		if !request.Ended || request.ClosedEarly || request.Sent != 5 {
			t.Errorf("%+v", request)
		}
	}
	client.CloseIdleConnections()

	// A connection's goroutine may still be on its last instructions.
	left := []byte("net/http.(*conn).serve")
	for deadline := time.Now().Add(10 * time.Second); bytes.Contains(stacks(), left); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("goroutines are left:\n%s", stacks())
		}
	}
	if text := stacks(); bytes.Contains(text, []byte("simulator.Start")) || bytes.Contains(text, []byte("(*Simulator)")) {
		t.Errorf("goroutines are left:\n%s", text)
	}
}

func stacks() []byte {
	text := make([]byte, 1<<20)
	return text[:runtime.Stack(text, true)]
}

func TestRefuse(t *testing.T) {
	server, err := simulator.Start("127.0.0.1:0", simulator.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.Refuse()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if _, _, err := post(t, client, server.URL, "{}"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v", err)
	}
	if err := server.Close(deadline(t)); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsWithItsContext(t *testing.T) {
	// A sleeper that does not listen keeps its answer running.
	release := make(chan struct{})
	server, err := simulator.Start("127.0.0.1:0", simulator.Options{
		Record: true,
		Sleep:  func(context.Context, time.Duration) error { <-release; return nil },
		Script: simulator.Script{{Response: simulator.Response{Status: 200, Pauses: []simulator.Pause{{At: 0, For: time.Second}}}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	response, err := client.Do(request(t, "POST", server.URL, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(release)
	if _, err := server.WaitEnded(deadline(t), 1); err != nil {
		t.Error(err)
	}
}
