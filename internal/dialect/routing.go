package dialect

// Fields of what chooses among hosts of a model, or among models, in all bodies that
// OpenRouter reads; their own fields count up from 1.
const (
	routing field = 255 - iota
	routingModels
	routingFallbacks
	routingPlugins
)

// routingRefusals are those that are refused whole.
var routingRefusals = map[field]refusal{
	routingModels:    {"models", becauseModels},
	routingFallbacks: {"fallbacks", becauseModels},
	routingPlugins:   {"plugins", becauseUncapped},
}

// routingMembers are OpenRouter's members of chat, completions, responses and messages.
var routingMembers = []member{
	{text: "provider", at: routingPlace},
	{text: "models", at: &place{field: routingModels}},
	{text: "fallbacks", at: &place{field: routingFallbacks}},
	{text: "plugins", at: &place{field: routingPlugins}},
}

// routingPlace is the member provider, with which OpenRouter's callers say where it sends a
// request (openrouter.ai/docs, Provider Routing). Hosts of one model differ in price: what
// names them, puts them in an order or asks for faster ones would let the caller choose what
// the operator pays. Taken is what asks for care with the content, for hosts that can do what
// the request needs, or for no more than a price.
var routingPlace = &place{others: &place{field: routing}, names: []member{
	{text: "data_collection"},
	{text: "zdr"},
	{text: "enforce_distillable_text"},
	{text: "require_parameters"},
	{text: "max_price"},
}}

// becauseRouted says why the rest of it is refused.
const becauseRouted = "it chooses the host, and with it the price. Of provider only data_collection, zdr, enforce_distillable_text, require_parameters and max_price are taken. " +
	"To choose among the providers of this gateway, send the header Faregate-Provider, as in order=anthropic|openrouter."

// routed refuses a member that chooses among hosts or models: one that is not null or an
// empty array. Among hosts false asks for something, too, as in allow_fallbacks.
func (b *reading) routed(f field, start, end int) *Error {
	if refused, ok := routingRefusals[f]; ok {
		return b.refuse(refused.param, refused.why, start, end)
	}
	if b.scanner.data[start] == 'f' {
		return unsupported("provider", becauseRouted)
	}
	return b.refuse("provider", becauseRouted, start, end)
}
