package caddymodule

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
)

// createKeyWith makes a key as createKey does, with preferences.
func (g *gateway) createKeyWith(preferred preferences.Providers) (secret string) {
	g.t.Helper()
	made, err := auth.NewSecret(rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	hash, err := auth.HashSecret(made.Reveal())
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.store.CreateKey(testContext(g.t), &auth.Key{
		ID: uuid.Must(uuid.NewV7()).String(), AccountID: g.account, Name: "test", Hash: hash, Providers: preferred, CreatedAt: time.Now(),
	}); err != nil {
		g.t.Fatal(err)
	}
	return made.Reveal()
}

// Whoever requires most is obeyed, and where nobody has promised as much the request is
// refused: operator × account × key × request.
func TestTheStrictestDataPolicyCounts(t *testing.T) {
	policies := []preferences.DataPolicy{preferences.DataPolicyUnknown, preferences.DataPolicyNoTraining, preferences.DataPolicyZDR}
	careful, first := otherProvider(t, simulator.Options{})
	first = strings.NewReplacer("provider other", "provider careful", "dialect openai\n", "dialect openai\n\t\t\tdata_policy no_training\n").Replace(first)
	first = first[:strings.Index(first, "model ")]
	strict, second := otherProvider(t, simulator.Options{})
	second = strings.ReplaceAll(second, "dialect openai\n", "dialect openai\n\t\t\tdata_policy zdr\n")
	second = second[:strings.Index(second, "model ")]
	models := `
		model asked {
			to openai/gpt-4.1-mini careful/gpt-4.1-mini other/gpt-4.1-mini
		}
		model unstrict {
			to openai/gpt-4.1-mini careful/gpt-4.1-mini
		}`
	for _, operator := range policies[:2] {
		for _, account := range policies {
			g := newGateway(t, gatewayOptions{extra: "data_policy " + operator.String() + "\n" + first + second + models})
			if err := g.store.EditAccount(testContext(t), g.account, store.AccountEdit{DataPolicy: &account}); err != nil {
				t.Fatal(err)
			}
			secrets := make(map[preferences.DataPolicy]string)
			for _, key := range policies {
				secrets[key] = g.createKeyWith(preferences.Providers{DataPolicy: key})
			}
			g.run()
			for _, key := range policies {
				for _, request := range policies {
					before := []int{len(g.provider.Requests()), len(careful.Requests()), len(strict.Requests())}
					header := bearer(secrets[key])
					header.Set("Faregate-Provider", "data_policy="+request.String())
					got := g.callWith(chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", "asked", 1), header)
					asked := []int{len(g.provider.Requests()) - before[0], len(careful.Requests()) - before[1], len(strict.Requests()) - before[2]}
					want, level := []int{0, 0, 0}, preferences.Strictest(operator, account, key, request)
					for i, policy := range policies {
						if policy == level {
							want[i] = 1
						}
					}
					if got.status != http.StatusOK || asked[0] != want[0] || asked[1] != want[1] || asked[2] != want[2] {
						t.Errorf("%s, %s, %s, %s: %d, asked %v, want %v: %s", operator, account, key, request, got.status, asked, want, got.body)
					}
					if level != preferences.DataPolicyZDR {
						continue
					}
					got = g.callWith(chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", "unstrict", 1), header)
					if got.status != http.StatusBadRequest || got.errorCode() != "no_provider_allowed" || len(g.provider.Requests()) != before[0] {
						t.Errorf("%s, %s, %s, %s: %d %s; want a refusal", operator, account, key, request, got.status, got.body)
					}
				}
			}
		}
	}
}

func TestAKeyHasPreferencesOfItsOwn(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	g := newGateway(t, gatewayOptions{extra: configuration})
	secret := g.createKeyWith(preferences.Providers{Order: []string{"other"}, Ignore: []string{"nobody"}})
	g.run()
	body := strings.Replace(chatJSON.body, "gpt-4.1-mini", "twofold", 1)
	for prefers, toOther := range map[string]int{"": 1, "order=openai": 0, "ignore=other": 0, "only=other": 1} {
		before, header := len(other.Requests()), bearer(secret)
		if prefers != "" {
			header.Set("Faregate-Provider", prefers)
		}
		if got := g.callWith(chatJSON.path, body, header); got.status != http.StatusOK || len(other.Requests())-before != toOther {
			t.Errorf("%q: %d, the other was asked %d times, want %d", prefers, got.status, len(other.Requests())-before, toOther)
		}
	}
	if got := g.call(chatJSON.path, body); got.status != http.StatusOK || len(g.provider.Requests()) != 3 {
		t.Errorf("another key: %d", got.status)
	}
}

// Lists have only what can be called, and what is left out of them cannot.
func TestListsKnowTheDataPolicy(t *testing.T) {
	_, configuration := otherProvider(t, simulator.Options{})
	configuration = strings.ReplaceAll(configuration, "dialect openai\n", "dialect openai\n\t\t\tdata_policy zdr\n")
	g := newGateway(t, gatewayOptions{extra: configuration})
	strict := g.createKeyWith(preferences.Providers{DataPolicy: preferences.DataPolicyZDR})
	g.run()
	for secret, all := range map[string]bool{g.secret: true, strict: false} {
		list := string(g.callWith("/v1/models", "", bearer(secret)).body)
		if !strings.Contains(list, `"twofold"`) || strings.Contains(list, `"gpt-4.1-mini"`) != all {
			t.Errorf("all %v: %s", all, list)
		}
		one := g.callWith("/v1/models/gpt-4.1-mini", "", bearer(secret))
		called := g.callWith(chatJSON.path, chatJSON.body, bearer(secret))
		if (one.status == http.StatusOK) != all || (called.status == http.StatusOK) != all || !all && one.errorCode() != "no_provider_allowed" {
			t.Errorf("all %v: shown with %d, answered with %d: %s", all, one.status, called.status, one.body)
		}
	}
}
