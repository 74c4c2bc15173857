package upstream

import (
	"net/url"
	"slices"
	"strings"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/usage"
)

// Preset is what is known of a well-known provider.
type Preset struct {
	Name    string
	Dialect dialect.Dialect
	// BaseURL is its address; for a server of the operator's own the usual one. It is
	// empty where each customer has one, and BaseURLLike shows its shape.
	BaseURL, BaseURLLike string
	// KeyVariable is the environment variable that its SDKs take the key from; empty
	// where it wants no key.
	KeyVariable string
	// CredentialHeader, Deployments, APIVersion, Profile, OldOutputCap, UsageUnasked,
	// Private and Compatible are as in ProviderOptions.
	CredentialHeader string
	Deployments      bool
	APIVersion       string
	Profile          usage.Profile
	OldOutputCap     bool
	UsageUnasked     bool
	Private          bool
	Compatible       Compatibility
}

// presets are facts of the providers' documentation and of recorded answers. None
// promises a data policy: what holds is a matter of the operator's contract.
var presets = [...]Preset{
	{Name: "openai", Dialect: dialect.OpenAI, BaseURL: "https://api.openai.com/v1", KeyVariable: "OPENAI_API_KEY"},
	{Name: "anthropic", Dialect: dialect.Anthropic, BaseURL: "https://api.anthropic.com", KeyVariable: "ANTHROPIC_API_KEY"},
	{
		Name: "google", Dialect: dialect.Google, BaseURL: "https://generativelanguage.googleapis.com", KeyVariable: "GEMINI_API_KEY",
		// gemini-api/docs/openai. Images are left out: their answers tell no usage.
		Compatible: Compatibility{Dialect: dialect.OpenAI, Path: "/openai", Operations: []string{"chat", "embeddings"}, Profile: usage.ProfileThoughtsHidden},
	},
	{Name: "xai", Dialect: dialect.OpenAI, BaseURL: "https://api.x.ai/v1", KeyVariable: "XAI_API_KEY", Profile: usage.ProfileReasoningApart},
	// The v1 API takes the deployment as the model; the older one has it in the path.
	{
		Name: "azure-openai", Dialect: dialect.OpenAI, BaseURLLike: "https://RESOURCE.openai.azure.com/openai/v1",
		KeyVariable: "AZURE_OPENAI_API_KEY", CredentialHeader: "Api-Key",
	},
	{
		Name: "azure-openai-deployments", Dialect: dialect.OpenAI, BaseURLLike: "https://RESOURCE.openai.azure.com",
		KeyVariable: "AZURE_OPENAI_API_KEY", CredentialHeader: "Api-Key", Deployments: true, APIVersion: "2024-10-21",
	},
	{Name: "openrouter", Dialect: dialect.OpenAI, BaseURL: "https://openrouter.ai/api/v1", KeyVariable: "OPENROUTER_API_KEY", UsageUnasked: true},
	{Name: "deepseek", Dialect: dialect.OpenAI, BaseURL: "https://api.deepseek.com", KeyVariable: "DEEPSEEK_API_KEY", OldOutputCap: true, UsageUnasked: true},
	{
		Name: "mistral", Dialect: dialect.OpenAI, BaseURL: "https://api.mistral.ai/v1", KeyVariable: "MISTRAL_API_KEY",
		Profile: usage.ProfileAudioApart, OldOutputCap: true, UsageUnasked: true,
	},
	// Its usage comes in x_groq.
	{Name: "groq", Dialect: dialect.OpenAI, BaseURL: "https://api.groq.com/openai/v1", KeyVariable: "GROQ_API_KEY", UsageUnasked: true},
	{Name: "together", Dialect: dialect.OpenAI, BaseURL: "https://api.together.xyz/v1", KeyVariable: "TOGETHER_API_KEY", OldOutputCap: true, UsageUnasked: true},
	{Name: "cerebras", Dialect: dialect.OpenAI, BaseURL: "https://api.cerebras.ai/v1", KeyVariable: "CEREBRAS_API_KEY"},
	{Name: "perplexity", Dialect: dialect.OpenAI, BaseURL: "https://api.perplexity.ai", KeyVariable: "PERPLEXITY_API_KEY", OldOutputCap: true, UsageUnasked: true},
	{Name: "vllm", Dialect: dialect.OpenAI, BaseURL: "http://127.0.0.1:8000/v1", OldOutputCap: true, Private: true},
	{Name: "ollama", Dialect: dialect.OpenAI, BaseURL: "http://127.0.0.1:11434/v1", OldOutputCap: true, Private: true},
}

// FindPreset returns what is known of a provider by its name.
func FindPreset(name string) (Preset, bool) {
	i := slices.IndexFunc(presets[:], func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return Preset{}, false
	}
	return presets[i], true
}

// OldOutputCapAt tells whether a provider of a name of its own may know only max_tokens as
// the name of a chat's output cap: not where it is another account or region of a
// well-known one that knows the newer name, as OpenAI's newer models refuse the older.
func OldOutputCapAt(address *url.URL) bool {
	host := strings.ToLower(address.Hostname())
	for i := range presets {
		p := &presets[i]
		if p.Dialect != dialect.OpenAI || p.OldOutputCap {
			continue
		}
		known, err := url.Parse(p.BaseURL + strings.Replace(p.BaseURLLike, "RESOURCE.", "", 1))
		if err == nil && (host == known.Hostname() || strings.HasSuffix(host, "."+known.Hostname())) {
			return false
		}
	}
	return true
}

// Presets lists the well-known providers.
func Presets() []Preset { return slices.Clone(presets[:]) }

// Options are the preset as options of a provider, for the caller to complete: its
// base URL, its keys, and what the configuration says otherwise.
func (p Preset) Options() ProviderOptions {
	return ProviderOptions{
		Name: p.Name, Dialects: []dialect.Dialect{p.Dialect}, Profile: p.Profile, OldOutputCap: p.OldOutputCap,
		UsageUnasked: p.UsageUnasked, Private: p.Private, CredentialHeader: p.CredentialHeader,
		Deployments: p.Deployments, APIVersion: p.APIVersion, Compatible: p.Compatible,
	}
}
