package dialect

// routing is the field of what chooses among hosts of a model, in all bodies that
// OpenRouter reads; their own fields count up from 1.
const routing field = 255

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

// routed refuses a member that chooses among hosts: one that is not null or an empty
// array. Other than elsewhere false asks for something, as in allow_fallbacks.
func (b *reading) routed(start, end int) *Error {
	if b.scanner.data[start] == 'f' {
		return unsupported("provider", becauseRouted)
	}
	return b.refuse("provider", becauseRouted, start, end)
}
