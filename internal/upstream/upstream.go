// Package upstream knows the providers and the models, and selects who gets a
// request: which provider, which of its keys, under which model name. It sends
// nothing itself.
//
// A Catalogue is an immutable snapshot of one configuration. A Health is what was
// learnt of providers, keys and models since the process began; it outlives
// catalogues. A Selector joins the two. All are safe for concurrent use; the way of
// a request takes no lock unless it has to wait.
//
//	health := upstream.NewHealth(upstream.HealthOptions{Observe: log})    // once
//	catalogue, err := upstream.NewCatalogue(book, providers, aliases)     // per configuration
//	selector := upstream.NewSelector(catalogue, health, upstream.SelectorOptions{})
//
//	model, err := catalogue.Find("gpt-5.4-mini")                          // per request
//	plan, err := selector.Plan(model, upstream.Request{
//		Dialect:     dialect.OpenAI,
//		Affinity:    selector.Affinity(accountID, conversation),
//		Preferences: preferences.Or(ofTheKey),
//		DataPolicy:  preferences.Strictest(operators, accounts, keys),
//	})
//	for {
//		call, err := plan.Begin(ctx)           // chooses a key, and takes one of its slots
//		if err != nil {
//			break                              // nobody is left, or nobody can now: UnavailableError
//		}
//		response, err := send(call.Attempt)
//		if err != nil {
//			call.Done(upstream.Outcome{Result: upstream.ResultOfError(err)})
//			continue                           // never to the same key again
//		}
//		if response.StatusCode != http.StatusOK {
//			class := dialect.ClassifyProviderError(d, response.StatusCode, body)
//			call.Done(upstream.Outcome{Result: upstream.ResultOf(class, response.StatusCode),
//				Wait: dialect.ProviderWait(response.Header, body, now)})
//			if class.CallersOwn() {
//				break                          // it would be the same everywhere
//			}
//			continue
//		}
//		call.Answered(dialect.ReadProviderLimits(response.Header, now)) // at the first content
//		…                                                            // the stream, for minutes
//		call.Done(upstream.Outcome{Result: upstream.Succeeded})      // its slot is free
//		break
//	}
//
// # Who is asked
//
// Providers that cannot or must not serve the request are left out when the plan is
// made: another dialect, a weaker data policy, excluded by the caller, too small a
// context, a lacking capability. What is left is asked in the order of tiers, and
// within a tier by weight, or by affinity: the same digest goes to the same key
// (weighted rendezvous hashing) while that key is healthy, and to one other when it
// is not. Nothing of it is kept, and it never keeps a request from a retry.
//
// A weight is lowered while the key has little left of its provider's rate limit,
// while far more requests run at it than its weight accounts for, and for a while
// after it has recovered. A request never goes twice to the same key under the same
// model name; a later tier may ask another model of the same key, unless the key
// itself was refused.
//
// # Who is left alone
//
// A cool-down is of a key for one model (rate limits, overload, errors, time-outs, too
// little credit for what was asked), of a key (401, 402, no credit), or of a provider's
// address (no connection). It lasts as long as the provider says, within bounds, else from
// a second up to minutes, longer each time. When it is over, one request tries; the others
// follow when that one was answered, and at a growing share. Failures are counted only of
// requests that began after the last cool-down, so that a hundred that fail together are
// one failure. One refusal, rate limit, time-out or failed connection begins a cool-down;
// of other errors three in a row do, or one that says how long to wait.
//
// Names that callers make up under a pattern are shared out among a bounded number of
// parts, each left alone by itself: they must neither fill the memory nor share one fate.
// Outside, all of them go by the pattern.
//
// Where everybody is left alone, and the provider has not said for how long, requests
// still try the one who will be asked next: of errors until they have lasted for about
// half a minute, of a refusal for the first minute. Only then callers are turned away
// without being tried. What can be the prompt's own matter (403, 429 without a time, 402
// as too little credit is left for it) turns nobody away, or one caller could shut a
// model for all with prompts that cost nothing.
package upstream

import "errors"

// What can be wrong with the model that is called.
var (
	// ErrUnknownModel says that no provider serves a model of this name.
	ErrUnknownModel = errors.New("unknown model")
	// ErrNoPrice says that the model has no price, so that it is not served.
	ErrNoPrice = errors.New("the model has no price")
	// ErrOtherDialect says that no provider of the model speaks the caller's dialect.
	ErrOtherDialect = errors.New("the model is served in another dialect")
)
