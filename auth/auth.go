// Package auth says who is calling: accounts, keys and passwords. It takes
// strings, never requests, and knows neither Caddy nor SQL.
//
// A key's secret is shown once and kept as a hash. The Verifier turns a secret
// into a Principal, mostly from its cache:
//
//	secret, err := auth.NewSecret(rand.Reader) // "sk-fg-…", for the holder's eyes only
//	hash, err := auth.HashSecret(secret.Reveal())
//	// keep auth.Key{…, Hash: hash} in a Directory
//
//	verifier := auth.NewVerifier(directory, auth.VerifierOptions{})
//	principal, err := verifier.Verify(ctx, text)
//	switch {
//	case errors.Is(err, auth.ErrUnknownKey): // 401
//	case err == nil && principal.AllowsModel("gpt-5.4-mini"): // go on
//	}
package auth
