package price

// Definition is what prices look like before they are integers: in a price
// book, and as the `price` line of the configuration gives them. Class names
// are those of a usage record; prices are decimal strings in USD per million
// tokens.
type Definition struct {
	// Prices is the price per class; "input" and "output" are required.
	Prices map[string]string `json:"prices"`
	// Tiers replace Prices for the whole request once the prompt (all of
	// input_total) is longer than Above. They price the same classes as Prices.
	Tiers []Tier `json:"tiers,omitzero"`
	// ServiceTiers, Speeds and Geos say what the named condition changes. The
	// names of service tiers are the canonical ones: flex, priority, batch.
	ServiceTiers map[string]Adjustment `json:"service_tiers,omitzero"`
	Speeds       map[string]Adjustment `json:"speeds,omitzero"`
	Geos         map[string]Adjustment `json:"geos,omitzero"`
	// Units is the price of one unit ("web_search": "0.01"), or of a number of
	// units ("milliseconds": "0.36/3600000"). A kind of a unit can have its own
	// ("images:hd-1024x1792": "0.12"), beside the unit's, which is what a request
	// costs that asks for no kind.
	Units map[string]string `json:"units,omitzero"`
	// Least is the least number of a unit that is charged where there is any of it:
	// {"milliseconds": 10000} makes ten seconds of a shorter recording.
	Least map[string]int64 `json:"least,omitzero"`
}

// Tier is the price of a request whose prompt is longer than Above tokens: with
// 200000, a prompt of 200,001 tokens is the first to be priced so.
type Tier struct {
	Above  int64             `json:"above"`
	Prices map[string]string `json:"prices"`
}

// Adjustment is what a condition changes: it multiplies all token prices, or it
// replaces them (Prices and Tiers, pricing the same classes as the base).
type Adjustment struct {
	Multiply string            `json:"multiply,omitzero"`
	Prices   map[string]string `json:"prices,omitzero"`
	Tiers    []Tier            `json:"tiers,omitzero"`
}
