package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// documented is a piece of code in docs/clients.md, as a reader would copy it.
type documented struct {
	section  string // the heading above it
	language string
	file     string // ~/…, where the page says so before it
	text     string
}

const clientsPage = repository + "/docs/clients.md"

var fence = regexp.MustCompile("(?ms)^#+ ([^\n]+)$|(?:^`(~/[^`]+)`:\n\n)?^```(\\w*)\n(.*?)^```$")

// documented is what the page has, in order, with this gateway for the example's.
func (g *gateway) documented() []documented {
	g.t.Helper()
	page, err := os.ReadFile(clientsPage)
	if err != nil {
		g.t.Fatal(err)
	}
	var found []documented
	section := ""
	for _, match := range fence.FindAllStringSubmatch(string(page), -1) {
		if match[1] != "" {
			section = match[1]
			continue
		}
		found = append(found, documented{section, match[3], match[2], strings.ReplaceAll(match[4], "https://api.example.com", g.url)})
	}
	return found
}

// documentedCalls are the calls that the page's code makes, section by section; those
// of the command-line tools are in tools_test.go.
var documentedCalls = []struct {
	section, language string
	models            []string // one call each
	operation         string   // of the first
}{
	{"curl", "sh", []string{"gpt-4.1-mini"}, "chat"},
	{"curl", "sh", []string{"claude-haiku-4-5"}, "messages"},
	{"curl", "sh", []string{"gemini-2.5-flash"}, "generate_content"},
	{"OpenAI SDK", "js", []string{"gpt-4.1-mini"}, "responses"},
	{"OpenAI SDK", "go", []string{"gpt-4.1-mini"}, "chat"},
	{"Anthropic SDK", "js", []string{"claude-haiku-4-5"}, "messages"},
	{"Anthropic SDK", "go", []string{"claude-haiku-4-5"}, "messages"},
	{"Google Gen AI SDK", "js", []string{"gemini-2.5-flash"}, "generate_content"},
	{"Google Gen AI SDK", "go", []string{"gemini-2.5-flash"}, "generate_content"},
	{"AI SDK", "js", []string{"gpt-4.1-mini", "claude-haiku-4-5", "gemini-2.5-flash", "grok-4-fast", "gpt-4.1-mini"}, "responses"},
}

// Every piece of code in docs/clients.md does what the page says, as it stands.
func TestDocumentedClients(t *testing.T) {
	requireSDKs(t)
	g := startGateway(t)
	c := g.newCustomer("rider", "20")
	var pieces []documented
	for _, piece := range g.documented() {
		if _, ok := tools[piece.section]; !ok {
			pieces = append(pieces, piece)
		}
	}
	if len(pieces) != len(documentedCalls) {
		t.Fatalf("the page has %d pieces of code, and %d are known", len(pieces), len(documentedCalls))
	}
	programs := buildDocumented(t, pieces)
	var models []string
	for i, piece := range pieces {
		want := documentedCalls[i]
		t.Run(want.section+" "+want.language, func(t *testing.T) {
			if piece.section != want.section || piece.language != want.language {
				t.Fatalf("the page has %s in %s", piece.language, piece.section)
			}
			command := exec.CommandContext(deadline(t), programs[i])
			switch piece.language {
			case "sh":
				command = exec.CommandContext(deadline(t), "bash", "-euc", piece.text)
			case "js":
				// From the text alone, so that node looks for the packages in this directory.
				command = exec.CommandContext(deadline(t), "node", "--input-type=module", "--eval", piece.text)
			}
			command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "FAREGATE_KEY=" + c.secret}
			said, err := command.CombinedOutput()
			if n := strings.Count(string(said), simulator.StandardText); err != nil || n != len(want.models) {
				t.Fatalf("%v, and %d answers in %s", err, n, said)
			}
			if r := c.in(t).records(len(models) + len(want.models))[len(models)]; r.Operation != want.operation {
				t.Errorf("record %+v", r)
			}
			models = append(models, want.models...)
		})
	}
	spent := new(big.Rat)
	for i, r := range c.records(len(models)) {
		spent.Add(spent, r.expectCharge(t, plain(helloTokens, standardTokens), models[i]))
	}
	c.expectSpent(spent)
}

// buildDocumented builds the programs in Go among the pieces, all at once, and
// returns their paths by the pieces' places.
func buildDocumented(t *testing.T, pieces []documented) map[int]string {
	t.Helper()
	dir := t.TempDir()
	module, err := filepath.Abs(goClientsModule)
	if err != nil {
		t.Fatal(err)
	}
	replaced, programs := map[string]string{}, map[int]string{}
	for i, piece := range pieces {
		if piece.language != "go" {
			continue
		}
		name := "documented" + strconv.Itoa(i)
		source := filepath.Join(dir, name+".go")
		if err := os.WriteFile(source, []byte(piece.text), 0o600); err != nil {
			t.Fatal(err)
		}
		replaced[filepath.Join(module, name, "main.go")] = source
		programs[i] = filepath.Join(dir, name)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", append(slices.Clone(goClientsBuild), "-overlay", filepath.Join(dir, "overlay.json"), "-o", dir+"/")...)
	for _, program := range programs {
		build.Args = append(build.Args, "./"+filepath.Base(program))
	}
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the page's programs: %v\n%s", err, said)
	}
	return programs
}

// write puts a file where the page says, in this home directory.
func (d documented) write(t *testing.T, home string) {
	t.Helper()
	path := filepath.Join(home, strings.TrimPrefix(d.file, "~/"))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is there already: %v", d.file, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(d.text), 0o600); err != nil {
		t.Fatal(err)
	}
}
