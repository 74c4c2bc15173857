package caddymodule

import "testing"

// An unset variable of a script must not open a key or choose another store.
func TestEmptyFlagsAreRefused(t *testing.T) {
	term, _ := newTerminal(t)
	for _, row := range [][]string{
		{"--models", "key", "create", "--account", "ada", "--name", "laptop", "--models", ""},
		{"--expires", "key", "create", "--account", "ada", "--name", "laptop", "--expires", ""},
		{"--account", "usage", "--account", ""},
		{"--since", "usage", "--since", ""},
	} {
		term.fails([]string{row[0] + " is empty"}, row[1:]...)
	}
}
