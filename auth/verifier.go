package auth

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/faregate/faregate/auth/preferences"
)

// LongestCacheAge bounds how long a key may be accepted without asking the
// directory again: what a lost change notice can cost at most.
const LongestCacheAge = 5 * time.Minute

// VerifierOptions tunes a Verifier; the zero value suits every server.
type VerifierOptions struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// CacheSize bounds the known keys in memory; 0 is 16384, some 8 MiB.
	CacheSize int
	// CacheAge is how long a known key stays there; 0 and anything longer is
	// LongestCacheAge.
	CacheAge time.Duration
	// UnknownSize bounds the unknown keys in memory; 0 is 16384.
	UnknownSize int
	// UnknownAge is how long an unknown key stays there; 0 is 30 seconds.
	UnknownAge time.Duration
	// MaxLookups caps the look-ups that run at the same time; 0 is 256. A flood of
	// invented keys then ends in ErrBusy, not in a queue at the store.
	MaxLookups int
	// LookupTimeout bounds one look-up; 0 is one second.
	LookupTimeout time.Duration
}

func (o VerifierOptions) withDefaults() VerifierOptions {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CacheAge <= 0 || o.CacheAge > LongestCacheAge {
		o.CacheAge = LongestCacheAge
	}
	o.CacheSize = positiveOr(o.CacheSize, 16384)
	o.UnknownSize = positiveOr(o.UnknownSize, 16384)
	o.UnknownAge = positiveOr(o.UnknownAge, 30*time.Second)
	o.MaxLookups = positiveOr(o.MaxLookups, 256)
	o.LookupTimeout = positiveOr(o.LookupTimeout, time.Second)
	return o
}

func positiveOr[T int | time.Duration](value, fallback T) T {
	if value > 0 {
		return value
	}
	return fallback
}

// Verifier turns a key's secret into the principal that it stands for. It may be
// used by many goroutines at once.
type Verifier struct {
	directory Directory
	options   VerifierOptions
	cache     *cache
	flights   singleflight.Group
	lookups   *semaphore.Weighted
}

// NewVerifier makes a Verifier over a directory.
func NewVerifier(directory Directory, options VerifierOptions) *Verifier {
	options = options.withDefaults()
	return &Verifier{
		directory: directory,
		options:   options,
		cache:     newCache(options.CacheSize, options.UnknownSize),
		lookups:   semaphore.NewWeighted(int64(options.MaxLookups)),
	}
}

// Verify returns the principal of a secret, or ErrMalformedKey, ErrUnknownKey (also
// for a revoked key and a replaced secret), ErrExpiredKey, ErrSuspended, ErrBusy, ErrUnavailable or the
// error of ctx. No error quotes the secret.
func (v *Verifier) Verify(ctx context.Context, secret string) (*Principal, error) {
	hash, err := HashSecret(secret)
	if err != nil {
		return nil, err
	}
	now := v.options.Now()
	if found, ok := v.cache.get(&hash, now); ok {
		return found.judge(now)
	}
	found, err := v.lookUp(ctx, hash)
	if err != nil {
		return nil, err
	}
	return found.judge(v.options.Now())
}

// Forget drops what is known of a key, as the directory says that it changed. It
// also keeps look-ups that are under way from bringing the old state back.
func (v *Verifier) Forget(keyID string) {
	v.cache.forget(func(p *Principal) bool { return p.KeyID == keyID })
}

// ForgetAccount drops what is known of all keys of an account, like Forget.
func (v *Verifier) ForgetAccount(accountID string) {
	v.cache.forget(func(p *Principal) bool { return p.AccountID == accountID })
}

// lookUp asks the directory, once for all who wait for the same hash.
func (v *Verifier) lookUp(ctx context.Context, hash Hash) (*entry, error) {
	generation := v.cache.generation.Load()
	// The generation is a part of the flight's name, so that nobody who comes after a
	// Forget joins a look-up that began before it.
	name := binary.BigEndian.AppendUint64(hash[:len(hash):len(hash)], generation)
	flight := v.flights.DoChan(string(name), func() (any, error) {
		if !v.lookups.TryAcquire(1) {
			return nil, ErrBusy
		}
		defer v.lookups.Release(1)
		// Others may wait for this look-up when its first caller has long left.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.options.LookupTimeout)
		defer cancel()
		return v.ask(ctx, hash, generation)
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("check a key: %w", context.Cause(ctx))
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*entry), nil
	}
}

func (v *Verifier) ask(ctx context.Context, hash Hash, generation uint64) (*entry, error) {
	asked := v.options.Now()
	key, account, err := v.directory.FindKey(ctx, hash)
	switch {
	case errors.Is(err, ErrUnknownKey):
		found := &entry{unknown: true, until: asked.Add(v.options.UnknownAge)}
		v.cache.put(hash, found, generation)
		return found, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case key.AccountID != account.ID:
		return nil, fmt.Errorf("%w: key %s came with another account than its own", ErrUnavailable, key.ID)
	}
	// The directory's own comparison may be looser than ours (a collation, a
	// truncated column), so the match is checked again.
	if key.Revoked() || key.Replaced(asked) || subtle.ConstantTimeCompare(key.Hash[:], hash[:]) != 1 {
		found := &entry{unknown: true, until: asked.Add(v.options.UnknownAge)}
		v.cache.put(hash, found, generation)
		return found, nil
	}
	found := &entry{
		principal: &Principal{
			AccountID: account.ID, KeyID: key.ID, KeyName: key.Name, Group: account.Group, Models: key.Models,
			ExactCaps: key.ExactCaps, Rates: key.Rates, Addresses: key.Addresses, OnDisconnect: key.OnDisconnect,
			Providers: key.Providers.Or(preferences.Providers{DataPolicy: account.DataPolicy}),
		},
		suspended: account.Status != StatusActive,
		expires:   key.ExpiresAt,
		replaced:  key.SecretEndsAt,
		until:     asked.Add(v.options.CacheAge),
	}
	v.cache.put(hash, found, generation)
	return found, nil
}
