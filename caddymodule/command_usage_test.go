package caddymodule

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
	"github.com/faregate/faregate/metering/usage"
)

// settle writes records as a server does, while the commands run beside it.
func settle(t *testing.T, books *store.Store, hold metering.Nanos, records ...*metering.Record) {
	t.Helper()
	open, err := ledger.Open(t.Context(), books, ledger.Options{Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		held, err := open.Hold(t.Context(), record.AccountID, hold)
		if err != nil {
			t.Fatal(err)
		}
		if err := held.Settle(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
	if err := open.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

const requestID = "0199e0a0-7c1c-7000-8000-0000000000%02d"

// newRecord has every field set, the classes of usage too.
func newRecord(number int, accountID, keyID string, started time.Time) *metering.Record {
	return &metering.Record{
		ID: fmt.Sprintf(requestID, number), AccountID: accountID, KeyID: keyID, StartedAt: started,
		Duration: 2345678 * time.Microsecond, TimeToFirstToken: 456789 * time.Microsecond,
		Operation: "messages", Dialect: "anthropic", Provider: "anthropic",
		ModelRequested: "claude-haiku-4-5", ModelServed: "claude-haiku-4-5-20251001", Attempts: 2,
		Status: metering.StatusOK, HTTPStatus: 200, Streamed: true, FinishReason: "end_turn", ServiceTier: "standard",
		Basis: metering.BasisMeasured, Cost: 1_234_567, PriceVersion: "2026-11-23",
		Usage: usage.Usage{
			InputTotal: 66, OutputTotal: 60, Input: 1, CacheRead: 2, CacheWrite: 3, CacheWrite5m: 4, CacheWrite1h: 5, InputAudio: 6, InputImage: 7,
			InputVideo: 8, CacheReadAudio: 9, CacheReadImage: 10, CacheReadVideo: 11, Output: 21, Reasoning: 12, OutputAudio: 19, OutputImage: 20,
			Units: usage.Units{WebSearch: 3, WebFetch: 4},
		},
	}
}

func plainRecord(number int, accountID, keyID string, started time.Time) *metering.Record {
	record := newRecord(number, accountID, keyID, started)
	record.Usage = usage.Usage{InputTotal: 12, OutputTotal: 34, Input: 12, Output: 34}
	record.TimeToFirstToken, record.FinishReason, record.ServiceTier = 0, "", ""
	return record
}

func TestRequestCommand(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	key, _ := term.key("ada")
	term.must("deposit", "--account", "ada", "--amount", "0.001", "--ref", "r1")
	settle(t, books, 1_000_000, newRecord(1, ada, key, testNow))

	// The cost is more than the hold and the credit: the rest is the shortfall.
	id := fmt.Sprintf(requestID, 1)
	var record map[string]any
	printed := term.json(&record, "request", strings.ToUpper(id))
	wantText(t, printed, `{"id":"{id}","account_id":"{ada}","key_id":"{key}","started_at":"2026-11-23T12:00:00.123456Z","duration_ms":2345,"ttft_ms":456,`+
		`"operation":"messages","dialect":"anthropic","provider":"anthropic","model_requested":"claude-haiku-4-5","model_served":"claude-haiku-4-5-20251001",`+
		`"attempts":2,"status":"ok","http_status":200,"streamed":true,"finish_reason":"end_turn","service_tier":"standard","basis":"measured",`+
		`"usage":{"input_total":66,"output_total":60,"input":1,"cache_read":2,"cache_write":3,"cache_write_5m":4,"cache_write_1h":5,"input_audio":6,"input_image":7,`+
		`"input_video":8,"cache_read_audio":9,"cache_read_image":10,"cache_read_video":11,"output":21,"reasoning":12,"output_audio":19,"output_image":20,`+
		`"units":{"web_search":3,"web_fetch":4}},"cost":"0.001234567","shortfall":"0.000234567","price_version":"2026-11-23"}
`, "{id}", id, "{ada}", ada, "{key}", key)
	wantText(t, term.must("request", id), `id                        {id}
account                   {ada}
key                       {key}
started                   2026-11-23 12:00:00Z
duration                  2.345678s
operation                 messages
dialect                   anthropic
provider                  anthropic
model requested           claude-haiku-4-5
model served              claude-haiku-4-5-20251001
attempts                  2
status                    ok
HTTP status               200
streamed                  true
finish reason             end_turn
service tier              standard
basis                     measured
time to first token       456.789ms
input tokens              66
output tokens             60
  input                   1
  cache read              2
  cache write             3
  cache write, 5 minutes  4
  cache write, 1 hour     5
  audio input             6
  image input             7
  video input             8
  audio cache read        9
  image cache read        10
  video cache read        11
  output                  21
    of it reasoning       12
  audio output            19
  image output            20
web searches              3
web fetches               4
cost                      0.001234567 USD
not paid (shortfall)      0.000234567 USD
price version             2026-11-23
`, "{id}", id, "{ada}", ada, "{key}", key)

	term.fails([]string{"no record", fmt.Sprintf(requestID, 2)}, "request", fmt.Sprintf(requestID, 2))
	term.fails([]string{"Faregate-Request-Id"}, "request", "17")
	term.fails([]string{"arg"}, "request")
}

func TestUsageCommand(t *testing.T) {
	term, books := newTerminal(t)
	ada, bob := term.account("ada"), term.account("bob")
	adasKey, _ := term.key("ada")
	adasOther, _ := term.key("ada")
	bobsKey, _ := term.key("bob")
	term.must("deposit", "--account", "ada", "--amount", "5", "--ref", "r1")
	term.must("deposit", "--account", "bob", "--amount", "5", "--ref", "r2")
	settle(t, books, 2_000_000,
		plainRecord(4, ada, adasKey, testNow.Add(-time.Hour)),
		plainRecord(1, ada, adasKey, testNow.Add(-49*time.Hour)),
		plainRecord(2, bob, bobsKey, testNow.Add(-48*time.Hour)),
		plainRecord(3, ada, adasOther, testNow.Add(-24*time.Hour)),
	)

	wantText(t, term.must("usage"), `STARTED               ID                                    MODEL             STATUS  BASIS     INPUT  OUTPUT  COST USD     MS
2026-11-21 11:00:00Z  {1}  claude-haiku-4-5  ok      measured  12     34      0.001234567  2345
2026-11-21 12:00:00Z  {2}  claude-haiku-4-5  ok      measured  12     34      0.001234567  2345
2026-11-22 12:00:00Z  {3}  claude-haiku-4-5  ok      measured  12     34      0.001234567  2345
2026-11-23 11:00:00Z  {4}  claude-haiku-4-5  ok      measured  12     34      0.001234567  2345
`, "{1}", fmt.Sprintf(requestID, 1), "{2}", fmt.Sprintf(requestID, 2), "{3}", fmt.Sprintf(requestID, 3), "{4}", fmt.Sprintf(requestID, 4))

	for _, row := range []struct {
		want  []int
		flags []string
	}{
		{[]int{1, 2, 3, 4}, nil},
		{[]int{1, 3, 4}, []string{"--account", "ada"}},
		{[]int{2}, []string{"--account", "bob@example.com"}},
		{[]int{3}, []string{"--key", adasOther}},
		{nil, []string{"--account", "bob", "--key", adasKey}},
		{[]int{3, 4}, []string{"--since", "24h"}},
		{[]int{1, 2}, []string{"--until", "24h"}},
		{[]int{2, 3}, []string{"--since", "2d", "--until", "1h"}},
		{[]int{1, 2}, []string{"--since", "2026-11-21", "--until", "2026-11-22"}},
		{[]int{3}, []string{"--since", "2026-11-21T12:00:00.123457Z", "--until", "2026-11-23T11:00:00.123456Z"}},
		{[]int{4}, []string{"--account", ada, "--key", adasKey, "--since", "2026-11-22"}},
		{nil, []string{"--since", "0s"}},
	} {
		printed := term.must(append(append([]string{"usage"}, row.flags...), "--json")...)
		var got []int
		for line := range strings.Lines(printed) {
			var record struct{ ID string }
			var number int
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatalf("%v: %q: %v", row.flags, line, err)
			}
			if _, err := fmt.Sscanf(record.ID, requestID, &number); err != nil {
				t.Fatal(err)
			}
			got = append(got, number)
		}
		if fmt.Sprint(got) != fmt.Sprint(row.want) {
			t.Errorf("%v: got %v, want %v", row.flags, got, row.want)
		}
	}

	// Zero classes and nothing else are left out.
	printed := term.must("usage", "--account", "bob", "--json")
	wantText(t, printed, `{"id":"{id}","account_id":"{bob}","key_id":"{key}","started_at":"2026-11-21T12:00:00.123456Z","duration_ms":2345,"ttft_ms":0,`+
		`"operation":"messages","dialect":"anthropic","provider":"anthropic","model_requested":"claude-haiku-4-5","model_served":"claude-haiku-4-5-20251001",`+
		`"attempts":2,"status":"ok","http_status":200,"streamed":true,"finish_reason":"","service_tier":"","basis":"measured",`+
		`"usage":{"input_total":12,"output_total":34,"input":12,"output":34},"cost":"0.001234567","shortfall":"0.00","price_version":"2026-11-23"}
`, "{id}", fmt.Sprintf(requestID, 2), "{bob}", bob, "{key}", bobsKey)

	for _, row := range []struct{ words, arguments []string }{
		{[]string{"--since", "yesterday", "2026-11-23"}, []string{"usage", "--since", "yesterday"}},
		{[]string{"--until", "24h"}, []string{"usage", "--until", "2026-13-01"}},
		{[]string{"--since must be before --until"}, []string{"usage", "--since", "1h", "--until", "2h"}},
		{[]string{`no account "eve"`}, []string{"usage", "--account", "eve"}},
		{[]string{"--key", "key list"}, []string{"usage", "--key", "laptop"}},
	} {
		term.fails(row.words, row.arguments...)
	}
}

// A list that is longer than what is aligned at once, and than a page of the store.
func TestUsageCommandListsMany(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	key, _ := term.key("ada")
	term.must("deposit", "--account", "ada", "--amount", "100", "--ref", "r1")
	lease, _, err := books.Join(t.Context(), "node", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := books.Draw(t.Context(), lease, ledger.Draw{Number: 1, AccountID: ada, Account: ledger.Wish{Most: ledger.Everything}}); err != nil {
		t.Fatal(err)
	}
	const many = 2*rowsAligned + 3
	settlements := make([]*ledger.Settlement, many)
	for i := range settlements {
		record := plainRecord(0, ada, key, testNow.Add(time.Duration(i)*time.Microsecond))
		record.ID = fmt.Sprintf("0199e0a0-7c1c-7000-8000-%012d", i)
		settlements[i] = &ledger.Settlement{Record: *record, Debit: record.Cost}
	}
	if err := books.Settle(t.Context(), lease, settlements); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--json"}} {
		lines := strings.Split(strings.TrimSuffix(term.must(append([]string{"usage"}, flags...)...), "\n"), "\n")
		if flags == nil {
			lines = lines[1:]
		}
		if len(lines) != many {
			t.Fatalf("%v: %d lines, want %d", flags, len(lines), many)
		}
		for i, line := range lines {
			if !strings.Contains(line, settlements[i].Record.ID) {
				t.Fatalf("%v: line %d is %s", flags, i, line)
			}
		}
	}
}
