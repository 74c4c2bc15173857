package auth

import (
	"fmt"
	"io"
	"time"

	"github.com/faregate/faregate/auth/preferences"
)

// Status says whether an account may be used.
type Status string

// The statuses of an account.
const (
	StatusActive    Status = "active"
	StatusSuspended Status = "suspended"
	// StatusErased is for good: the account has no name any more, and no key that works.
	StatusErased Status = "erased"
)

// Account is the holder of a balance and of keys.
type Account struct {
	ID       string // UUIDv7
	Email    string // as NormalizeEmail writes it; unique; empty when erased
	Username string // as NormalizeUsername writes it; unique; empty when erased
	// Group names the price group, as ValidateGroup allows it; empty is the default group.
	Group  string
	Status Status
	// SuspendedReason says why, in the operator's words. It is empty unless suspended.
	SuspendedReason string
	// DataPolicy is what providers must have promised of what the account sends them.
	DataPolicy preferences.DataPolicy
	// PasswordHash is what HashPassword made, or empty: no password sign-in.
	PasswordHash PasswordHash
	CreatedAt    time.Time
}

// Format prints only the id under every verb: the address and the password hash
// have no place in a log line. Hiding the hash alone would not do, as fmt forgets
// methods inside a value that it finds wrong for a verb (*Account under %s).
func (a Account) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "account "+a.ID) }
