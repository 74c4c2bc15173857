package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

func TestAnErrorThatQuotesTheProvidersKeyDoesNotGoOn(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	g.provider.Add(simulator.Step{Response: simulator.Response{
		Status: http.StatusBadRequest, ContentType: "application/json",
		Body: []byte(`{"error":{"message":"bad request with key ` + providerKey + `","type":"invalid_request_error","code":null}}`),
	}})
	got := g.call("/v1/chat/completions", chatBody)
	if strings.Contains(string(got.body), providerKey) || got.status != http.StatusBadRequest {
		t.Errorf("%d %s", got.status, got.body)
	}
}
