package limits

// NoLimit in a field of Rates lifts the limit, also where a default sets one.
const NoLimit = -1

// Rates are the limits of one scope. Zero leaves a field to the default, and without
// a default there is no limit.
type Rates struct {
	RequestsPerMinute int64
	TokensPerMinute   int64
	// Concurrency is how many requests may be under way at once.
	Concurrency int64
}

// Over returns the rates with the defaults in place of what they leave open.
func (r Rates) Over(defaults Rates) Rates {
	return Rates{
		RequestsPerMinute: over(r.RequestsPerMinute, defaults.RequestsPerMinute),
		TokensPerMinute:   over(r.TokensPerMinute, defaults.TokensPerMinute),
		Concurrency:       over(r.Concurrency, defaults.Concurrency),
	}
}

func over(value, fallback int64) int64 {
	if value == 0 {
		return fallback
	}
	return value
}

// limit tells whether there is any limit.
func (r *Rates) limit() bool {
	return r.RequestsPerMinute > 0 || r.TokensPerMinute > 0 || r.Concurrency > 0
}

// Scope is whom a limit is for.
type Scope uint8

// The scopes.
const (
	ScopeKey Scope = iota
	ScopeAccount
	ScopeAddress // the client's network, as the package's documentation says
	scopes
)

var scopeNames = [scopes]string{ScopeKey: "key", ScopeAccount: "account", ScopeAddress: "address"}

// String returns key, account or address.
func (s Scope) String() string {
	if s < scopes {
		return scopeNames[s]
	}
	return "unknown"
}

// Kind is what a limit counts.
type Kind uint8

// The kinds of limits.
const (
	KindRequests    Kind = iota // per minute
	KindTokens                  // per minute
	KindConcurrency             // at once
)

var kindNames = [...]string{KindRequests: "requests", KindTokens: "tokens", KindConcurrency: "concurrency"}

// String returns requests, tokens or concurrency.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}
