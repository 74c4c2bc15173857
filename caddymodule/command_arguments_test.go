package caddymodule

import (
	"path/filepath"
	"testing"
)

func TestArgumentMistakesSayWhatToWrite(t *testing.T) {
	term, _ := newTerminal(t)
	for want, arguments := range map[string][]string{
		"the argument KEY is missing: caddy faregate key revoke KEY\n":                                                                       {"key", "revoke"},
		"the argument \"b\" is too much: caddy faregate key revoke KEY\n":                                                                    {"key", "revoke", "a", "b"},
		"the argument \"x\" is too much: caddy faregate verify\n":                                                                            {"verify", "x"},
		"the argument FILE is missing: caddy faregate prices check FILE\n":                                                                   {"prices", "check"},
		"required and not given: --account (the account: id, e-mail address or username); --name (what the key is for, like laptop or ci)\n": {"key", "create"},
		"unknown flag: --of: caddy faregate key list --help tells its flags\n":                                                               {"key", "list", "--of", "ada"},
		"--input \"1e6\": write a whole number of at most 18 digits\n":                                                                       {"prices", "--model", "gpt-5.4", "--input", "1e6"},
		"--count \"many\": write a whole number\n":                                                                                           {"voucher", "create", "--amount", "5", "--count", "many"},
		"--exact-caps \"maybe\": write true or false\n":                                                                                      {"key", "edit", "a", "--exact-caps=maybe"},
		"--patience \"5\": write a time with its unit, like 15s or 2m\n":                                                                     {"refund", "--amount", "5", "--patience", "5"},
		"flag needs an argument: --account: caddy faregate key list --help tells its flags\n":                                                {"key", "list", "--account"},
	} {
		_, stderr, err := func() (string, string, error) {
			address := term.address
			defer func() { term.address = address }()
			if arguments[len(arguments)-1] == "--account" {
				term.address = ""
			}
			return term.run(arguments...)
		}()
		if err == nil || stderr != "Error: "+want {
			t.Errorf("%q: %v\n%swant\nError: %s", arguments, err, stderr, want)
		}
	}
}

func TestOneMistakeInAPriceBook(t *testing.T) {
	term, _ := newTerminal(t)
	file := writeConfig(t, "book.json", "{")
	stdout, stderr, err := term.run("prices", "check", file)
	if want := "Error: " + file + " has 1 mistake: this price book cannot be used\n"; err == nil || stderr != want {
		t.Errorf("%v, %q, want %q", err, stderr, want)
	}
	if want := "line 1  this is not JSON: unexpected EOF\n"; stdout != want {
		t.Errorf("%q, want %q", stdout, want)
	}
	if _, stderr, err := term.run("prices", "check", filepath.Join(t.TempDir(), "absent")); err == nil || stderr == "" {
		t.Errorf("no file: %v %s", err, stderr)
	}
}
