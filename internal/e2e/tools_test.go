package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
)

var withTools = flag.Bool("tools", false, "call the gateway by command-line tools too; ./xcaddy.sh test-tools installs them")

// agent is a command-line tool of docs/clients.md, and how its model makes it read
// the file that it is asked about.
type agent struct {
	bin, model                   string
	operation, dialect, provider string
	tool, arguments              string // DIR stands for the working directory
}

// tools are by their sections on the page.
var tools = map[string]agent{
	"Codex":       {"codex", "gpt-5.5", "responses", "openai", "openai", "exec_command", `{"cmd":"cat fare.txt"}`},
	"Claude Code": {"claude", "claude-haiku-4-5", "messages", "anthropic", "anthropic", "Read", `{"file_path":"DIR/fare.txt"}`},
	"Gemini CLI":  {"gemini", "gemini-2.5-flash", "generate_content", "google", "google", "read_file", `{"file_path":"fare.txt"}`},
	"opencode":    {"opencode", "gpt-4.1-mini", "chat", "openai", "openai", "read", `{"filePath":"DIR/fare.txt"}`},
}

const (
	toolsHome = "tools/node_modules/.bin"
	// fareWritten is in the file, and nowhere else: who sends it has read the file.
	fareWritten = "To Alexanderplatz: 2.40"
	agentsWord  = "The file says what the ride to Alexanderplatz costs."
	// maxAgentBody has room for the tools' own long prompts.
	maxAgentBody = 8 << 20
	// agentsPatience is for tools that look around before they begin.
	agentsPatience = 3 * time.Minute
)

// The numbers that the provider reports of the turn's two requests.
var (
	agentAsks    = simulator.Usage{Input: 12_000, CacheRead: 8_000, Output: 57}
	agentAnswers = simulator.Usage{Input: 12_100, CacheRead: 12_000, Output: 9}
)

func countsOf(u simulator.Usage) counts {
	return counts{"input_total": u.Input, "input": u.Input - u.CacheRead, "cache_read": u.CacheRead, "output_total": u.Output, "output": u.Output}
}

// Each command-line tool, set up as the page says, reads a file because the model
// calls its tool for that, and says what the model makes of it. All that it sent is
// on the books.
func TestCommandLineTools(t *testing.T) {
	if !*withTools {
		t.Skip("they are 1.1 GB; ./xcaddy.sh test-tools runs this")
	}
	g := startGatewayFor(t, maxAgentBody)
	pieces := g.documented()
	for section, a := range tools {
		t.Run(a.bin, func(t *testing.T) {
			c := g.in(t).newCustomer(a.bin, "20")
			home, dir := t.TempDir(), t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "fare.txt"), []byte(fareWritten+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			before := len(g.provider.Requests())
			g.provider.Add(
				simulator.Step{Having: []string{fareWritten}, Response: simulator.Response{Answer: &simulator.Answer{Text: agentsWord, Usage: &agentAnswers}}},
				simulator.Step{Having: []string{`"` + a.tool + `"`}, Response: simulator.Response{Answer: &simulator.Answer{Usage: &agentAsks, Tool: &simulator.ToolCall{
					Name: a.tool, Arguments: strings.ReplaceAll(a.arguments, "DIR", dir)}}}},
			)
			ran := 0
			for _, piece := range pieces {
				switch {
				case piece.section != section:
				case piece.file != "":
					piece.write(t, home)
				default:
					ran++
					if said := a.run(t, c, piece.text, home, dir); !strings.Contains(said, agentsWord) {
						t.Errorf("%s said %s", a.bin, said)
					}
				}
			}
			if left := g.provider.Unused(); ran != 1 || left != 0 {
				t.Fatalf("%d commands on the page, and %d answers were not asked for", ran, left)
			}
			requests := g.provider.Requests()[before:]
			a.expectRecords(t, c, len(requests))
			for _, sent := range requests {
				if shown := fmt.Sprint(sent.RequestURI, sent.Header, string(sent.Body)); strings.Contains(shown, "sk-fg-") || strings.Contains(shown, "X-Stainless") {
					t.Errorf("the provider got %.2000s", shown)
				}
			}
		})
	}
}

// run runs the page's commands, away from everything but the gateway.
func (a agent) run(t *testing.T, c *customer, commands, home, dir string) string {
	t.Helper()
	bin, err := filepath.Abs(toolsHome)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, a.bin)); err != nil {
		t.Fatalf("%v: run ./xcaddy.sh test-tools, which installs it", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), agentsPatience)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-euc", commands)
	command.Dir = dir
	command.WaitDelay = time.Second // for what it has left running
	command.Env = []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + home, "FAREGATE_KEY=" + c.secret,
		"HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1",
	}
	var said, complained bytes.Buffer
	command.Stdout, command.Stderr = &said, &complained
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", a.bin, err, said.String(), complained.String())
	}
	t.Logf("%s said %q", a.bin, said.String())
	return said.String()
}

// expectRecords fails unless all that the provider got is on the books: the turn's two
// requests, and perhaps one beside them for a title.
func (a agent) expectRecords(t *testing.T, c *customer, requests int) {
	t.Helper()
	spent := new(big.Rat)
	var turn []record
	for _, r := range c.records(requests) {
		t.Logf("record: %s %s %s, %v, $%s", r.Operation, r.ModelRequested, r.FinishReason, r.Usage, r.Cost)
		if r.Status != "ok" || r.Basis != "measured" || !r.Streamed || r.Operation != a.operation || r.Dialect != a.dialect || r.Provider != a.provider || r.ModelRequested != a.model {
			t.Errorf("record %+v", r)
		}
		if r.Usage["cache_read"] == 0 {
			spent.Add(spent, r.expectCharge(t, plain(r.Usage["input"], r.Usage["output"]), a.model))
			continue
		}
		turn = append(turn, r)
	}
	if len(turn) != 2 {
		t.Fatalf("%d requests of the turn, want 2", len(turn))
	}
	for i, u := range []simulator.Usage{agentAsks, agentAnswers} {
		spent.Add(spent, turn[i].expectCharge(t, countsOf(u), a.model))
	}
	c.expectSpent(spent)
}
