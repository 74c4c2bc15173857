package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/simulator"
)

func TestPlaceholdersAndCaddysAccessLogWhereItIsWanted(t *testing.T) {
	g := startGateway(t, gatewayOptions{
		extra: "access_log caddy", logs: true,
		site: "log_append account {faregate.account.id}\n\tlog_append key {faregate.key.id}\n\tlog_append model {faregate.model}\n\t" +
			"log_append provider {faregate.provider}\n\tlog_append id {faregate.request.id}\n\tfaregate",
	})
	got := g.call("/v1/chat/completions", chatBody)
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, want := range []string{
		`"account":"` + g.account + `"`, `"key":"` + g.keyID + `"`, `"model":"gpt-4.1-mini"`, `"provider":"openai"`,
		`"id":"` + got.header.Get("Faregate-Request-Id") + `"`, `"user_id":"` + g.keyID + `"`,
	} {
		waitFor(t, want+" in Caddy's access log", func() bool {
			log, err := os.ReadFile(g.logFile)
			return err == nil && bytes.Contains(log, []byte(want))
		})
	}
}

func TestNoLineIsWrittenForARequestWhereNoneIsWanted(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		g := newGateway(t, gatewayOptions{})
		if !wanted {
			g = newGateway(t, gatewayOptions{extra: "access_log off"})
		}
		g.run()
		if got := g.call("/v1/chat/completions", chatBody); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if got := g.call("/v1/chat/completions", "{"); got.status != http.StatusBadRequest {
			t.Fatalf("%d %s", got.status, got.body)
		}
		g.records(1)
		g.provider.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 503)})
		g.call("/v1/chat/completions", chatBody)
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		log := g.log()
		if lines := strings.Count(log, `"handled request"`); wanted && lines != 3 || !wanted && lines != 0 {
			t.Errorf("wanted %t: %d lines", wanted, lines)
		}
		if !strings.Contains(log, "attempt failed") {
			t.Errorf("wanted %t: what an operator must know is not logged", wanted)
		}
	}
}

func TestAnExchangePrintsAsItsID(t *testing.T) {
	ex := &Exchange{id: "the id", body: &requestBody{bytes: []byte("a prompt")}}
	for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
		if got := fmt.Sprintf(verb, ex); !strings.Contains(got, "the id") || strings.Contains(got, "prompt") {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}
