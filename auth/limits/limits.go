// Package limits says how much a caller may do at once and per minute, and who has
// guessed too many keys. It takes names, numbers and addresses, never requests, and
// keeps everything in the memory of one node.
//
// # Rates
//
// A Limiter holds requests per minute, tokens per minute and concurrency, each for
// the key, the account and the client's address of a request. The rates are values
// that come with every call: a changed value counts from the next call on.
//
//	limiter := limits.New(limits.Options{})
//
//	admission, err := limiter.Admit(limits.Caller{
//		Key: principal.KeyID, KeyRates: key.Rates.Over(group.KeyRates),
//		Account: principal.AccountID, AccountRates: group.AccountRates,
//		Address: address, AddressRates: site.AddressRates,
//	})
//	var refused *limits.RefusedError
//	if errors.As(err, &refused) {
//		// 429: refused.Error() says what to do, refused.RetryAfter when, and
//		// refused.State what the rate limit header fields say.
//	}
//	defer admission.Release() // ends the request; what is still reserved goes back
//
//	err = admission.Reserve(worstCase) // with the hold; again for the next attempt
//	state := admission.State()         // for the header fields, before the answer begins
//	admission.Correct(actual)          // with the settlement
//
// Admit takes a request and a place in all three scopes or in none, and so does
// Reserve with tokens. A rate's bucket holds one minute's worth and fills evenly:
// no stretch of time sees more than its share of the limit and one full bucket.
//
// Reserved tokens lie in the bucket until they are corrected. They cannot be used
// twice, and the bucket does not fill the space that they take: giving them back
// never makes more than a full bucket. Tokens that were used beyond what was
// reserved make a debt, of an hour's worth at most, which time pays off.
//
// # Lock-out
//
// A Lockout counts wrong keys per address and locks the address for a growing time:
//
//	if wait := lockout.Check(address, secret); wait > 0 {
//		// 429, try again after wait
//	}
//	principal, err := verifier.Verify(ctx, secret)
//	switch {
//	case errors.Is(err, auth.ErrUnknownKey), errors.Is(err, auth.ErrMalformedKey):
//		lockout.Fail(address, secret)
//	case err == nil:
//		lockout.Succeed(address, secret)
//	}
//
// A success forgives nothing, so that whoever has one good key cannot go on guessing
// by using it in between. But the 64 keys that were used from an address last go on
// working there while the address is locked, so that one guesser does not shut out
// those who share the address.
//
// # Memory
//
// Both keep a bounded number of names and addresses. A name that has used nothing
// lately makes room first, which changes no answer. One that is in debt, has a
// request under way, or is locked is never given up: a flood of other addresses
// cannot buy a fresh start. Names that find no room at all share one bucket.
//
// Client addresses are kept as networks (IPv4: the address, also where it came
// written as IPv6; IPv6: its /64), in memory only. No type of this package that
// holds one prints it, and no error does.
package limits
