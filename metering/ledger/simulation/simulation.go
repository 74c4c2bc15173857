// Package simulation tries the ledger out on several nodes whose network, clocks and
// processes fail in every way that it can think of, in virtual time: a minute of four
// nodes takes milliseconds. Everything that happens follows from a seed.
//
//	go test ./metering/ledger/simulation                      # a few hundred seeds
//	go test ./metering/ledger/simulation -seeds 20000         # the long form
//	go test ./metering/ledger/simulation -seed 4711 -v        # one seed again, with all that happens
//
// The store is the one in memory, which passes the same conformance suite as the SQL
// stores. After every run: no balance is below zero, what a node reported as durable is
// in the store once and with its amount, what was refused is not, limits of keys were
// kept, every grant has an owner, and in the end all credit can be spent by any node.
package simulation
