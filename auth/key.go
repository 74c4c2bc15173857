package auth

import (
	"fmt"
	"io"
	"time"

	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/auth/preferences"
)

// Key is a credential of an account, without its secret: only a Hash is kept.
type Key struct {
	ID        string // UUIDv7
	AccountID string
	Name      string // as NormalizeKeyName writes it
	Hash      Hash
	// Models holds the patterns of models that the key may call, as
	// ValidateModelPattern allows them. Empty allows every model.
	Models []string
	// ExactCaps refuses a request whose worst case the credit does not cover, rather
	// than asking for a shorter answer.
	ExactCaps bool
	// Rates are the key's own limits, beside those of its account; zero is none.
	Rates limits.Rates
	// Addresses is from where the key may be used; empty allows every address.
	Addresses limits.AddressList
	// OnDisconnect goes before what is configured for the provider.
	OnDisconnect OnDisconnect
	// Providers are preferred where a request says nothing else. Their data policy is
	// required beside the account's.
	Providers preferences.Providers
	CreatedAt time.Time
	// RotatedAt is when the key got its present secret; zero: when it was created.
	RotatedAt time.Time
	// SecretEndsAt is when the secret that Hash is of stops standing for the key, as it
	// was replaced; zero for the present secret.
	SecretEndsAt time.Time
	// ExpiresAt is zero for a key that does not expire.
	ExpiresAt time.Time
	// RevokedAt is zero for a key that is not revoked.
	RevokedAt time.Time
}

// Expired tells whether the key's time is over at the moment given.
func (k *Key) Expired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// Revoked tells whether the key was revoked.
func (k *Key) Revoked() bool { return !k.RevokedAt.IsZero() }

// Replaced tells whether the time of the secret that Hash is of is over.
func (k *Key) Replaced(now time.Time) bool {
	return !k.SecretEndsAt.IsZero() && !now.Before(k.SecretEndsAt)
}

// Format prints only the id under every verb, like an Account.
func (k Key) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "key "+k.ID) }
