package metering

import (
	"time"

	"github.com/faregate/faregate/metering/usage"
)

// Status says how a request ended.
type Status string

// The statuses of a usage record.
const (
	StatusOK            Status = "ok"             // the provider's answer was complete
	StatusProviderError Status = "provider_error" // the provider failed, before or in its answer
	StatusClientClosed  Status = "client_closed"  // the client left first
	StatusInterrupted   Status = "interrupted"    // the gateway stopped first
	StatusRejected      Status = "rejected"       // the gateway refused the request
)

// Basis says what a charge rests on.
type Basis string

// The bases of a charge.
const (
	BasisMeasured    Basis = "measured"    // usage that the provider reported
	BasisEstimated   Basis = "estimated"   // our own count, as the provider reported none
	BasisWaived      Basis = "waived"      // nothing is charged by the rules
	BasisInterrupted Basis = "interrupted" // nothing is charged, as the gateway stopped
)

// Record is what is kept of one request: metadata only. Every string is an
// enumeration or a name from the catalogue; anything else is recorded as
// "other". It is at once the debit of the account: Cost - Shortfall is what left
// the balance.
type Record struct {
	ID        string // UUIDv7, made by the server
	AccountID string
	KeyID     string
	StartedAt time.Time
	Duration  time.Duration
	// TimeToFirstToken is zero where no output came.
	TimeToFirstToken time.Duration
	Operation        string
	Dialect          string
	Provider         string
	ModelRequested   string
	ModelServed      string
	Attempts         int
	Status           Status
	HTTPStatus       int
	Streamed         bool
	FinishReason     string
	ServiceTier      string
	Basis            Basis
	Usage            usage.Usage
	// Cost is the price of the usage.
	Cost Nanos
	// Shortfall is the part of Cost that the account could not pay.
	Shortfall Nanos
	// PriceVersion is the version of the price book that Cost was computed with.
	PriceVersion string
}

// Other stands in a record for every name that is neither an enumeration's
// nor the catalogue's, as free text from outside must never be kept.
const Other = "other"
