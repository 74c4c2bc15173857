package upstream_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/price"
)

// A model with a provider that is preferred and one to fall back to. The first one's
// key has a limit of requests that is used up.
func Example() {
	preset, _ := upstream.FindPreset("openai")
	options := preset.Options()
	options.BaseURL, _ = url.Parse(preset.BaseURL)
	options.Keys = []upstream.KeyOptions{{Secret: "sk-1", Weight: 3, InFlight: 100}}
	openai := upstream.NewProvider(options)

	address, _ := url.Parse("https://llm.example.com/v1")
	house := upstream.NewProvider(upstream.ProviderOptions{
		Name: "house", Dialects: []dialect.Dialect{dialect.OpenAI}, BaseURL: address, Secrets: []string{"sk-2"},
	})

	health := upstream.NewHealth(upstream.HealthOptions{Observe: func(e upstream.Event) {
		fmt.Println(e.Change, e.Provider, e.Key, e.Model, e.Result)
	}})
	catalogue, err := upstream.NewCatalogue(price.Embedded(), []*upstream.Provider{openai, house}, []upstream.Alias{{
		Name: "fast", Tiers: [][]upstream.Target{{{Provider: openai, Model: "gpt-5.4-mini"}}, {{Provider: house, Model: "large-2"}}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	selector := upstream.NewSelector(catalogue, health, upstream.SelectorOptions{})

	model, err := catalogue.Find("fast")
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := selector.Plan(model, upstream.Request{Dialect: dialect.OpenAI, Affinity: selector.Affinity("account-1", []byte("conversation-7"))})
	if err != nil {
		fmt.Println(err)
		return
	}
	answers := []struct {
		status int
		header http.Header
	}{{http.StatusTooManyRequests, http.Header{"Retry-After": {"20"}}}, {http.StatusOK, nil}}
	for _, answer := range answers {
		call, err := plan.Begin(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("asking", call.Provider.Name, call.Credential, "for", call.Model)
		if answer.status != http.StatusOK {
			class := dialect.ClassifyProviderError(call.Dialect, answer.status, nil)
			call.Done(upstream.Outcome{
				Result: upstream.ResultOf(class, answer.status), Wait: dialect.ProviderWait(answer.header, nil, time.Now()),
			})
			continue
		}
		call.Answered(dialect.ReadProviderLimits(answer.header, time.Now()))
		call.Done(upstream.Outcome{Result: upstream.Succeeded})
	}
	// Output:
	// asking openai key 1 for gpt-5.4-mini
	// cool_down openai key 1 gpt-5.4-mini rate_limited
	// asking house key 1 for large-2
}
