package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// Whoever has seen an answer whole can ask at once what it cost, on either store.
func TestWhatAGenerationCost(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": cluster.NewDatabase,
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{store: address(t)})
			for i, w := range append(wireStreams, wireDocuments...) {
				got := g.callWith(w.path, w.body, w.header(g.secret))
				id := got.header.Get("Faregate-Request-Id")
				if shown := got.header.Get("X-Request-Id") + got.header.Get("Request-Id"); got.status != http.StatusOK || shown != id {
					t.Fatalf("%s: %d, ids %q and %q", w.name, got.status, id, shown)
				}
				asked := g.callWith("/v1/generation?id="+id, "", w.header(g.secret))
				if asked.status != http.StatusOK || asked.header.Get("Content-Type") != "application/json" {
					t.Fatalf("%s: %d %s", w.name, asked.status, asked.body)
				}
				var told struct {
					Data struct {
						ID, Model             string
						ProviderName          string      `json:"provider_name"`
						TotalCost             json.Number `json:"total_cost"`
						Usage                 json.Number
						Streamed, Cancelled   bool
						FinishReason          string `json:"finish_reason"`
						TokensPrompt          int64  `json:"tokens_prompt"`
						TokensCompletion      int64  `json:"tokens_completion"`
						NativeTokensReasoning int64  `json:"native_tokens_reasoning"`
						Record                map[string]any
					}
				}
				if err := json.Unmarshal(asked.body, &told); err != nil {
					t.Fatal(err)
				}
				record, data := g.records(i + 1)[i], told.Data
				if data.ID != record.ID || data.ID != id || data.Model != record.ModelRequested || data.ProviderName != record.Provider ||
					data.TotalCost.String() != record.Cost.String() || data.Usage != data.TotalCost || record.Cost == 0 || data.Streamed != w.streams() || data.Cancelled ||
					data.FinishReason != record.FinishReason || data.TokensPrompt != record.Usage.InputTotal || data.TokensCompletion != record.Usage.OutputTotal ||
					data.Record["cost"] != record.Cost.String() || data.Record["key_id"] != g.keyID || data.Record["basis"] != "measured" {
					t.Errorf("%s: %s, want %+v", w.name, asked.body, record)
				}
			}
		})
	}
}

// Another key's request looks as if it had never been, and so do one that runs, one
// whose record was purged, and what is no id.
func TestAGenerationThatIsNotTheKeysIsUnknown(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	got := g.call(chatJSON.path, chatJSON.body)
	id := got.header.Get("Faregate-Request-Id")
	_, sibling := g.createKey(nil, time.Time{})
	unknown := uuid.Must(uuid.NewV7()).String()
	gate := g.halted(chatJSON.contentAt())
	running := g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret))
	running.at(gate)
	for _, header := range []func(string) http.Header{bearer, xAPIKey, googleKey} {
		want := g.callWith("/v1/generation?id="+unknown, "", header(g.secret))
		if want.status != http.StatusNotFound || !strings.Contains(string(want.body), "Faregate-Request-Id") {
			t.Fatalf("an unknown id: %d %s", want.status, want.body)
		}
		for name, asked := range map[string]reply{
			"another key of the account": g.callWith("/v1/generation?id="+id, "", header(sibling)),
			"no id":                      g.callWith("/v1/generation?id=gen-1", "", header(g.secret)),
			"an id in another spelling":  g.callWith("/v1/generation?id=urn:uuid:"+id, "", header(g.secret)),
		} {
			if asked.status != want.status || withoutOwnID(asked) != withoutOwnID(want) {
				t.Errorf("%s: %d %s; an unknown id: %s", name, asked.status, asked.body, want.body)
			}
		}
		if mine := g.callWith("/v1/generation?id="+id, "", header(g.secret)); mine.status != http.StatusOK {
			t.Errorf("its own: %d %s", mine.status, mine.body)
		}
	}
	gate.Open()
	late := running.finish().header.Get("Faregate-Request-Id")
	if asked := g.callWith("/v1/generation?id="+late, "", bearer(g.secret)); asked.status != http.StatusOK {
		t.Errorf("as soon as it has ended: %d %s", asked.status, asked.body)
	}
	for _, query := range []string{"", "?id=", "?id=" + id + "&id=" + unknown, "?generation=" + id, "?id=%zz"} {
		if asked := g.callWith("/v1/generation"+query, "", bearer(g.secret)); asked.status != http.StatusBadRequest || asked.errorCode() != "invalid_request" {
			t.Errorf("%q: %d %s", query, asked.status, asked.body)
		}
	}
	if asked := g.callWith("/v1/generation?id="+id, "{}", bearer(g.secret)); asked.status != http.StatusMethodNotAllowed {
		t.Errorf("posted: %d %s", asked.status, asked.body)
	}
	if asked := g.callWith("/v1/generation?id="+id, "", bearer("sk-fg-unknown")); asked.status != http.StatusUnauthorized {
		t.Errorf("without a key: %d %s", asked.status, asked.body)
	}
	if _, err := g.store.Purge(testContext(t), time.Now().Add(48*time.Hour), 100); err != nil {
		t.Fatal(err)
	}
	if asked := g.callWith("/v1/generation?id="+id, "", bearer(g.secret)); asked.status != http.StatusNotFound {
		t.Errorf("after its time: %d %s", asked.status, asked.body)
	}
}

// While the answer is under way its cost is not known, by its id that the header tells.
func TestAGenerationUnderWayIsUnknown(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	gate := g.halted(chatStream.contentAt())
	call := g.startCall(chatStream.path, chatStream.body, bearer(g.secret))
	call.readTo("his")
	ask := func() reply {
		return g.callWith("/v1/generation?id="+call.response.Header.Get("Faregate-Request-Id"), "", bearer(g.secret))
	}
	if asked := ask(); asked.status != http.StatusNotFound || asked.errorCode() != "generation_not_found" {
		t.Errorf("%d %s", asked.status, asked.body)
	}
	gate.Open()
	call.finish()
	if asked := ask(); asked.status != http.StatusOK {
		t.Errorf("%d %s", asked.status, asked.body)
	}
}

// Asking for costs counts as a request.
func TestGenerationsAreRateLimited(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: "group default {\nrpm 2\n}"})
	for i := range 4 {
		asked := g.callWith("/v1/generation?id="+uuid.Must(uuid.NewV7()).String(), "", bearer(g.secret))
		if want := map[bool]int{true: http.StatusNotFound, false: http.StatusTooManyRequests}[i < 2]; asked.status != want {
			t.Errorf("call %d: %d, want %d", i, asked.status, want)
		}
	}
	if records := g.records(0); len(records) != 0 {
		t.Errorf("%d records of questions", len(records))
	}
}

// An answer that is settled before its header goes out has its cost there; others in a
// trailer, where HTTP has one.
func TestTheCallerIsToldTheCost(t *testing.T) {
	long := `{"model":"gpt-4.1-mini","choices":[{"index":0,"message":{"role":"assistant","content":"` + strings.Repeat("long ", 20_000) +
		`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":20000,"total_tokens":20009}}`
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			g, client := startSecureGateway(t, protocol)
			calls := 0
			told := func(name string, w wire, inHeader, inTrailer bool) {
				t.Helper()
				call := startCall(t, client, g.url+w.path, w.body, w.header(g.secret))
				got := call.finish()
				calls++
				cost := g.records(calls)[calls-1].Cost
				want := func(there bool) string {
					if there {
						return cost.String()
					}
					return ""
				}
				header, trailer := got.header.Get(costHeader), call.response.Trailer.Get(costHeader)
				if got.status != http.StatusOK || got.err != nil || cost == 0 || header != want(inHeader) || trailer != want(inTrailer) {
					t.Errorf("%s: %d %v, cost %s, header %q, trailer %q", name, got.status, got.err, cost, header, trailer)
				}
			}
			for _, w := range wireStreams {
				told(w.name, w, false, true)
			}
			for _, w := range wireDocuments {
				told(w.name, w, true, false)
			}
			g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "application/json", Body: []byte(long), ContentLength: int64(len(long))}})
			told("a long document of stated length", chatJSON, false, protocol == "h2")
			g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "application/json", Body: []byte(long)}})
			told("a long document", chatJSON, false, true)
			// What costs nothing says so, errors say nothing.
			free := startCall(t, client, g.url+"/v1beta/models/gemini-2.5-flash:countTokens", geminiJSON.body, googleKey(g.secret)).finish()
			if free.status == http.StatusOK && free.header.Get(costHeader) != "0.00" {
				t.Errorf("counting tokens: %v", free.header)
			}
			failed := startCall(t, client, g.url+chatJSON.path, `{"model":"none"}`, bearer(g.secret)).finish()
			if failed.header.Get(costHeader) != "" || failed.header.Get("Trailer") != "" {
				t.Errorf("an error: %v", failed.header)
			}
		})
	}
}

// HTTP/1.0 knows neither chunks nor trailers.
func TestNoTrailerWithoutChunks(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	connection, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, err = io.WriteString(connection, "POST "+chatStream.path+" HTTP/1.0\r\nHost: "+strings.TrimPrefix(g.url, "http://")+"\r\nAuthorization: Bearer "+g.secret+"\r\nContent-Type: application/json\r\n"+
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(chatStream.body), chatStream.body))
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	answer := string(read)
	if strings.Contains(answer, costHeader) || strings.Contains(answer, "Trailer") || !strings.HasSuffix(answer, "data: [DONE]\n\n") {
		t.Errorf("answered %s", answer)
	}
	if record := g.records(1)[0]; record.Status != metering.StatusOK {
		t.Errorf("record %+v", record)
	}
}

// withoutOwnID is an error without the id of the request that it answers.
func withoutOwnID(r reply) string {
	return strings.ReplaceAll(string(r.body), r.header.Get("Faregate-Request-Id"), "")
}

// What is asked for with GET depends on the key, which a cache between here and the
// client does not know for one in a field of its own or in the query: it must keep nothing.
func TestNoCacheKeepsWhatDependsOnTheKey(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	id := g.call(chatJSON.path, chatJSON.body).header.Get("Faregate-Request-Id")
	for _, path := range []string{"/v1/generation?id=" + id, "/v1/models", "/v1/models/gpt-4.1-mini", "/v1beta/models", "/v1/generation?id=" + uuid.NewString(), "/v1/nothing"} {
		for name, header := range map[string]http.Header{"with a key": xAPIKey(g.secret), "without": {}} {
			got := g.callWith(path, "", header)
			if caching := got.header.Values("Cache-Control"); len(caching) != 1 || caching[0] != "no-store" {
				t.Errorf("%s %s: %d, Cache-Control %q", path, name, got.status, caching)
			}
		}
	}
}
