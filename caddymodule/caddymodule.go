// Package caddymodule is the edge of Faregate: it fits key verification,
// upstream selection and token metering into Caddy's pipeline.
//
// One request's way, each arrow a middleware of one Caddy route:
//
//	faregate_auth ─▶ faregate_route ─▶ faregate_meter ─▶ reverse_proxy
//	key→principal    body→model→plan   hold … settle      transport faregate
//
// faregate_auth is the outermost: it takes the credential out of the request
// before anything else can see it, and turns every error into an answer in the
// caller's dialect. faregate_route reads the body once and resolves the model to
// attempts. faregate_meter holds the worst-case price and guarantees exactly
// one settlement. The transport makes the attempts; the response body that it
// returns feeds the usage meter and withholds the terminal bytes until the
// settlement is durable.
//
// All that belongs to one request is in one Exchange, which lives in Caddy's
// request variables. What outlives requests is in two places: the App (one per
// loaded configuration: providers, models, prices) and the runtime (one per
// store, shared by configurations across reloads: store, ledger, key cache).
//
// The package knows no prices and no SQL: those are in metering and
// internal/store. In a Caddyfile the whole chain is one word:
//
//	{
//		faregate {
//			provider openai {env.OPENAI_API_KEY}
//		}
//	}
//
//	api.example.com {
//		faregate
//	}
package caddymodule
