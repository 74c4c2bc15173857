package ledger

import (
	"errors"
	"fmt"

	"github.com/faregate/faregate/metering"
)

// What can come of a hold or a settlement other than success.
var (
	// ErrInsufficient says that the account has less credit than needed.
	ErrInsufficient = errors.New("insufficient credit")
	// ErrUnavailable says that the store cannot be reached or cannot write.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrElsewhere says that the account has enough, but that it is in the hands of a
	// node that has not been heard of lately. It comes back when that node's lease ends.
	// It comes with ErrUnavailable.
	ErrElsewhere = errors.New("the credit is held by a gateway that does not answer")
	// ErrCrowded says that as many holds of the account wait as may: its credit suffices,
	// but others hold it.
	ErrCrowded = errors.New("too many requests of the account wait for credit")
	// ErrNoAccount says that the store knows no such account.
	ErrNoAccount = errors.New("no such account")
	// ErrFenced says that the node's lease was taken away: what it held is no
	// longer its own. Nothing was charged.
	ErrFenced = errors.New("the lease of this node was taken over")
	// ErrRejected says that the store will never accept this record: its key is
	// unknown, say. Nothing was charged.
	ErrRejected = errors.New("the store rejects the record")
	// ErrDuplicate says that another record with this id is in the ledger.
	ErrDuplicate = errors.New("another record has this id")
	// ErrReleased says that the hold was given back before.
	ErrReleased = errors.New("the hold was released")
	// ErrSettled says that the hold was settled before.
	ErrSettled = errors.New("the hold was settled")
	// ErrClosed says that the ledger takes nothing any more.
	ErrClosed = errors.New("the ledger is closed")
	// ErrAmount says that an amount makes no sense, as a negative one.
	ErrAmount = errors.New("not a usable amount")
)

// InsufficientError is ErrInsufficient with the amounts.
type InsufficientError struct {
	Needed    metering.Nanos
	Available metering.Nanos // what a hold could still take
	// KeyLimit tells that the key's spend limit is what is short, rather than the
	// account's credit.
	KeyLimit bool
}

func (e *InsufficientError) Error() string {
	what := ErrInsufficient.Error()
	if e.KeyLimit {
		what = "the key's spend limit leaves too little"
	}
	return fmt.Sprintf("%s: %s USD needed, %s USD available", what, e.Needed, e.Available)
}

// Is makes errors.Is(err, ErrInsufficient) true.
func (e *InsufficientError) Is(target error) bool { return target == ErrInsufficient }
