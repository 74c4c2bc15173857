package auth

import (
	"context"
	"errors"
)

// The outcomes of a verification other than success; ErrMalformedKey is one more.
var (
	// ErrUnknownKey says that there is no such key. A revoked key and a
	// secret that was replaced are answered the same way: nobody learns that it once
	// opened something.
	ErrUnknownKey = errors.New("unknown key: create one, or use one that was not revoked")
	// ErrExpiredKey says that the key's time is over.
	ErrExpiredKey = errors.New("the key has expired: create a new one")
	// ErrSuspended says that the account may not be used at present.
	ErrSuspended = errors.New("the account is suspended: ask the operator")
	// ErrUnavailable says that the directory cannot be asked at present.
	ErrUnavailable = errors.New("keys cannot be checked at present: try again")
	// ErrBusy says that too many look-ups are under way.
	ErrBusy = errors.New("too many keys are being checked at present: try again")
)

// Directory finds keys by the hash of their secret.
type Directory interface {
	// FindKey returns the key whose secret has, or had, this hash and its account, read
	// in one consistent view, revoked keys and suspended accounts included; Hash and
	// SecretEndsAt are those of the secret with this hash. No such key is
	// ErrUnknownKey; any other error means that the directory cannot say.
	FindKey(ctx context.Context, hash Hash) (*Key, *Account, error)
}
