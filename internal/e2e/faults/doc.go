// Package faults proves the ledger with real processes: gateways that are killed,
// paused and stopped under load, and databases that go away. It has tests only.
//
// Each gateway is a process of its own, the test binary run again as caddy; so with
// -race they are watched as well. In front of them are clients that keep what they
// have seen, behind them internal/simulator as the provider, and below them a real
// SQLite file or a real PostgreSQL. After every fault the books must say what the
// clients saw: each answer that was seen complete is charged once, with its price, and
// nothing else is; `verify` finds nothing; the balance is the credit less the charges.
//
//	go test ./internal/e2e/faults                                # the short form, within a minute or two
//	go test ./internal/e2e/faults -run Kill -v                   # with its figures
//	go test ./internal/e2e/faults -run Kill -v -kills 1000 -timeout 3h
//	go test ./internal/e2e/faults -run 'Kill/sqlite' -v -kills 200 -seed 4711
//
// -kills is how often each gateway of TestKill is killed (10). -seed draws the moments of
// the kills and the calls again that an earlier run printed; what the machine makes of
// them is its own.
package faults
