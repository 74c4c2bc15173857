// Package attacks proves that strangers cannot keep a gateway from serving its customers.
// It has tests only, for Linux.
//
// The gateway is a process of its own, the test binary run again as caddy, with an SQLite
// store, in front of internal/simulator as the provider. One customer behaves well while
// others attack over real sockets of this machine: slowly, with many idle streams, with
// floods of headers, HTTP/2 resets and wrong keys, and with requests that two parsers would
// read in two ways. All calls of the customer must be answered, the gateway's memory must
// stay within bounds, and the books must say what was served, and nothing else.
//
//	go test ./internal/e2e/attacks                       # the short form: counts and bounds
//	go test ./internal/e2e/attacks -v -long -timeout 20m # the whole, with the customer's goodput
//
// Goodput is told and bounded loosely in the long form only: it is also a matter of what
// else the machine does.
package attacks
