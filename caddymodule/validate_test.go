package caddymodule

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/logging" // the log file that the tests read
)

// TestValidateHasNoSideEffects validates a whole configuration. Caddy provisions it for
// that and cleans it up again (caddy.go, Validate), so that nothing may be made before
// Start: no store, no directory for it, no listening simulator.
func TestValidateHasNoSideEffects(t *testing.T) {
	directory := cleanMachine(t)
	t.Setenv("FAREGATE_TEST_KEY", secretInClear)
	for _, store := range []string{"sqlite", "sqlite " + filepath.Join(directory, "books", "faregate.db")} {
		log, err := validate(t, `{
			faregate {
				store `+store+`
				provider openai {env.FAREGATE_TEST_KEY}
				provider simulator {
					simulator
				}
			}
		}
		http://127.0.0.1:8080 {
			faregate
		}
		http://127.0.0.1:8082 {
			faregate /v1/* {
				max_body 1MB
				trusted_proxies private_ranges
				header_down -Server
				@unavailable status 503
				handle_response @unavailable {
					copy_response
				}
			}
		}
		http://127.0.0.1:8081 {
			faregate_auth
			faregate_route
			faregate_meter
			reverse_proxy {
				dynamic faregate
				transport faregate
			}
		}`)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log, secretInClear) {
			t.Error("the log shows the provider's key")
		}
		checkUntouched(t, directory)
		address, err := resolveStoreURL(store)
		if err != nil {
			t.Fatal(err)
		}
		if references, exists := runtimes.References(address); exists {
			t.Errorf("%d references to the runtime are left", references)
		}
		if references, exists := simulatorServers.References(simulatorName); exists {
			t.Errorf("%d references to the simulator are left", references)
		}
	}
}

// TestProvisionMistakes fixes the texts of what only this machine can tell: its
// environment and files. The adapter cannot, as it may run elsewhere.
func TestProvisionMistakes(t *testing.T) {
	directory := cleanMachine(t)
	t.Setenv("FAREGATE_TEST_KEY", "sk-usable")
	t.Setenv("FAREGATE_TEST_EMPTY", "")
	t.Setenv("FAREGATE_TEST_LINES", secretInClear+"\nsecond line")
	t.Setenv("FAREGATE_TEST_DATABASE", "postgres://faregate:"+secretInClear+"@db/faregate")
	unsetEnvironment(t, "FAREGATE_TEST_UNSET")
	empty, blank, spoilt := filepath.Join(directory, "empty"), filepath.Join(directory, "blank"), filepath.Join(directory, "spoilt")
	for file, content := range map[string]string{empty: "", blank: " \n", spoilt: "key " + secretInClear + "\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const usable = "\nprovider openai {env.FAREGATE_TEST_KEY}"
	const noProvider = "no provider is usable: set the environment variable of at least one provider's key, or add a provider to the faregate global option"
	const inClear = "the database's password must not be written in clear, as it would land in Caddy's autosave and in GET /config/: " +
		"write postgres {env.DATABASE_URL} or postgres {file./path}, and put the address there"
	const noStore = "store: not a place for the books: write sqlite, sqlite:/path/to/file.db, or postgres:{env.DATABASE_URL}"
	for _, mistake := range []mistake{
		{"no provider", "store sqlite", noProvider},
		{"every key unset", "provider openai {env.FAREGATE_TEST_UNSET} {env.FAREGATE_TEST_EMPTY}\nprovider xai {env.FAREGATE_TEST_UNSET}", noProvider},
		{"no key file", "provider openai {file." + directory + "/absent}", "provider openai: reading its key: stat " + directory + "/absent: no such file or directory"},
		{"directory for a key file", "provider openai {file." + directory + "}", "provider openai: {file." + directory + "} is empty"},
		{"empty key file", "provider openai {file." + empty + "}", "provider openai: {file." + empty + "} is empty"},
		{"blank key file", "provider openai {file." + blank + "}", "provider openai: {file." + blank + "} is empty"},
		{"empty file beside a usable key", "provider openai {env.FAREGATE_TEST_KEY} {file." + empty + "}", "provider openai: {file." + empty + "} is empty"},
		{"words in a key file", "provider openai {file." + spoilt + "}", "provider openai: {file." + spoilt + "} holds white space or control characters, so it is no API key"},
		{"lines in the environment", "provider openai {env.FAREGATE_TEST_LINES}", "provider openai: {env.FAREGATE_TEST_LINES} holds white space or control characters, so it is no API key"},
		{"PostgreSQL by name only", "store postgres books" + usable, "store: a PostgreSQL database is named by its address, like postgres://user@host/database"},
		{"PostgreSQL in clear", "store postgres postgres://faregate:" + secretInClear + "@db/faregate" + usable, inClear},
		{"PostgreSQL in one word", "store postgres://faregate:" + secretInClear + "@db/faregate" + usable, inClear},
		{"other database", "store mysql faregate:" + secretInClear + "@db/faregate" + usable, noStore},
		{"store in memory", "store sqlite :memory:" + usable, noStore},
		{"store variable unset", "store sqlite {env.FAREGATE_TEST_UNSET}" + usable, "store: evaluated placeholder {env.FAREGATE_TEST_UNSET} is empty"},
	} {
		t.Run(mistake.name, func(t *testing.T) {
			log, err := validate(t, "{\nfaregate {\n"+mistake.caddyfile+"\n}\n}\n")
			checkProvisionError(t, err, log, mistake.want)
			checkUntouched(t, directory, empty, blank, spoilt)
		})
	}
	t.Run("no global option", func(t *testing.T) {
		_, err := validate(t, "http://127.0.0.1:8080 {\nfaregate\n}\n")
		if err == nil || !strings.HasSuffix(err.Error(), noProvider) {
			t.Errorf("the error is %v, want … %s", err, noProvider)
		}
	})
}

// TestProvisionMistakesInJSON checks that configurations that no adapter has seen
// meet the same checks.
func TestProvisionMistakesInJSON(t *testing.T) {
	cleanMachine(t)
	t.Setenv("FAREGATE_TEST_KEY", "sk-usable")
	const simulatorTakesNone = "provider simulator: the simulator takes no dialect, address, key, models, data policy, time-outs, insecure or private"
	const openai = `{"name":"openai","api_keys":["{env.FAREGATE_TEST_KEY}"]}`
	for _, mistake := range []struct{ name, app, want string }{
		{"literal key", `{"providers":[{"name":"openai","api_keys":["` + secretInClear + `"]}]}`, "provider openai: " + errSecretInClear.Error()},
		{"plain http", `{"providers":[{"name":"openai","base_url":"http://llm.example.com","api_keys":["{env.FAREGATE_TEST_KEY}"]}]}`, "provider openai: base_url is plain http, so that prompts and the provider key would cross the network in clear: use https, or say insecure if that network is yours alone"},
		{"provider twice", `{"providers":[` + openai + "," + openai + `]}`, "provider openai is configured twice; give it several keys instead, or another name"},
		{"model twice", `{"providers":[` + openai + `],"models":[{"name":"a","to":["openai/gpt-5.4"]},{"name":"a","to":["openai/gpt-5.4"]}]}`, "model a is configured twice"},
		{"unknown provider", `{"providers":[` + openai + `],"models":[{"name":"a","to":["house/b"]}]}`, `model a goes to "house/b", but no provider "house" is configured`},
		{"no to", `{"providers":[` + openai + `],"models":[{"name":"a"}]}`, "model a: say where it goes, like: to openai/gpt-5.4"},
		{"price", `{"providers":[` + openai + `],"models":[{"name":"a","to":["openai/b"],"price":{"prices":{"input":"1"}}}]}`, `model a: these prices cannot be used: /prices: no price of output: write "output", with "0" if it is really free`},
		{"alias to the simulator", `{"providers":[{"name":"simulator","simulator":true}],"models":[{"name":"gpt-5.4","to":["simulator/demo"]}]}`, "model gpt-5.4 goes to the simulator: its name must begin with simulator/, so that nobody pays for a made-up answer unawares"},
		{"simulator under another name", `{"providers":[{"name":"openai","simulator":true}]}`, "provider openai: the simulator must be called simulator, as its models are"},
		{"simulator with a time-out", `{"providers":[{"name":"simulator","simulator":true,"idle_timeout":5000000000}]}`, simulatorTakesNone},
		{"insecure simulator", `{"providers":[{"name":"simulator","simulator":true,"insecure":true}]}`, simulatorTakesNone},
		{"private simulator", `{"providers":[{"name":"simulator","simulator":true,"private":true}]}`, simulatorTakesNone},
		{"headroom of less than nothing", `{"providers":[` + openai + `],"heap_headroom":-1}`, "heap_headroom of -1 bytes: it is a size from 1MiB to 1TiB, like 48MiB, or 0 to collect garbage as Go does by default"},
		{"access log", `{"providers":[` + openai + `],"access_log":"full"}`, `access_log "full": leave it out, or say caddy or off`},
	} {
		t.Run(mistake.name, func(t *testing.T) {
			err := caddy.Validate(&caddy.Config{AppsRaw: caddy.ModuleMap{"faregate": json.RawMessage(mistake.app)}})
			checkProvisionError(t, err, "", mistake.want)
		})
	}
	// Caddy's own words, but the one who misspells must hear of it.
	err := caddy.Validate(&caddy.Config{AppsRaw: caddy.ModuleMap{"faregate": json.RawMessage(`{"provider":[` + openai + `]}`)}})
	if err == nil || !strings.Contains(err.Error(), `unknown field "provider"`) {
		t.Errorf("a misspelt field: %v", err)
	}
}

// TestProvisionWarnings: what is merely left out must be told, with a name to look for.
func TestProvisionWarnings(t *testing.T) {
	directory := cleanMachine(t)
	t.Setenv("FAREGATE_TEST_KEY", secretInClear)
	unsetEnvironment(t, "FAREGATE_TEST_UNSET", "FAREGATE_TEST_UNSET_2")
	file := filepath.Join(directory, "key")
	if err := os.WriteFile(file, []byte(secretInClear+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := validate(t, `{
		faregate {
			provider openai {env.FAREGATE_TEST_KEY} {env.FAREGATE_TEST_UNSET_2}
			provider anthropic {file.`+file+`}
			provider xai {env.FAREGATE_TEST_UNSET}
			model both {
				to xai/grok-3 openai/gpt-5.4
			}
			model grok {
				to xai/grok-3
			}
			model unpriced {
				to openai/not-in-the-book
			}
		}
	}`)
	if err != nil {
		t.Fatal(err)
	}
	type entry struct{ Level, Msg, Provider, Variable, Model string }
	var warnings []entry
	for line := range strings.Lines(log) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if e.Level == "warn" && (e.Provider != "" || e.Model != "") {
			warnings = append(warnings, e)
		}
	}
	const leftOut = "a provider key is left out, as its environment variable is unset or empty"
	want := []entry{
		{"warn", leftOut, "openai", "FAREGATE_TEST_UNSET_2", ""},
		{"warn", leftOut, "xai", "FAREGATE_TEST_UNSET", ""},
		{"warn", "a model is left out, as none of its providers is usable", "", "", "grok"},
		{"warn", "a model has no price and is refused; add a price to it in the configuration", "", "", "unpriced"},
	}
	if len(warnings) != len(want) {
		t.Fatalf("%d warnings, want %d: %v", len(warnings), len(want), warnings)
	}
	for i := range want {
		if warnings[i] != want[i] {
			t.Errorf("warning %d is %v, want %v", i+1, warnings[i], want[i])
		}
	}
	if strings.Contains(log, secretInClear) {
		t.Error("the log shows a provider's key")
	}
}

// cleanMachine keeps Caddy out of the directories of whoever runs the tests, and
// returns the one that takes their place.
func cleanMachine(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	for _, variable := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(variable, directory)
	}
	return directory
}

// validate adapts and validates a Caddyfile. It returns what Caddy has logged, at
// every level.
func validate(t *testing.T, caddyfile string) (log string, err error) {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		t.Fatalf("adapting: %v", err)
	}
	config := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(adapted, config); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "log")
	writer, err := json.Marshal(map[string]string{"output": "file", "filename": file})
	if err != nil {
		t.Fatal(err)
	}
	config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{
		WriterRaw: writer, EncoderRaw: json.RawMessage(`{"format":"json"}`), Level: "DEBUG",
	}}}}
	err = caddy.Validate(config)
	content, readErr := os.ReadFile(file)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(content), err
}

func checkProvisionError(t *testing.T, err error, log, want string) {
	t.Helper()
	want = "loading faregate app module: provision faregate: " + want
	if err == nil {
		t.Fatal("the configuration is accepted")
	}
	if err.Error() != want {
		t.Errorf("the error is\n\t%s\nwant\n\t%s", err, want)
	}
	if strings.Contains(err.Error()+log, secretInClear) {
		t.Error("the error or the log shows a secret")
	}
}

// checkUntouched checks that nothing is in a directory but what is expected there.
func checkUntouched(t *testing.T, directory string, expected ...string) {
	t.Helper()
	known := map[string]bool{directory: true}
	for _, path := range expected {
		known[path] = true
	}
	err := filepath.WalkDir(directory, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && !known[path] {
			t.Errorf("validating has made %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
