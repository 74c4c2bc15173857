// Package e2e proves the whole: the built ./caddy as a process of its own, called
// by the providers' official SDKs for Node and Go, the AI SDK and whatever else
// docs/clients.md tells of, operated by its own command line, in front of
// internal/simulator as the provider. It has tests only.
//
// Each test looks at one call from three sides: what the SDK made of the answer,
// what the usage record says, and what the account has left, to the nano-dollar.
// The expected price is computed here, from the prices that the providers
// publish, and by nothing of the gateway's own code:
//
//	g := startGateway(t)
//	rider := g.newCustomer("rider", "10")           // an account, 10 dollars, a key
//	sdk := startSDK(t, "openai", rider)
//	seen := sdk.must(call{Do: "create", Params: params{"model": "gpt-4.1-mini", …}})
//	…                                               // seen.Text, seen.Usage, seen.Tools
//	spent := g.request(seen.id()).expectCharge(t, plain(6, 52), "gpt-4.1-mini")
//	rider.expectSpent(spent)                        // the balance; the ledger re-added
//
// The price book is compared, model by model, with the prices of another library
// (TestPricesHaveASecondOpinion), and every difference has its reason there.
//
// The code in docs/clients.md is run as it stands there (TestDocumentedClients). Its
// command-line tools are too large for every run: ./xcaddy.sh test-tools installs them
// and has each make a turn (TestCommandLineTools).
//
// ./xcaddy.sh test installs the SDKs and builds ./caddy before it runs them. A
// ./caddy that is older than the sources is not used: the tests then build one
// like it.
package e2e
