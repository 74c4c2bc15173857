package caddymodule

import (
	"strings"
	"testing"
)

const groupsCaddyfile = `{
	admin off
	faregate {
		store sqlite {env.FAREGATE_TEST_STORE}
		provider openai {env.FAREGATE_TEST_OPENAI}
		group partners {
			multiply 0.90
			rpm 6000
		}
		group guests {
			tpm 20000
			concurrency 2
		}
	}
}
`

func TestGroupsCommand(t *testing.T) {
	term, _ := newTerminal(t)
	t.Setenv("FAREGATE_TEST_STORE", strings.TrimPrefix(term.address, "sqlite:"))
	config := writeConfig(t, "Caddyfile", groupsCaddyfile)
	term.address = ""
	wantText(t, term.must("groups", "--config", config), `GROUP     MULTIPLY  RPM   TPM    AT ONCE
default   1                      
guests    1               20000  2
partners  0.90      6000         
`)
	wantText(t, term.must("groups", "--config", config, "--json"), `{"group":"default","multiply":"1"}
{"group":"guests","multiply":"1","tpm":20000,"concurrency":2}
{"group":"partners","multiply":"0.90","rpm":6000}
`)

	// A group that is not configured is taken, with a word to the operator.
	warned := func(want bool, arguments ...string) {
		t.Helper()
		stdout, stderr, err := term.run(append(arguments, "--config", config)...)
		if err != nil || stdout == "" {
			t.Fatalf("%q: %v\n%s", arguments, err, stderr)
		}
		if got := strings.Contains(stderr, `does not configure the group "partnres"`) && strings.Contains(stderr, `"partners"`); got != want || !want && stderr != "" {
			t.Errorf("%q: %s", arguments, stderr)
		}
	}
	warned(false, "account", "create", "--email", "ada@example.com", "--username", "ada", "--group", "partners")
	warned(true, "account", "create", "--email", "bob@example.com", "--username", "bob", "--group", "partnres")
	warned(true, "account", "edit", "ada", "--group", "partnres")
	warned(false, "account", "edit", "ada", "--group", "default")
	warned(false, "account", "edit", "bob", "--default-group")
	warned(false, "account", "edit", "bob", "--username", "robert")
}
