package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

func TestRequestsGoOnlyToProvidersThatMayHaveThem(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	configuration = strings.ReplaceAll(configuration, "dialect openai\n", "dialect openai\n\t\t\tdata_policy zdr\n")
	for _, required := range []string{"", "data_policy no_training\n"} {
		g := startGateway(t, gatewayOptions{extra: required + configuration})
		for _, row := range []struct {
			model, prefers string
			by             string // empty: nobody
			says           string
		}{
			{model: "twofold", by: "openai"},
			{model: "twofold", prefers: "data_policy=zdr", by: "other"},
			{model: "twofold", prefers: "ignore=openai", by: "other"},
			{model: "twofold", prefers: "only = other", by: "other"},
			{model: "twofold", prefers: "order=other|openai", by: "other"},
			{model: "gpt-4.1-mini", by: "openai"},
			{model: "gpt-4.1-mini", prefers: "data_policy=zdr", says: `"no_provider_allowed"`},
			{model: "gpt-4.1-mini", prefers: "ignore=openai", says: `"no_provider_allowed"`},
			{model: "gpt-4.1-mini", prefers: "data_policy=SECRET-WORD", says: "a data policy is one of zdr"},
			{model: "gpt-4.1-mini", prefers: "SECRET-WORD", says: "number 1 has no equals sign"},
		} {
			if required != "" && row.by == "openai" {
				row.by, row.says = "other", ""
				if row.model != "twofold" {
					row.by, row.says = "", "data policy no_training, which is required"
				}
			}
			first, second := len(g.provider.Requests()), len(other.Requests())
			header := bearer(g.secret)
			if row.prefers != "" {
				header.Set("Faregate-Provider", row.prefers)
			}
			got := g.callWith(chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", row.model, 1), header)
			first, second = len(g.provider.Requests())-first, len(other.Requests())-second
			switch text := string(got.body); row.by {
			case "":
				if got.status != http.StatusBadRequest || first+second != 0 || !strings.Contains(text, row.says) || strings.Contains(text, "SECRET") {
					t.Errorf("%q, %q: %d, asked %d and %d times: %s", row.model, row.prefers, got.status, first, second, text)
				}
			default:
				if got.status != http.StatusOK || (first == 1) != (row.by == "openai") || first+second != 1 {
					t.Errorf("%q, %q: %d, asked %d and %d times, want %s: %s", row.model, row.prefers, got.status, first, second, row.by, text)
				}
			}
		}
		for _, request := range append(g.provider.Requests(), other.Requests()...) {
			if request.Header.Get("Faregate-Provider") != "" {
				t.Error("a provider was told the caller's preferences")
			}
		}
		g.verify()
	}
}

func TestPreferencesAreRefusedInEveryDialect(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "")
		for _, preferences := range []string{"data_policy=zdr", "only=nobody", "nonsense"} {
			header := d.header(g.secret)
			header.Set("Faregate-Provider", preferences)
			got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), header)
			if _, message := dialectError(t, d.name, got); got.status != http.StatusBadRequest || message == "" {
				t.Errorf("%s, %s: %d %s", d.name, preferences, got.status, got.body)
			}
		}
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
}
