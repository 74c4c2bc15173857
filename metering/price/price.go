// Package price says what usage costs. It reads a price book (JSON, dated and
// sourced; one is embedded, and files can be laid over it), finds the prices of a
// model at a moment, computes the cost of reported usage in integers, and bounds
// the cost of a request that has not been sent yet.
//
//	model, _ := price.Embedded().Find("anthropic", "claude-haiku-4-5-20251001")
//	rates, _ := model.At(time.Now())
//	cost := rates.Cost(usage.Usage{InputTotal: 1000, Input: 1000, OutputTotal: 10, Output: 10}, price.Conditions{})
//	// 1000 × $1/M + 10 × $5/M = $0.00105; cost.String() == "0.00105"
//
// A price is an integer of pico-dollars per integer quantity of a base unit (a
// token, a search). Sums are made in wider integers and rounded up once per
// request to nano-dollars. No float touches money.
//
// # Classes without a price of their own
//
// Every model states a price of input and of output; "0" must be written. A
// token class that a model does not price costs what the next class of this
// list costs, so that nothing is free by accident and no discount is given that
// no source announced:
//
//	cache_read         input
//	cache_write        cache_write_5m (the default lifetime), input
//	cache_write_5m     cache_write, input
//	cache_write_1h     cache_write, cache_write_5m, input
//	input_audio        input (so do image and video)
//	cache_read_audio   input_audio if audio has its own price, else cache_read, input (so do image and video)
//	output_audio       output (so do image and video)
//
// Tokens of a total that belong to no class are priced as input or output. A
// counted unit without a price costs nothing: several providers make its tokens
// the whole charge (Anthropic's web fetch).
//
// Cache writes have three classes: cache_write is that of a provider's own
// lifetime (OpenAI's thirty minutes), cache_write_5m a short and cache_write_1h a
// long one (Anthropic's hour, OpenAI's twelve hours).
//
// # Conditions
//
// The service tier, speed and region that the response reports multiply the
// token prices or replace them; multipliers stack and leave units alone. A
// condition that the entry does not know is charged the standard price, and
// [Rates.Knows] says so, so that the caller can flag it. Capacity paid in
// advance (provisioned throughput, scale tier) costs the customer the standard
// price: it was the operator who paid in advance.
package price
