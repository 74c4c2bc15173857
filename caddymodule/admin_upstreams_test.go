package caddymodule

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// onAdmin makes Caddy's admin interface listen, and returns its address.
func (g *gateway) onAdmin() string {
	g.t.Helper()
	address := freeAddress(g.t)
	g.config = strings.Replace(g.config, "admin off", "admin "+address, 1)
	return "http://" + address
}

func askAdmin(t *testing.T, method, url string) (int, http.Header, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(testContext(t), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, body
}

func TestTheAdminInterfaceShowsHowProvidersDo(t *testing.T) {
	pool, configuration := pooledProvider(t, "in_flight 7", "key-one", "key-two")
	g := newGateway(t, gatewayOptions{extra: configuration})
	admin := g.onAdmin()
	g.run()
	show := func() (providers []upstreamJSON, text string) {
		t.Helper()
		status, header, body := askAdmin(t, http.MethodGet, admin+"/faregate/upstreams")
		if err := json.Unmarshal(body, &providers); err != nil || status != http.StatusOK || header.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %v %s", status, err, body)
		}
		return providers, string(body)
	}
	first, _ := show()
	if len(first) != 4 || first[3].Provider != "pool" || len(first[3].Keys) != 2 || first[3].Keys[1].Key != "key 2" || first[3].Keys[1].State != "ok" ||
		first[3].Keys[1].InFlightLimit != 7 {
		t.Errorf("at first: %+v", first)
	}

	// One key is refused, the other one's model has a limit and then an overload.
	limited := simulator.Response{Header: http.Header{
		"X-Ratelimit-Limit-Requests": {"500"}, "X-Ratelimit-Remaining-Requests": {"42"}, "X-Ratelimit-Reset-Requests": {"30s"},
		"X-Ratelimit-Remaining-Tokens": {"9000"},
	}}
	pool.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 401)}, simulator.Step{Response: limited})
	if got := g.call(chatJSON.path, pooled); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	gate := simulator.NewGate()
	pool.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	running := g.startCall(chatJSON.path, pooled, bearer(g.secret))
	running.at(gate)
	providers, text := show()
	refused, other := &providers[3].Keys[0], &providers[3].Keys[1]
	if refused.State != "refused" {
		refused, other = other, refused
	}
	if refused.State != "refused" || refused.Reason != "refused" || refused.Until == nil || other.State != "ok" || other.InFlight != 1 || len(other.Models) != 1 {
		t.Fatalf("%s", text)
	}
	model := other.Models[0]
	if limit := model.RateLimit; model.Model != "gpt-4.1-mini" || model.CoolDown != nil || limit == nil || limit.Requests.Limit != 500 ||
		limit.Requests.Remaining != 42 || limit.Requests.Reset == nil || limit.Tokens.Remaining != 9000 {
		t.Errorf("%s", text)
	}
	gate.Open()
	running.finish()
	pool.Add(simulator.Step{Response: limitedByProvider(30)})
	g.call(chatJSON.path, pooled)
	providers, text = show()
	for _, key := range providers[3].Keys {
		if key.Key == other.Key && (len(key.Models) != 1 || key.Models[0].CoolDown == nil || key.Models[0].CoolDown.State != "cooling_down" || key.Models[0].CoolDown.Reason != "rate_limited") {
			t.Errorf("%s", text)
		}
	}
	for _, secret := range []string{"key-one", "key-two", providerKey, g.secret} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is shown: %s", text)
		}
	}

	// Nothing can be changed, and nothing else is there.
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if status, header, body := askAdmin(t, method, admin+"/faregate/upstreams"); status != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d %q %s", method, status, header.Get("Allow"), body)
		}
	}
	for _, path := range []string{"/faregate", "/faregate/", "/faregate/upstreams/", "/faregate/upstreams/x"} {
		if status, _, body := askAdmin(t, http.MethodGet, admin+path); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}

	// A reload changes what is shown.
	g.config = strings.Replace(g.config, "in_flight 7", "in_flight 9", 1)
	g.load()
	if providers, text = show(); providers[3].Keys[0].InFlightLimit != 9 {
		t.Errorf("after a reload: %s", text)
	}
}
