package caddymodule

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// A model's name that ends in an asterisk stands for many, at the price of what they are
// called at the provider, or at one of its own.
func TestNamesThatStandForMany(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	g := newGateway(t, gatewayOptions{extra: configuration + `
		model house-* {
			to openai/* other/*
		}
		model cheap/* {
			to other/cheap-*
			price input 1 output 1
		}
		model cheap/dear* {
			to other/dear
			price input 9 output 9
		}`})
	_, limited := g.createKey([]string{"cheap/a*"}, time.Time{})
	id, poor := g.createKey(nil, time.Time{})
	if err := g.store.SetKeyLimit(testContext(t), id, &store.KeyLimit{Amount: 1, Period: ledger.PeriodTotal}); err != nil {
		t.Fatal(err)
	}
	g.run()
	for _, row := range []struct {
		model, key, by, served, recorded string
		status                           int
	}{
		{model: "house-gpt-4.1-mini", by: "openai", served: "gpt-4.1-mini", recorded: "house-gpt-4.1-mini"},
		{model: "house-none-such", status: http.StatusNotFound},
		{model: "cheap/abc", by: "other", served: "cheap-abc", recorded: "cheap/*"},
		{model: "cheap/dearest", by: "other", served: "dear", recorded: "cheap/dear*"},
		{model: "cheap/", status: http.StatusBadRequest}, {model: "cheap/../x", status: http.StatusBadRequest}, {model: "cheap/*", status: http.StatusBadRequest},
		{model: "cheap", status: http.StatusNotFound},
		{model: "cheap/abc", key: limited, by: "other", served: "cheap-abc", recorded: "cheap/*"},
		{model: "cheap/bcd", key: limited, status: http.StatusForbidden, recorded: "cheap/*"},
		{model: "cheap/abc", key: poor, status: http.StatusPaymentRequired, recorded: "cheap/*"},
		{model: "house-gpt-4.1-mini", key: limited, status: http.StatusForbidden, recorded: "house-gpt-4.1-mini"},
	} {
		if row.key == "" {
			row.key = g.secret
		}
		first, second := len(g.provider.Requests()), len(other.Requests())
		got := g.callWith(chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", row.model, 1), bearer(row.key))
		asked := append(g.provider.Requests()[first:], other.Requests()[second:]...)
		if row.status != 0 {
			if got.status != row.status || len(asked) > 0 {
				t.Errorf("%s: %d, asked %d times, want %d: %s", row.model, got.status, len(asked), row.status, got.body)
			}
			record, err := g.store.Record(testContext(t), got.header.Get("Faregate-Request-Id"))
			want := cmp.Or(row.recorded, metering.Other)
			if row.status == http.StatusBadRequest { // it was not even read
				want = ""
			}
			if err != nil || record.ModelRequested != want || record.Status != metering.StatusRejected {
				t.Errorf("%s: %v, recorded as %+v", row.model, err, record)
			}
			continue
		}
		if got.status != http.StatusOK || len(asked) != 1 || !strings.Contains(string(asked[0].Body), `"model":"`+row.served+`"`) {
			t.Errorf("%s: %d %s", row.model, got.status, got.body)
			continue
		}
		record, err := g.store.Record(testContext(t), got.header.Get("Faregate-Request-Id"))
		if err != nil || record.Provider != row.by || record.ModelRequested != row.recorded || record.Cost == 0 {
			t.Errorf("%s: %v, recorded as %+v", row.model, err, record)
		}
	}

	// Lists have what can be listed: names that are known, and that this key may call.
	listed := func(secret string) (names []string) {
		var list struct{ Data []struct{ ID string } }
		if err := json.Unmarshal(g.callWith("/v1/models", "", bearer(secret)).body, &list); err != nil {
			t.Fatal(err)
		}
		for _, model := range list.Data {
			names = append(names, model.ID)
		}
		return names
	}
	if all := listed(g.secret); !slices.Contains(all, "gpt-4.1-mini") || slices.ContainsFunc(all, func(name string) bool { return strings.Contains(name, "*") }) {
		t.Errorf("%q", all)
	}
	if few := listed(limited); len(few) != 0 {
		t.Errorf("a key for cheap/a* sees %q", few)
	}
	if got := g.callWith("/v1/models/cheap/abc", "", bearer(limited)); got.status != http.StatusOK || !strings.Contains(string(got.body), `"cheap/abc"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}
