package faregate_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/dependencies.md has each direct dependency of go.mod with its reason, and none
// that is gone.
func TestEveryDependencyHasItsReason(t *testing.T) {
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var required, explained []string
	for _, line := range regexp.MustCompile(`(?m)^(?:require |\t)(\S+\.\S+/\S+|\S+\.\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(string(module), -1) {
		if line[2] == "" {
			required = append(required, line[1])
		}
	}
	for line := range strings.Lines(string(document)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], ".") {
			continue
		}
		for name := range strings.SplitSeq(cells[1], ",") {
			explained = append(explained, strings.TrimSpace(name))
		}
		if strings.TrimSpace(cells[2]) == "" || strings.TrimSpace(cells[3]) == "" {
			t.Errorf("no reason for %s", strings.TrimSpace(cells[1]))
		}
	}
	slices.Sort(required)
	slices.Sort(explained)
	if len(required) < 10 {
		t.Fatalf("go.mod requires %q only", required)
	}
	for _, name := range required {
		if !slices.Contains(explained, name) {
			t.Errorf("docs/dependencies.md does not say why %s is required", name)
		}
	}
	for _, name := range explained {
		if !slices.Contains(required, name) {
			t.Errorf("docs/dependencies.md explains %s, which go.mod does not require directly", name)
		}
	}
}
