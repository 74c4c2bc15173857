package caddymodule

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// logLine waits until the gateway has logged this message, and returns the last such line.
func (g *gateway) logLine(message string) (line map[string]any) {
	g.t.Helper()
	waitFor(g.t, "the log line "+message, func() bool {
		content, err := os.ReadFile(g.logFile)
		if err != nil {
			g.t.Fatal(err)
		}
		for text := range strings.Lines(string(content)) {
			var fields map[string]any
			if json.Unmarshal([]byte(text), &fields) == nil && fields["msg"] == message {
				line = fields
			}
		}
		return line != nil
	})
	return line
}

func TestTheStartIsToldInOneLine(t *testing.T) {
	t.Setenv("FAREGATE_TEST_NODE", "gateway-1")
	g := startGateway(t, gatewayOptions{extra: "node {env.FAREGATE_TEST_NODE}"})
	line := g.logLine("the gateway is ready")
	models, _ := line["models"].(float64)
	if providers, err := json.Marshal(line["providers"]); err != nil || string(providers) != `["anthropic","google","openai"]` ||
		line["level"] != "info" || line["store"] != "sqlite" || line["node"] != "gateway-1" || models < 10 {
		t.Errorf("%v, %v", line, err)
	}
	nodes, err := g.store.Nodes(testContext(t))
	if err != nil || len(nodes) != 1 || nodes[0].Name != "gateway-1" || !nodes[0].Live {
		t.Errorf("nodes %+v, %v", nodes, err)
	}
	t.Setenv("FAREGATE_TEST_NODE", "gateway-2")
	g.load()
	if line := g.logLine("another name of this node counts from the next start of the process on"); line["node"] != "gateway-1" || line["next"] != "gateway-2" {
		t.Errorf("%v", line)
	}
}

func TestNodeNameMistakes(t *testing.T) {
	cleanMachine(t)
	t.Setenv("FAREGATE_TEST_KEY", "sk-usable")
	t.Setenv("FAREGATE_TEST_NODE", "two words")
	unsetEnvironment(t, "FAREGATE_TEST_UNSET")
	for name, want := range map[string]string{
		"{env.FAREGATE_TEST_UNSET}": "node: evaluated placeholder {env.FAREGATE_TEST_UNSET} is empty",
		"{env.FAREGATE_TEST_NODE}":  `node "two words" is not a name: use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit`,
	} {
		log, err := validate(t, "{\nfaregate {\nnode "+name+"\nprovider openai {env.FAREGATE_TEST_KEY}\n}\n}\n")
		checkProvisionError(t, err, log, want)
	}
}

// A reverse_proxy that is not ours would send an empty request to somewhere, after the
// hold: that is told at the start, not to each caller.
func TestAProxyOfAnotherKindIsRefusedAtTheStart(t *testing.T) {
	const pieces = "route {\nfaregate_auth\nfaregate_route\nfaregate_meter\n%PROXY%\n}"
	const own = "reverse_proxy {\ndynamic faregate\ntransport faregate\n}"
	for name, row := range map[string]struct {
		site string
		ok   bool
	}{
		"other transport":         {strings.ReplaceAll(pieces, "%PROXY%", "reverse_proxy https://api.openai.com"), false},
		"without a block":         {"faregate_auth\nfaregate_route\nfaregate_meter\nreverse_proxy https://api.openai.com", false},
		"in a handle":             {"handle {\nfaregate_auth\nfaregate_route\nfaregate_meter\nreverse_proxy https://api.openai.com\n}", false},
		"our transport":           {strings.ReplaceAll(pieces, "%PROXY%", own), true},
		"beside other proxies":    {"handle /v1/* {\nfaregate\n}\nhandle {\nreverse_proxy localhost:3000\n}", true},
		"above another proxy":     {"faregate /v1/*\nreverse_proxy localhost:3000", true},
		"an own answer":           {strings.ReplaceAll(pieces, "%PROXY%", "respond 204"), true},
		"other proxies by matter": {"faregate_auth\nfaregate_route\nfaregate_meter\nreverse_proxy /other/* localhost:3000\n" + own, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, gatewayOptions{site: row.site})
			t.Setenv("XDG_DATA_HOME", g.directory)
			t.Setenv("XDG_CONFIG_HOME", g.directory)
			adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(g.config), nil)
			if err != nil {
				t.Fatal(err)
			}
			err = caddy.Load(adapted, true)
			if row.ok {
				if err != nil {
					t.Error(err)
				} else if err := caddy.Stop(); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(g.url, "http://127.0.0.1")) || !strings.Contains(err.Error(), "transport faregate") {
				t.Errorf("the start: %v", err)
			}
		})
	}
}
