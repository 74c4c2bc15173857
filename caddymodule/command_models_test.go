package caddymodule

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/store"
)

const modelsCaddyfile = `{
	admin off
	faregate {
		store sqlite {env.FAREGATE_TEST_STORE}
		provider anthropic {env.FAREGATE_TEST_ANTHROPIC}
		provider openai {env.FAREGATE_TEST_OPENAI}
		model house-model {
			to anthropic/claude-haiku-4-5
			price input 2.5 output 10 cache_read 0.25
		}
		model house-* {
			to anthropic/claude-*
		}
		model cheap/* {
			to anthropic/*
			price input 1 output 2
		}
	}
}

http://localhost {
	faregate
}
`

func TestModelsCommand(t *testing.T) {
	term := &terminal{t: t, now: testNow}
	t.Setenv("FAREGATE_TEST_ANTHROPIC", "sk-ant-canary")
	t.Setenv("FAREGATE_TEST_OPENAI", "")
	config := writeConfig(t, "Caddyfile", modelsCaddyfile)

	stdout, stderr, err := term.run("models", "--config", config, "--json")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "FAREGATE_TEST_OPENAI") {
		t.Errorf("the provider that is left out should be named in one line: %s", stderr)
	}
	found := make(map[string]string)
	for line := range strings.Lines(stdout) {
		var model struct{ Model, Provider string }
		if err := json.Unmarshal([]byte(line), &model); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if model.Provider != "anthropic" {
			t.Errorf("a model of a provider that is left out: %s", line)
		}
		found[model.Model] = line
	}
	if _, ok := found["claude-haiku-4-5"]; !ok {
		t.Errorf("claude-haiku-4-5 is missing in:\n%s", stdout)
	}
	wantText(t, found["house-model"], `{"model":"house-model","provider":"anthropic","dialects":["anthropic"],"context_length":200000,"output_limit":64000,"price_version":"configured",`+
		`"prices":{"input":"2.50","cache_read":"0.25","cache_write":"2.50","cache_write_5m":"2.50","cache_write_1h":"2.50","input_audio":"2.50","input_image":"2.50","input_video":"2.50",`+
		`"cache_read_audio":"0.25","cache_read_image":"0.25","cache_read_video":"0.25","output":"10.00","output_audio":"10.00","output_image":"10.00",`+
		`"output_video":"10.00"}}
`)

	wantText(t, found["house-*"], `{"model":"house-*","provider":"anthropic","dialects":["anthropic"]}
`)
	if line := found["cheap/*"]; !strings.Contains(line, `"price_version":"configured","prices":{"input":"1.00"`) {
		t.Errorf("names that stand for many, with a price: %s", line)
	}

	t.Setenv("FAREGATE_TEST_OPENAI", "sk-canary")
	table := term.must("models", "--config", config)
	if !strings.HasPrefix(table, "MODEL") || !strings.Contains(table, "openai") || strings.Contains(table+stdout+stderr, "canary") {
		t.Errorf("the table:\n%s", table)
	}

	t.Setenv("FAREGATE_TEST_ANTHROPIC", "")
	t.Setenv("FAREGATE_TEST_OPENAI", "")
	stdout, stderr, err = term.run("models", "--config", config)
	if err == nil || stdout != "" || !strings.Contains(stderr, "no provider is usable") {
		t.Errorf("without any key: %v\n%s%s", err, stdout, stderr)
	}
}

func TestModelsOfAKey(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	few, _ := term.key("ada", "--models", "claude-haiku-*,cheap/a*")
	careful, _ := term.key("ada", "--data-policy", "zdr")
	t.Setenv("FAREGATE_TEST_STORE", strings.TrimPrefix(term.address, "sqlite:"))
	t.Setenv("FAREGATE_TEST_ANTHROPIC", "sk-ant-canary")
	t.Setenv("FAREGATE_TEST_OPENAI", "sk-canary")
	term.address = ""
	config := writeConfig(t, "Caddyfile", strings.Replace(modelsCaddyfile, "provider openai {env.FAREGATE_TEST_OPENAI}",
		"provider openai {env.FAREGATE_TEST_OPENAI} {\n\t\t\tdata_policy zdr\n\t\t}", 1))
	list := func(key string) (names []string) {
		t.Helper()
		for line := range strings.Lines(term.must("models", "--config", config, "--key", key, "--json")) {
			var model struct{ Model string }
			if err := json.Unmarshal([]byte(line), &model); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			names = append(names, model.Model)
		}
		return names
	}
	for _, name := range list(few) {
		if !strings.HasPrefix(name, "claude-haiku-") && name != "cheap/*" {
			t.Errorf("a key for few models may call %s", name)
		}
	}
	if names := list(few); !slices.Contains(names, "claude-haiku-4-5") || !slices.Contains(names, "cheap/*") {
		t.Errorf("%q", names)
	}
	if names := list(strings.ToUpper(careful)); !slices.Contains(names, "gpt-4.1-mini") || slices.Contains(names, "claude-haiku-4-5") || slices.Contains(names, "house-model") {
		t.Errorf("with zdr: %q", names)
	}
	policy := preferences.DataPolicyZDR
	if err := books.EditAccount(t.Context(), ada, store.AccountEdit{DataPolicy: &policy}); err != nil {
		t.Fatal(err)
	}
	if names := list(few); len(names) != 0 {
		t.Errorf("with an account's zdr: %q", names)
	}
	term.fails([]string{"there is no key"}, "models", "--config", config, "--key", ada)
}

func TestCommandsReadACaddyfile(t *testing.T) {
	term, _ := newTerminal(t)
	ada := term.account("ada")
	t.Setenv("FAREGATE_TEST_STORE", strings.TrimPrefix(term.address, "sqlite:"))
	term.address = ""
	for name, arguments := range map[string][]string{
		"by its name": {"--config", writeConfig(t, "Caddyfile.production", modelsCaddyfile)},
		"by its end":  {"--config", writeConfig(t, "site.caddyfile", modelsCaddyfile)},
		"by adapter":  {"--config", writeConfig(t, "server.conf", modelsCaddyfile), "--adapter", "caddyfile"},
	} {
		if printed := term.must(append([]string{"account", "show", "ada"}, arguments...)...); !strings.Contains(printed, ada) {
			t.Errorf("%s: %s", name, printed)
		}
	}
	copyOf := writeConfig(t, "Caddyfile", modelsCaddyfile)
	t.Chdir(strings.TrimSuffix(copyOf, "Caddyfile"))
	if printed := term.must("account", "show", "ada"); !strings.Contains(printed, ada) {
		t.Errorf("the working directory's: %s", printed)
	}
}
