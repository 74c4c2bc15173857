package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth" // basic_auth, whose place in the order matters
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
)

var updateAdapted = flag.Bool("update", false, "rewrite the expected JSON in testdata/adapt with what the adapter makes")

// dashes divide the Caddyfile from its JSON in a .caddytest file, as in Caddy's own.
const dashes = "----------\n"

// TestAdapt compares what Caddyfiles become with testdata/adapt/*.caddytest, to the
// letter. After a wanted change: go test ./caddymodule -run TestAdapt -update, and
// read the diff.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddytest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddytest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, divided := strings.Cut(string(content), dashes)
			if !divided && !*updateAdapted {
				t.Fatalf("%s has no line of ten dashes between Caddyfile and JSON", file)
			}
			got := adaptCleanly(t, input)
			if *updateAdapted {
				if err := os.WriteFile(file, []byte(input+dashes+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("the adapted JSON differs (- expected, + adapted):\n%s", lineDiff(want, got))
			}
		})
	}
}

// TestAdaptShippedCaddyfiles adapts the Caddyfiles that users copy.
func TestAdaptShippedCaddyfiles(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"../Caddyfile.example":   nil,
		"../docs/demo.Caddyfile": {"FAREGATE_DEMO_DIR": "/tmp/demo", "FAREGATE_DEMO_PORT": "18080"},
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			input, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			unsetEnvironment(t, "FAREGATE_DEMO_DIR", "FAREGATE_DEMO_PORT")
			plain := adaptCleanly(t, string(input))
			for _, part := range []string{"faregate_auth", "faregate_route", "faregate_meter", `"protocol": "faregate"`, `"source": "faregate"`} {
				if strings.Count(plain, part) != 1 {
					t.Errorf("%s stands %d times in the adapted JSON, want 1", part, strings.Count(plain, part))
				}
			}
			if environment == nil {
				return
			}
			for variable, value := range environment {
				t.Setenv(variable, value)
			}
			set := adaptCleanly(t, string(input))
			for _, value := range environment {
				if strings.Contains(plain, value) || !strings.Contains(set, value) {
					t.Errorf("%s has no effect", value)
				}
			}
		})
	}
}

// adaptCleanly adapts a Caddyfile and demands that there are no warnings: the
// adapter warns of what `caddy fmt` would change, among other things.
func adaptCleanly(t *testing.T, input string) string {
	t.Helper()
	result, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), nil)
	if err != nil {
		t.Fatalf("adapting: %v", err)
	}
	for _, warning := range warnings {
		t.Errorf("adapting warns: %s", warning)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, result, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String() + "\n"
}

// unsetEnvironment unsets variables until the test has ended.
func unsetEnvironment(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		t.Setenv(name, "") // restores it afterwards
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
}

// lineDiff shows the lines between the first and the last difference, and three
// lines around them.
func lineDiff(want, got string) string {
	const around = 3
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	var diff strings.Builder
	fmt.Fprintf(&diff, "from line %d of the JSON:\n", start+1)
	write := func(mark string, lines []string) {
		for _, line := range lines {
			fmt.Fprintf(&diff, "%s %s\n", mark, line)
		}
	}
	write(" ", a[max(0, start-around):start])
	write("-", a[start:len(a)-end])
	write("+", b[start:len(b)-end])
	write(" ", a[len(a)-end:min(len(a), len(a)-end+around)])
	return diff.String()
}

// TestAdaptDocumented adapts the Caddyfiles that the documents show, so that they
// cannot fall behind.
func TestAdaptDocumented(t *testing.T) {
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, document := range append(documents, "../README.md") {
		content, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(content), "```caddyfile\n")[1:] {
			text, _, closed := strings.Cut(block, "```")
			if !closed {
				t.Fatalf("%s: block %d is not closed", document, i+1)
			}
			shown++
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(document), i+1), func(t *testing.T) {
				adaptCleanly(t, completed(text))
			})
		}
	}
	if shown == 0 {
		t.Error("no document shows a Caddyfile")
	}
}

// completed makes a whole Caddyfile of lines of the faregate global option.
func completed(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if !slices.Contains([]string{"store", "provider", "model", "prices", "access_log"}, first) {
		return text
	}
	if first == "model" {
		text = "provider openai {env.OPENAI_API_KEY}\nprovider house {\n\tdialect openai\n\tbase_url https://house.example/v1\n\tapi_key {env.HOUSE_KEY}\n}\n" + text
	}
	indented := strings.ReplaceAll("\n"+strings.TrimSpace(text), "\n", "\n\t\t")
	return "{\n\tfaregate {" + indented + "\n\t}\n}\n"
}
