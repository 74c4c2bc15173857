package caddymodule

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// document is an answer in one piece with a text of this many bytes.
func document(text int) []byte {
	return []byte(`{"model":"gpt-4.1-mini","choices":[{"index":0,"message":{"content":"` + strings.Repeat("a", text) +
		`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}`)
}

// A document that breaks while nothing of it has reached the client is taken elsewhere,
// or is an error in the dialect's shape. Nobody pays for it but the operator.
func TestABrokenDocumentIsAnErrorAndNotCharged(t *testing.T) {
	short := document(500)
	for name, c := range map[string]struct {
		response simulator.Response
		operator metering.Nanos
	}{
		"promised more": {simulator.Response{Body: short, ContentLength: int64(len(short)) + 100}, 18_000},
		"cut short":     {simulator.Response{Body: short, Fault: simulator.HangUp, FaultAt: 100}, 0},
		"no document":   {simulator.Response{Body: []byte(`{"choices":[{"message":{"content":"a"}}] and so on`)}, 0},
		"empty":         {simulator.Response{Body: []byte{}}, 0},
	} {
		c.response.Status, c.response.ContentType = http.StatusOK, "application/json"
		t.Run(name, func(t *testing.T) {
			other, extra := otherProvider(t, simulator.Options{})
			g := startGateway(t, gatewayOptions{extra: extra})
			credit := g.balance()
			g.provider.Add(simulator.Step{Response: c.response}, simulator.Step{Response: c.response})
			if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusServiceUnavailable || got.errorCode() == "" {
				t.Errorf("%d %v %s", got.status, got.err, got.body)
			}
			if got := g.call(chatJSON.path, twofold[0].body); got.status != http.StatusOK || len(other.Requests()) != 1 {
				t.Errorf("with another provider: %d %v %s", got.status, got.err, got.body)
			}
			records := g.records(2)
			if records[0].Status != metering.StatusProviderError || records[0].Basis != metering.BasisWaived || records[0].Cost != 0 {
				t.Errorf("record %+v", records[0])
			}
			// gpt-4.1-mini: 9 tokens of input at 0.40 dollars a million, 9 of output at 1.60.
			if got := g.operatorCost(); got != 2*c.operator {
				t.Errorf("the operator pays %s, want %s twice", got, c.operator)
			}
			g.settledUp(credit, records)
		})
	}
}

// A document that is too long to wait for its end, and breaks, is told by the cut of
// the connection.
func TestABrokenMessageIsCut(t *testing.T) {
	long := document(2 * readAheadBytes)
	for name, c := range map[string]struct {
		response simulator.Response
		basis    metering.Basis
	}{
		"promised more": {simulator.Response{ContentLength: int64(len(long)) + 100}, metering.BasisMeasured},
		// The text was given, and is paid for by our own count.
		"cut short": {simulator.Response{Fault: simulator.HangUp, FaultAt: int64(len(long)) - 40}, metering.BasisEstimated},
	} {
		response := c.response
		response.Status, response.ContentType, response.Body = http.StatusOK, "application/json", long
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{})
			before := g.balance()
			g.provider.Add(simulator.Step{Response: response})
			if got := g.call(chatJSON.path, chatJSON.body); got.err == nil || !bytes.HasPrefix(got.body, long[:1000]) {
				t.Errorf("%d %v %.100s", got.status, got.err, got.body)
			}
			record := g.records(1)[0]
			if record.Status != metering.StatusProviderError || record.Basis != c.basis || record.Cost == 0 || g.balance() != before-record.Cost {
				t.Errorf("record %+v, balance %s", record, g.balance())
			}
			g.verify()
		})
	}
}

// White space that keeps a connection alive does not keep the answer's header back.
func TestKeepAlivesOfADocumentPass(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	gate := simulator.NewGate()
	body := append([]byte("\n\n\n"), document(10)...)
	g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "application/json", Body: body,
		Pauses: []simulator.Pause{{At: 3, Gate: gate}}}})
	call := g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret))
	call.read(3)
	gate.Open()
	if got := call.finish(); got.err != nil || !bytes.Equal(got.body, document(10)) {
		t.Errorf("%v %s", got.err, got.body)
	}
	if record := g.records(1)[0]; record.Status != metering.StatusOK || record.Cost == 0 {
		t.Errorf("record %+v", record)
	}
}

// operatorCost is what was booked as the operator's for the account's requests.
func (g *gateway) operatorCost() (sum metering.Nanos) {
	g.t.Helper()
	now := g.records(1)[0].StartedAt
	days, err := g.store.DailyUsage(testContext(g.t), g.account, now.AddDate(0, 0, -1), now.AddDate(0, 0, 2))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, day := range days {
		sum += day.OperatorCost
	}
	return sum
}
