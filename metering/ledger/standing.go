package ledger

import (
	"cmp"
	"time"

	"github.com/faregate/faregate/metering"
)

// Wallet names one of the two that a request is paid from.
type Wallet struct {
	AccountID string
	// KeyID is empty for the account's own wallet. Else the wallet is what this key of
	// the account may spend in the period that began at PeriodStart (Unix microseconds).
	KeyID       string
	PeriodStart int64
}

func compare(a, b Wallet) int {
	return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.PeriodStart, b.PeriodStart))
}

// Draw asks for credit of an account and, with KeyID, of that key's spend limit in
// the period that the store's clock is in.
type Draw struct {
	Number       int64 // higher than that of every earlier call of the lease
	AccountID    string
	KeyID        string // may be empty
	Account, Key Wish
}

// Wish says how much of one wallet a node would like to have.
type Wish struct {
	Least metering.Nanos // what somebody waits for; 0: nobody waits
	Most  metering.Nanos // what to take beyond that, if it is there
	Whole metering.Nanos // no more than this is not worth leaving: take it, too
}

// Amount returns what a store grants of `left`, which may be below zero. With
// left = 100: {Least: 10, Most: 30} is 30, {Most: 30, Whole: 70} is 100, and
// {Least: 200} is 100.
func (w Wish) Amount(left metering.Nanos) metering.Nanos {
	if left <= 0 {
		return 0
	}
	amount := min(max(w.Least, w.Most), left)
	if amount > 0 && left-amount <= w.Whole {
		amount = left
	}
	return amount
}

// Drawn is the answer to a Draw.
type Drawn struct {
	Account Standing
	// Key is nil where no key was asked for, or the key has no limit.
	Key *KeyStanding
}

// Standing is how a wallet stands after a call.
type Standing struct {
	Position
	Elsewhere metering.Nanos // what other nodes have of it
	// Left is what nobody has. Of a key it is below zero after its limit was lowered
	// to less than what is spent and granted.
	Left metering.Nanos
	// Recalled says that another's recall is in force: the node shall put back what it
	// does not need, and was granted nothing.
	Recalled bool
}

// KeyStanding is how a key's spend limit stands.
type KeyStanding struct {
	Standing
	PeriodStart int64         // names the wallet
	Remaining   time.Duration // until the next period, by the store's clock; 0: there is none
}

// Node is one gateway among those of a store.
type Node struct {
	Name      string         `json:"name"`
	Epoch     int64          `json:"epoch"`
	Live      bool           `json:"live"`       // its lease is in force
	ClaimedAt time.Time      `json:"claimed_at"` // times are of the store's clock
	RenewedAt time.Time      `json:"renewed_at"`
	ExpiresAt time.Time      `json:"expires_at"`
	Granted   metering.Nanos `json:"granted"`  // of all accounts together
	Accounts  int            `json:"accounts"` // of which it has credit
}

// RecallFor is how long a recall is in force after the draw that made or renewed it.
const RecallFor = 2 * time.Second
