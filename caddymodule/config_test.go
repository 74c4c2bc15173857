package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/faregate/faregate/metering/price"
)

// secretInClear stands for a provider key wherever somebody may write one. No error
// may show it.
const secretInClear = "sk-proj-T3BlbkFJ-in-clear-4f9a1c7e"

// mistake is a Caddyfile that is refused, and the whole error.
type mistake struct {
	name      string
	caddyfile string
	want      string
}

// TestProviderMistakes, and those that follow, fix the exact texts: each says what to
// do, and where.
func TestProviderMistakes(t *testing.T) {
	t.Setenv("FAREGATE_TEST_KEY", secretInClear)
	unsetEnvironment(t, "FAREGATE_TEST_UNSET")
	const inClear = "a provider key must be {env.NAME} or {file./path}: a literal key, or one read by {$NAME}, " +
		"would be stored in clear in Caddy's autosave and shown by GET /config/"
	const noAddress = "base_url must be an address like https://llm.example.com/v1, without user, query or fragment"
	const plain = "base_url is plain http, so that prompts and the provider key would cross the network in clear: " +
		"use https, or say insecure if that network is yours alone"
	const badName = "a provider's name is 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or digit, like openai; its key comes after it"
	const weight = "weight takes a whole number from 1 to 1000, after what it belongs to"
	const onDisconnect = "on_disconnect takes one of cancel, drain and default"
	const simulatorTakesNone = "provider simulator: the simulator takes no dialect, address, key, models, data policy, time-outs, insecure or private, at Caddyfile:3"
	const policy = "a data policy is one of zdr, no_training, retains and unknown"
	house := func(lines ...string) string {
		return "provider house {\n" + strings.Join(lines, "\n") + "\n}"
	}
	checkOptionMistakes(t, []mistake{
		{"literal key", "provider openai " + secretInClear, "provider openai: " + inClear + ", at Caddyfile:3"},
		{"literal key in a block", "provider openai {\napi_key {env.A} " + secretInClear + "\n}", "provider openai: " + inClear + ", at Caddyfile:3"},
		{"key around a placeholder", "provider openai " + secretInClear + "{env.A}", "provider openai: " + inClear + ", at Caddyfile:3"},
		{"other placeholder", "provider openai {vault.openai}", "provider openai: " + inClear + ", at Caddyfile:3"},
		{"placeholder within one", "provider openai {file.{env.CREDENTIALS_DIRECTORY}/openai-key}", "provider openai: " + inClear + ", at Caddyfile:3"},
		{"key expanded by the adapter", "provider openai {$FAREGATE_TEST_KEY}", "provider openai: " + inClear + ", at Caddyfile:3"},
		{
			"key expanded to nothing", "provider openai {$FAREGATE_TEST_UNSET}",
			"provider openai: its API key is missing, like {env.OPENAI_API_KEY}, at Caddyfile:3",
		},
		{"key for a name", "provider " + secretInClear + " openai", badName + ", at Caddyfile:3"},
		{"key for a subdirective", "provider openai {\n" + secretInClear + "\n}", "this is no subdirective of provider: use dialect, base_url, api_key, models, data_policy, on_disconnect, connect_timeout, first_byte_timeout, idle_timeout, insecure, private or simulator, at Caddyfile:4"},
		{"key for a dialect", house("dialect "+secretInClear, "api_key {env.A}", "base_url https://a.example"), "provider house: dialect must be openai, anthropic or google, at Caddyfile:3"},
		{"no name", "provider", "provider needs a name, like: provider openai {env.OPENAI_API_KEY}, at Caddyfile:3"},
		{"capital in the name", "provider OpenAI {env.A}", badName + ", at Caddyfile:3"},
		{"slash in the name", "provider open/ai {env.A}", badName + ", at Caddyfile:3"},
		{
			"unknown without a dialect", "provider house {env.A}",
			"provider house is not a well-known one (anthropic, azure-openai, azure-openai-deployments, cerebras, deepseek, google, groq, mistral, ollama, openai, openrouter, perplexity, together, vllm, xai): say its dialect (openai, anthropic or google) and its base_url, at Caddyfile:3",
		},
		{"simulator without a block", "provider simulator", "provider simulator: write the word simulator into a block of its own, { … }, for made-up answers, at Caddyfile:3"},
		{
			"unknown without an address", house("dialect openai", "api_key {env.A}"),
			"provider house: base_url is missing, like https://llm.example.com/v1, at Caddyfile:3",
		},
		{
			"unknown without a key", house("dialect openai", "base_url https://llm.example.com/v1"),
			"provider house: its API key is missing, like {env.HOUSE_API_KEY}, at Caddyfile:3",
		},
		{"well-known without a key", "provider openai", "provider openai: its API key is missing, like {env.OPENAI_API_KEY}, at Caddyfile:3"},
		{"unknown dialect", house("dialect OpenAI", "api_key {env.A}", "base_url https://a.example"), "provider house: dialect must be openai, anthropic or google, at Caddyfile:3"},
		{
			"foreign dialect of a well-known one", "provider openai {env.A} {\ndialect google\n}",
			"provider openai speaks the openai dialect; give a provider of another dialect another name, at Caddyfile:3",
		},
		{"plain http", house("dialect openai", "api_key {env.A}", "base_url http://llm.example.com/v1"), "provider house: " + plain + ", at Caddyfile:3"},
		{"plain http to another machine's address", house("dialect openai", "api_key {env.A}", "base_url http://10.0.0.1/v1"), "provider house: " + plain + ", at Caddyfile:3"},
		{"plain http to what begins like loopback", house("dialect openai", "api_key {env.A}", "base_url http://127.0.0.1.example.com/v1"), "provider house: " + plain + ", at Caddyfile:3"},
		{"plain http for a well-known one", "provider openai {env.A} {\nbase_url http://api.openai.com/v1\n}", "provider openai: " + plain + ", at Caddyfile:3"},
		{
			"other scheme", house("dialect openai", "api_key {env.A}", "base_url ftp://llm.example.com/v1"),
			"provider house: base_url must begin with https://, at Caddyfile:3",
		},
		{"user in the address", house("dialect openai", "api_key {env.A}", "base_url https://user:"+secretInClear+"@llm.example.com/v1"), "provider house: " + noAddress + ", at Caddyfile:3"},
		{"query in the address", house("dialect openai", "api_key {env.A}", "base_url https://llm.example.com/v1?key="+secretInClear), "provider house: " + noAddress + ", at Caddyfile:3"},
		{"fragment in the address", house("dialect openai", "api_key {env.A}", "base_url https://llm.example.com/v1#x"), "provider house: " + noAddress + ", at Caddyfile:3"},
		{"no scheme", house("dialect openai", "api_key {env.A}", "base_url llm.example.com/v1"), "provider house: " + noAddress + ", at Caddyfile:3"},
		{"unreadable address", house("dialect openai", "api_key {env.A}", "base_url https://llm.example.com:port/"+secretInClear), "provider house: " + noAddress + ", at Caddyfile:3"},
		{"bad model name", house("dialect openai", "api_key {env.A}", "base_url https://a.example", "models a ../b"), `provider house: "../b" is not a model name: use letters, digits and . _ : @ / -, beginning with a letter or digit, at Caddyfile:3`},
		{"twice", "provider openai {env.A}\nprovider openai {env.B}", "provider openai is configured twice; give it several keys instead, or another name, at Caddyfile:4"},
		{"max_requests without a value", "max_requests", "max_requests takes one number from 1 to 10000000, like: max_requests 10000, at Caddyfile:3"},
		{"no requests at all", "max_requests 0", "max_requests takes one number from 1 to 10000000, like: max_requests 10000, at Caddyfile:3"},
		{"max_requests twice", "max_requests 5\nmax_requests 6", "max_requests is given twice, at Caddyfile:4"},
		{"too many attempts", "max_attempts 65", "max_attempts takes one number from 1 to 64, once, at Caddyfile:3"},
		{"trying for no time", "try_duration 0s", "try_duration takes one duration up to 24h, like: try_duration 30s, at Caddyfile:3"},
		{"body_memory without a value", "body_memory", "body_memory takes one size, like 1GiB, at Caddyfile:3"},
		{"body_memory that is no size", "body_memory much", `body_memory "much" is not a size, like 1GiB, at Caddyfile:3`},
		{"body_memory twice", "body_memory 1GiB\nbody_memory 2GiB", "body_memory is given twice, at Caddyfile:4"},
		{"unknown subdirective", "provider openai {env.A} {\nweight 3\n}", `unknown subdirective "weight" of provider: use dialect, base_url, api_key, models, data_policy, on_disconnect, connect_timeout, first_byte_timeout, idle_timeout, insecure, private or simulator, at Caddyfile:4`},
		{"dialect without a value", house("dialect"), "dialect takes one of openai, anthropic and google, at Caddyfile:4"},
		{"two dialects", house("dialect openai google"), "dialect takes one of openai, anthropic and google, at Caddyfile:4"},
		{"dialect twice", house("dialect openai", "dialect anthropic"), "dialect is given twice, at Caddyfile:5"},
		{"base_url twice", house("base_url https://a.example", "base_url https://b.example"), "base_url is given twice, at Caddyfile:5"},
		{"base_url without a value", house("base_url"), "base_url takes one address, like https://llm.example.com/v1, at Caddyfile:4"},
		{"api_key without a value", house("api_key"), "api_key takes one or more keys, each as {env.NAME} or {file./path}, at Caddyfile:4"},
		{"address of a machine's credentials", house("dialect openai", "api_key {env.A}", "base_url https://169.254.169.254/v1"), "provider house: base_url: 169.254.169.254 is an address at which no provider can be, at Caddyfile:3"},
		{"without the customer's own address", "provider azure-openai {env.A}", "provider azure-openai: base_url is missing, like https://RESOURCE.openai.azure.com/openai/v1, at Caddyfile:3"},
		{"weight without a key", "provider openai weight 3 {env.A}", weight + ", at Caddyfile:3"},
		{"weight of nothing", house("api_key {env.A} weight 0"), weight + ", at Caddyfile:4"},
		{"weight beyond all", house("api_key {env.A} weight 1001"), weight + ", at Caddyfile:4"},
		{"two weights", house("api_key {env.A} weight 3 weight 3"), weight + ", at Caddyfile:4"},
		{"key for a weight", house("api_key {env.A} weight " + secretInClear), weight + ", at Caddyfile:4"},
		{"in_flight without a number", house("api_key {env.A} in_flight {env.B}"), "in_flight takes a whole number of requests from 1 to 1000000, after the key that it belongs to, at Caddyfile:4"},
		{"rpm without a key", "provider openai rpm 3 {env.A}", "rpm and tpm take a whole number a minute from 1 to 1073741824, after the key that it belongs to, at Caddyfile:3"},
		{"tpm of nothing", house("api_key {env.A} tpm 0"), "rpm and tpm take a whole number a minute from 1 to 1073741824, after the key that it belongs to, at Caddyfile:4"},
		{"literal key with a weight", house("dialect openai", "base_url https://a.example", "api_key "+secretInClear+" weight 3"), "provider house: " + inClear + ", at Caddyfile:3"},
		{"no duration", house("connect_timeout soon"), "connect_timeout takes one duration up to 24h, like: connect_timeout 30s, at Caddyfile:4"},
		{"no time at all", house("idle_timeout 0s"), "idle_timeout takes one duration up to 24h, like: idle_timeout 30s, at Caddyfile:4"},
		{"more than a day", house("first_byte_timeout 2d"), "first_byte_timeout takes one duration up to 24h, like: first_byte_timeout 30s, at Caddyfile:4"},
		{"two time-outs", house("idle_timeout 1m", "idle_timeout 2m"), "idle_timeout is given twice, at Caddyfile:5"},
		{"unknown data policy", house("data_policy none"), policy + ", at Caddyfile:4"},
		{"unknown end of a disconnect", house("on_disconnect linger"), onDisconnect + ", at Caddyfile:4"},
		{"on_disconnect of nothing", house("on_disconnect"), onDisconnect + ", at Caddyfile:4"},
		{"on_disconnect with two words", house("on_disconnect cancel drain"), onDisconnect + ", at Caddyfile:4"},
		{"on_disconnect twice", house("on_disconnect cancel", "on_disconnect drain"), "on_disconnect is given twice, at Caddyfile:5"},
		{"cancelling with bounds", house("on_disconnect cancel {", "time 5s", "}"), "on_disconnect cancel reads nothing on: it takes no block, at Caddyfile:4"},
		{"draining for no time", house("on_disconnect drain {", "time 0s", "}"), "on_disconnect: time takes one duration up to 1h, like: time 60s, at Caddyfile:5"},
		{"draining for ever", house("on_disconnect drain {", "time 2h", "}"), "on_disconnect: time takes one duration up to 1h, like: time 60s, at Caddyfile:5"},
		{"draining without a size", house("on_disconnect drain {", "bytes many", "}"), "on_disconnect: bytes takes one size up to 1GiB, like: bytes 32MiB, at Caddyfile:5"},
		{"draining twice as long", house("on_disconnect drain {", "time 5s", "time 6s", "}"), "time is given twice, at Caddyfile:6"},
		{"draining by number", house("on_disconnect drain {", "number 5", "}"), `unknown subdirective "number" of on_disconnect: use time or bytes, at Caddyfile:5`},
		{"two data policies", house("data_policy zdr", "data_policy zdr"), "data_policy is given twice, at Caddyfile:5"},
		{"private with a value", house("private yes"), "private takes no arguments, at Caddyfile:4"},
		{"models without a value", house("models"), "models takes one or more names of models, at Caddyfile:4"},
		{"insecure with a value", house("insecure " + secretInClear), "insecure takes no arguments, at Caddyfile:4"},
		{"simulator with a value", house("simulator on"), "simulator takes no arguments, at Caddyfile:4"},
		{"simulator with a key", "provider simulator {env.A} {\nsimulator\n}", simulatorTakesNone},
		{"simulator with models", "provider simulator {\nsimulator\nmodels simulator/large\n}", simulatorTakesNone},
		{"simulator with a connect_timeout", "provider simulator {\nsimulator\nconnect_timeout 5s\n}", simulatorTakesNone},
		{"simulator with a first_byte_timeout", "provider simulator {\nfirst_byte_timeout 5s\nsimulator\n}", simulatorTakesNone},
		{"simulator with an idle_timeout", "provider simulator {\nsimulator\nidle_timeout 5s\n}", simulatorTakesNone},
		{"insecure simulator", "provider simulator {\nsimulator\ninsecure\n}", simulatorTakesNone},
		{"private simulator", "provider simulator {\nsimulator\nprivate\n}", simulatorTakesNone},
		{"simulator under a well-known name", "provider openai {\nsimulator\n}", "provider openai: the simulator must be called simulator, as its models are, at Caddyfile:3"},
	})
}

func TestModelMistakes(t *testing.T) {
	const provider = "provider openai {env.A}\n"
	model := func(lines ...string) string {
		return provider + "model own {\nto openai/gpt-5.4\n" + strings.Join(lines, "\n") + "\n}"
	}
	const prices = "these prices cannot be used: "
	const noPrice = "not a price in dollars (like 2.5 or 0.003625; no sign, no exponent, at most 12 decimals, below 1000000)"
	const classes = "the classes are input, cache_read, cache_write, cache_write_5m, cache_write_1h, input_audio, input_image, input_video, " +
		"cache_read_audio, cache_read_image, cache_read_video, output, output_audio, output_image, output_video"
	checkOptionMistakes(t, []mistake{
		{"no name", provider + "model {\nto openai\n}", "model takes one name, and a block that says where it goes, at Caddyfile:4"},
		{"two names", provider + "model a b {\nto openai\n}", "model takes one name, and a block that says where it goes, at Caddyfile:4"},
		{"bad name", provider + "model a..b {\nto openai\n}", `"a..b" is not a model name: use letters, digits and . _ : @ / -, beginning with a letter or digit, at Caddyfile:4`},
		{"no block", provider + "model own", "model own: say where it goes, like: to openai/gpt-5.4, at Caddyfile:4"},
		{"no to", provider + "model own {\nprice input 1 output 2\n}", "model own: say where it goes, like: to openai/gpt-5.4, at Caddyfile:4"},
		{"empty to", provider + "model own {\nto\n}", "to takes one or more providers, each as NAME or NAME/MODEL, at Caddyfile:5"},
		{"empty fallback", model("fallback"), "fallback takes one or more providers, each as NAME or NAME/MODEL, at Caddyfile:6"},
		{"unknown provider to fall back to", model("fallback house/large-2"), `model own goes to "house/large-2", but no provider "house" is configured, at Caddyfile:4`},
		{"weight without a target", model("fallback weight 3"), "weight takes a whole number from 1 to 1000, after what it belongs to, at Caddyfile:6"},
		{"weight without a number", model("fallback openai weight"), "weight takes a whole number from 1 to 1000, after what it belongs to, at Caddyfile:6"},
		{"unknown provider", provider + "model own {\nto openai\nto house/large-2\n}", `model own goes to "house/large-2", but no provider "house" is configured, at Caddyfile:4`},
		{"bad target model", provider + "model own {\nto openai/../files\n}", `model own goes to "openai/../files", but "../files" is not a model name: use letters, digits and . _ : @ / -, beginning with a letter or digit, at Caddyfile:4`},
		{"target without a model name", provider + "model own {\nto openai/\n}", `model own goes to "openai/", but "" is not a model name: use letters, digits and . _ : @ / -, beginning with a letter or digit, at Caddyfile:4`},
		{"asterisk within the name", provider + "model o*n {\nto openai\n}", `"o*n" is not a model name: use letters, digits and . _ : @ / -, beginning with a letter or digit, at Caddyfile:4`},
		{"asterisk of the target alone", provider + "model own {\nto openai/gpt-*\n}", `model own goes to "openai/gpt-*": its own name must end in an asterisk then, too, at Caddyfile:4`},
		{"twice", model() + "\nmodel own {\nto openai\n}", "model own is configured twice, at Caddyfile:8"},
		{"unknown subdirective", model("weight 3"), `unknown subdirective "weight" of model: use to, fallback, price, context_length or output_limit, at Caddyfile:6`},
		{"alias to the simulator", "provider simulator {\nsimulator\n}\nmodel gpt-5.4 {\nto simulator/large\n}", "model gpt-5.4 goes to the simulator: its name must begin with simulator/, so that nobody pays for a made-up answer unawares, at Caddyfile:6"},

		{"output limit of nothing", model("output_limit 0"), "output_limit takes one number of tokens, like: output_limit 128000, at Caddyfile:6"},
		{"two context lengths", model("context_length 1000", "context_length 1000"), "context_length is given twice, at Caddyfile:7"},
		{"two prices", model("price input 1 output 2", "price input 1 output 2"), "price is given twice, at Caddyfile:7"},
		{"price without a value", model("price"), `prices come in pairs, like: input 2.50 output 10.00; got "", at Caddyfile:6`},
		{"odd pairs", model("price input 1 output"), `prices come in pairs, like: input 2.50 output 10.00; got "input 1 output", at Caddyfile:6`},
		{"class twice", model("price input 1 output 2 input 3"), "the price of input is given twice, at Caddyfile:6"},
		{"unknown class", model("price input 1 output 2 thoughts 3"), prices + `/prices/thoughts: there is no class "thoughts"; ` + classes + ", at Caddyfile:6"},
		{"no output", model("price input 1"), prices + `/prices: no price of output: write "output", with "0" if it is really free, at Caddyfile:6`},
		{"negative", model("price input -1 output 2"), prices + `/prices/input: "-1": ` + noPrice + ", at Caddyfile:6"},
		{"exponent", model("price input 1e-3 output 2"), prices + `/prices/input: "1e-3": ` + noPrice + ", at Caddyfile:6"},
		{"comma", model("price input 2,50 output 2"), prices + `/prices/input: "2,50": ` + noPrice + ", at Caddyfile:6"},
		{"dollar sign", model("price input $2.50 output 2"), prices + `/prices/input: "$2.50": ` + noPrice + ", at Caddyfile:6"},
		{"too dear", model("price input 1000000 output 2"), prices + `/prices/input: "1000000": ` + noPrice + ", at Caddyfile:6"},
		{"not a number", model("price input NaN output Inf"), prices + `/prices/input: "NaN": ` + noPrice + `; /prices/output: "Inf": ` + noPrice + ", at Caddyfile:6"},
		{"mistake in a block is reported at the price", model("price input 1 output x {", "unit web_search 0.01", "}"), prices + `/prices/output: "x": ` + noPrice + ", at Caddyfile:6"},

		{"above without a number", model("price input 1 output 2 {", "above", "}"), "above needs a number of tokens, like: above 200000 input 5.00 output 22.50, at Caddyfile:7"},
		{"above a word", model("price input 1 output 2 {", "above input 2", "}"), "above needs a number of tokens, like: above 200000 input 5.00 output 22.50, at Caddyfile:7"},
		{"above nothing", model("price input 1 output 2 {", "above 0 input 2 output 3", "}"), "above needs a number of tokens, like: above 200000 input 5.00 output 22.50, at Caddyfile:7"},
		{"above with odd pairs", model("price input 1 output 2 {", "above 200000 input", "}"), `prices come in pairs, like: input 2.50 output 10.00; got "input", at Caddyfile:7`},
		{"above without a class", model("price input 1 output 2 {", "above 200000 input 3", "}"), prices + "/tiers/0/prices: no price of output, which the base prices have: state it, at Caddyfile:6"},
		{
			"above not ascending", model("price input 1 output 2 {", "above 200000 input 3 output 4", "above 200000 input 5 output 6", "}"),
			prices + "/tiers/1/above: 200000 is not more than 200000: thresholds are positive and ascend, at Caddyfile:6",
		},
		{"unknown unit", model("price input 1 output 2 {", "unit songs 1", "}"), prices + `/units/songs: there is no unit "songs"; the units are web_search, web_fetch, x_search, file_search, code_interpreter, images, characters, milliseconds, pages, request, and each can have kinds of a-z, 0-9, ., _ and -, like "images:hd-1024x1792", at Caddyfile:6`},
		{"unit twice", model("price input 1 output 2 {", "unit web_search 1", "unit web_search 2", "}"), "the price of web_search is given twice, at Caddyfile:8"},
		{"negative unit", model("price input 1 output 2 {", "unit web_search -0.01", "}"), prices + `/units/web_search: "-0.01": ` + noPrice + ", at Caddyfile:6"},
		{"unknown subdirective of price", model("price input 1 output 2 {", "below 5", "}"), `unknown subdirective "below" of price: use above or unit, at Caddyfile:7`},
	})
}

func TestOptionMistakes(t *testing.T) {
	const drainsForm = "drains takes one number from 1 to 1000000, like: drains 1000; to read nothing on, say on_disconnect cancel in a provider's block, at Caddyfile:3"
	const nodeForm = "node takes one name, like: node gateway-1, or a placeholder, like {env.HOSTNAME}, at Caddyfile:3"
	const retentionForm = "retention takes one duration, like 400d, or forever, at Caddyfile:3"
	const storeForm = "store takes a kind and a place, like: store sqlite /var/lib/faregate/faregate.db, at Caddyfile:3"
	checkOptionMistakes(t, []mistake{
		{"unknown data policy", "data_policy secret", "a data policy is one of zdr, no_training, retains and unknown, at Caddyfile:3"},
		{"data_policy without a value", "data_policy", "data_policy takes one of zdr, no_training, retains and unknown, at Caddyfile:3"},
		{"unknown subdirective", "providers openai", `unknown subdirective "providers" of faregate: use store, node, retention, provider, model, group, client_limits, lockout, drains, data_policy, balance_low, spend_anomaly, max_requests, max_attempts, try_duration, prices, body_memory, heap_headroom or access_log, at Caddyfile:3`},
		{"secret for a subdirective", secretInClear, "this is no subdirective of faregate: use store, node, retention, provider, model, group, client_limits, lockout, drains, data_policy, balance_low, spend_anomaly, max_requests, max_attempts, try_duration, prices, body_memory, heap_headroom or access_log, at Caddyfile:3"},
		{"balance_low without a value", "balance_low", "balance_low takes one amount in dollars, like: balance_low 1.00, at Caddyfile:3"},
		{"balance_low in words", "balance_low little", `balance_low "little" is not an amount in dollars, like 1.00, at Caddyfile:3`},
		{"balance_low of nothing", "balance_low 0", `balance_low "0" is not an amount in dollars, like 1.00, at Caddyfile:3`},
		{"balance_low twice", "balance_low 1\nbalance_low 1", "balance_low is given twice, at Caddyfile:4"},
		{"spend_anomaly in words", "spend_anomaly on", `spend_anomaly "on" is not an amount in dollars, like 10.00, nor off, at Caddyfile:3`},
		{"store without a value", "store", storeForm},
		{"store in pieces", "store postgres host=db user=faregate password=" + secretInClear, storeForm},
		{"prices without a file", "prices", "prices takes one price file, like: prices /etc/caddy/prices.json, at Caddyfile:3"},
		{"two price files", "prices a.json\nprices b.json", "prices is given twice, at Caddyfile:4"},
		{"drains without a number", "drains", drainsForm},
		{"no drains", "drains 0", drainsForm},
		{"two numbers of drains", "drains 5\ndrains 6", "drains is given twice, at Caddyfile:4"},
		{"two stores", "store sqlite\nstore sqlite", "store is given twice, at Caddyfile:4"},
		{"group without a name", "group {\nrpm 1\n}", "group takes one name, and a block with what its accounts pay and may do, at Caddyfile:3"},
		{"group with a bad name", "group Partners", `group "Partners": not a usable group name: use up to 32 of the characters a-z, 0-9, '_' and '-', beginning with a letter or digit, at Caddyfile:3`},
		{"two groups of one name", "group a\ngroup a", "group a is configured twice, at Caddyfile:4"},
		{"unknown subdirective of group", "group a {\nrps 1\n}", `unknown subdirective "rps" of group: use multiply, rpm, tpm or concurrency, at Caddyfile:4`},
		{"limit twice", "group a {\nrpm 1\nrpm 1\n}", "rpm is given twice, at Caddyfile:5"},
		{"limit of nothing", "group a {\nrpm 0\n}", "rpm takes one number, like: rpm 100; leave it out for no limit, at Caddyfile:4"},
		{"limit in words", "group a {\ntpm 1k\n}", "tpm takes one number, like: tpm 100; leave it out for no limit, at Caddyfile:4"},
		{"factor in words", "group a {\nmultiply twice\n}", `group a: multiply: "twice": ` + price.ErrFactor.Error() + ", at Caddyfile:3"},
		{"two factors", "group a {\nmultiply 1\nmultiply 1\n}", "multiply is given twice, at Caddyfile:5"},
		{"no factor", "group a {\nmultiply\n}", "multiply takes one number, like: multiply 1.20, at Caddyfile:4"},
		{"empty client_limits", "client_limits", "client_limits is empty: say rpm, tpm or concurrency, at Caddyfile:3"},
		{"client_limits in one line", "client_limits 60", "client_limits takes a block only, like: client_limits { rpm 600 }, at Caddyfile:3"},
		{"two client_limits", "client_limits {\nrpm 1\n}\nclient_limits {\nrpm 1\n}", "client_limits is given twice, at Caddyfile:6"},
		{"unknown subdirective of client_limits", "client_limits {\nmultiply 2\n}", `unknown subdirective "multiply" of client_limits: use rpm, tpm or concurrency, at Caddyfile:4`},
		{"lockout of another kind", "lockout on", "lockout takes the one word off; leave it out to lock addresses that guess keys, at Caddyfile:3"},
		{"node without a name", "node", nodeForm},
		{"two words of node", "node gateway 1", nodeForm},
		{"two nodes", "node a\nnode b", "node is given twice, at Caddyfile:4"},
		{"retention without a value", "retention", retentionForm},
		{"retention in words", "retention 13 months", retentionForm},
		{"retention of another unit", "retention 13months", `retention "13months" is not a duration, like 400d or 9600h, nor forever, at Caddyfile:3`},
		{"retention of minutes", "retention 13m", "retention 13m0s is less than a day: write how long usage records are kept, like 400d or 9600h, or forever, at Caddyfile:3"},
		{"negative retention", "retention -400d", "retention -9600h0m0s is less than a day: write how long usage records are kept, like 400d or 9600h, or forever, at Caddyfile:3"},
		{"two retentions", "retention 0\nretention 400d", "retention is given twice, at Caddyfile:4"},
		{"heap_headroom without a value", "heap_headroom", "heap_headroom takes one size, like 48MiB, or 0, at Caddyfile:3"},
		{"heap_headroom that is no size", "heap_headroom off", `heap_headroom "off" is not a size up to 1TiB, like 48MiB, nor 0, at Caddyfile:3`},
		{"heap_headroom beyond all", "heap_headroom 2TiB", `heap_headroom "2TiB" is not a size up to 1TiB, like 48MiB, nor 0, at Caddyfile:3`},
		{"heap_headroom without its unit", "heap_headroom 48", "heap_headroom of 48 bytes: it is a size from 1MiB to 1TiB, like 48MiB, or 0 to collect garbage as Go does by default, at Caddyfile:3"},
		{"heap_headroom twice", "heap_headroom 0\nheap_headroom 48MiB", "heap_headroom is given twice, at Caddyfile:4"},
		{"access_log without a value", "access_log", "access_log takes the one word caddy or off; leave it out for Faregate's own line per request, at Caddyfile:3"},
		{"access_log of another kind", "access_log full", "access_log takes the one word caddy or off; leave it out for Faregate's own line per request, at Caddyfile:3"},
		{"access_log twice", "access_log off\naccess_log caddy", "access_log is given twice, at Caddyfile:4"},
		{"two words of access_log", "access_log off caddy", "access_log takes the one word caddy or off; leave it out for Faregate's own line per request, at Caddyfile:3"},
	})
	checkMistakes(t, []mistake{
		{
			"option twice", "{\nfaregate {\nprovider openai {env.A}\n}\nfaregate {\nprovider xai {env.B}\n}\n}\n",
			"parsing caddyfile tokens for 'faregate': the faregate global option is given twice: put everything into one block, at Caddyfile:5",
		},
		{
			"option with an argument", "{\nfaregate sqlite\n}\n",
			"parsing caddyfile tokens for 'faregate': the faregate global option takes a block only: faregate { … }, at Caddyfile:2",
		},
		{
			"mistake in an imported file's snippet", "(keys) {\nprovider openai " + secretInClear + "\n}\n{\nfaregate {\nimport keys\n}\n}\n",
			"parsing caddyfile tokens for 'faregate': provider openai: " + errSecretInClear.Error() + ", at Caddyfile:2 import chain ['Caddyfile:6 (import keys)']",
		},
	})
}

func TestSiteMistakes(t *testing.T) {
	site := func(lines ...string) string { return "api.example.com {\n" + strings.Join(lines, "\n") + "\n}\n" }
	where := func(directive, text string) string {
		return "parsing caddyfile tokens for '" + directive + "': " + text
	}
	const addresses = "faregate takes no addresses: providers are configured in the faregate global option, at Caddyfile:2"
	mistakes := []mistake{
		{"address", site("faregate https://api.openai.com"), where("faregate", addresses)},
		{"address after a matcher", site("faregate /v1/* localhost:8080 {", "insecure", "}"), where("faregate", addresses)},
		{"unknown matcher", site("faregate @nobody"), where("faregate", "unrecognized matcher name: @nobody")},
		{"cors without an origin", site("faregate {", "cors", "}"), where("faregate", "cors takes the origins of the pages that may call from browsers, like https://app.example.com, or * for all, at Caddyfile:3")},
		{"insecure with a value", site("faregate {", "insecure yes", "}"), where("faregate", "insecure takes no arguments, at Caddyfile:3")},
		{"max_body without a value", site("faregate {", "max_body", "}"), where("faregate", "max_body takes one size, like 32MB, at Caddyfile:3")},
		{"max_body with two values", site("faregate {", "max_body 1 MB", "}"), where("faregate", "max_body takes one size, like 32MB, at Caddyfile:3")},
		{"max_body twice", site("faregate {", "max_body 1MB", "max_body 2MB", "}"), where("faregate", "max_body is given twice, at Caddyfile:4")},
		{"mistake of reverse_proxy's own", site("faregate {", "flush_interval soon", "}"), where("faregate", `bad duration value 'soon': time: invalid duration "soon", at Caddyfile:3`)},
		{"handle_response of answers that cost", site("faregate {", "@found status 2xx 4xx", "handle_response @found {", "respond 503", "}", "}"), where("faregate", handlesAnswers+", at Caddyfile:7")},
		{"handle_response of everything", site("faregate {", "handle_response {", "respond 503", "}", "}"), where("faregate", handlesAnswers+", at Caddyfile:6")},
		{"handle_response without its matcher", site("faregate {", "insecure", "handle_response @absent {", "respond 503", "}", "}"), where("faregate", "no named response matcher defined with name 'absent', at Caddyfile:4")},

		{"auth with an argument", site("faregate_auth strict"), where("faregate_auth", "faregate_auth takes no arguments but a matcher, at Caddyfile:2")},
		{"auth with an unknown subdirective", site("faregate_auth {", "optional", "}"), where("faregate_auth", `unknown subdirective "optional" of faregate_auth: use insecure or cors, at Caddyfile:3`)},
		{"auth insecure with a value", site("faregate_auth {", "insecure yes", "}"), where("faregate_auth", "insecure takes no arguments, at Caddyfile:3")},
		{"route with an argument", site("faregate_route openai"), where("faregate_route", "faregate_route takes no arguments but a matcher, at Caddyfile:2")},
		{"route with an unknown subdirective", site("faregate_route {", "insecure", "}"), where("faregate_route", `unknown subdirective "insecure" of faregate_route: use max_body, at Caddyfile:3`)},
		{"meter with an argument", site("faregate_meter off"), where("faregate_meter", "faregate_meter takes no arguments but a matcher, at Caddyfile:2")},
		{"meter with a block", site("faregate_meter {", "free", "}"), where("faregate_meter", "faregate_meter takes no arguments but a matcher, at Caddyfile:3")},
		{
			"upstream source with an argument", site("reverse_proxy {", "dynamic faregate openai", "}"),
			where("reverse_proxy", "dynamic faregate takes no arguments: providers are configured in the faregate global option, at Caddyfile:3"),
		},
		{
			"transport with options", site("reverse_proxy {", "transport faregate {", "tls_insecure_skip_verify", "}", "}"),
			where("reverse_proxy", "transport faregate takes no options: providers are configured in the faregate global option, at Caddyfile:4"),
		},
	}
	for _, size := range []string{"0", "-1MB", "many", "1e99", "2TiB", "{env.SIZE}"} {
		mistakes = append(mistakes, mistake{
			"max_body " + size, site("faregate {", "max_body "+size, "}"),
			where("faregate", `max_body "`+size+`" is not a size, like 32MB, at Caddyfile:3`),
		})
	}
	// What could send a request elsewhere, change it after it was metered, or repeat it.
	for name, line := range map[string]string{
		"to": "to https://api.openai.com", "dynamic": "dynamic srv api.example.com", "transport": "transport http {\ntls\n}",
		"lb_policy": "lb_policy random", "lb_retries": "lb_retries 2", "lb_try_duration": "lb_try_duration 5s", "lb_retry_match": "lb_retry_match {\nmethod POST\n}",
		"header_up": "header_up X-Api-Key " + secretInClear, "method": "method GET", "rewrite": "rewrite /v2",
		"request_buffers": "request_buffers 1MB", "response_buffers": "response_buffers 1MB", "replace_status": "replace_status 200",
		"health_uri": "health_uri /", "max_fails": "max_fails 3", "verbose_logs": "verbose_logs", "encode": "encode gzip",
	} {
		for _, before := range []string{"", "insecure\n", "max_body 1MB\n", "header_down -Server\n", "handle_response {\nrespond 503\n}\n", "@down status 5xx\n"} {
			mistakes = append(mistakes, mistake{
				name + " after " + strings.TrimSpace(before), site("faregate {", before+line, "}"),
				where("faregate", `faregate cannot pass "`+name+`" on to reverse_proxy: providers, credentials and retries are Faregate's own matter. `+
					"It takes insecure, cors and max_body, and of reverse_proxy flush_interval, stream_timeout, stream_close_delay, stream_buffer_size, "+
					"header_down, handle_response, trusted_proxies, at Caddyfile:"+string(rune('3'+strings.Count(before, "\n")))),
			})
		}
	}
	checkMistakes(t, mistakes)
}

// checkOptionMistakes checks mistakes inside the faregate global option, whose lines
// begin with line 3.
func checkOptionMistakes(t *testing.T, mistakes []mistake) {
	t.Helper()
	for i := range mistakes {
		mistakes[i].caddyfile = "{\nfaregate {\n" + mistakes[i].caddyfile + "\n}\n}\n"
		mistakes[i].want = "parsing caddyfile tokens for 'faregate': " + mistakes[i].want
	}
	checkMistakes(t, mistakes)
}

func checkMistakes(t *testing.T, mistakes []mistake) {
	t.Helper()
	for _, mistake := range mistakes {
		t.Run(mistake.name, func(t *testing.T) {
			result, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(mistake.caddyfile), nil)
			if err == nil {
				t.Fatalf("adapted to %s", result)
			}
			if err.Error() != mistake.want {
				t.Errorf("the error is\n\t%s\nwant\n\t%s", err, mistake.want)
			}
			if strings.Contains(err.Error(), secretInClear) {
				t.Error("the error shows a secret")
			}
		})
	}
}

const handlesAnswers = "handle_response would take answers away that the caller pays for: give it a matcher with status codes of 400 and above only"
