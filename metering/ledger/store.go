package ledger

import (
	"context"
	"math"
	"time"

	"github.com/faregate/faregate/metering"
)

// Lease is a node's right to spend what was granted to it. Every claim of a node
// has a higher epoch; whatever comes with an older one is refused.
type Lease struct {
	Node  string
	Epoch int64
}

// Everything is the amount to ask for when a node may have all that is left.
const Everything = metering.Nanos(math.MaxInt64)

// Position is where a node stands with one account under one lease. The three only
// ever grow, so that a node that did not learn the outcome of a call learns it from
// the next one. What the node has is Issued - Returned - Debited.
type Position struct {
	Issued   metering.Nanos // granted in all
	Returned metering.Nanos // given back in all
	Debited  metering.Nanos // settled in all
}

// Settlement is one record on its way to the store.
type Settlement struct {
	Record metering.Record
	// Debit is what leaves the account: Record.Cost - Record.Shortfall.
	Debit metering.Nanos
	// Limited says that the record's key has a spend limit, and that Debit counts in the
	// period of it that began at PeriodStart (Wallet.PeriodStart).
	Limited     bool
	PeriodStart int64
	// OperatorCost is what the provider will charge for a request that nobody pays for.
	OperatorCost metering.Nanos
	// Present is set by Store.Settle where a record of this id was there already,
	// and Standing is then what that one took from the account.
	Present  bool
	Standing metering.Nanos
}

// Store keeps the ledger for any number of nodes. Any error that is none of the
// sentinels named below means "cannot say": the call may or may not have taken effect,
// and is made again; every call is made so that this does no harm.
//
// What is in a store:
//   - nodes: name, epoch, when the lease was claimed and renewed, when it expires.
//     A lease is in force while its epoch is the node's and it was not ended. Expiry
//     alone does not end it: Reclaim does. A later epoch of a name is always higher.
//   - wallets, one per account: balance, granted, and the recall: by whom, until when.
//     0 <= granted <= balance, always.
//   - key wallets, one per key with a limit and per period in which it was used: spent,
//     granted, and a recall of their own. The limit itself is the key's: what is left is
//     limit - spent - granted, and below zero after the limit was lowered.
//   - grants, one per node and wallet: the Position, with the epoch and the Number of
//     the last Draw or PutBack. The sum of Issued - Returned - Debited over all nodes
//     is the wallet's granted.
//   - transfers and usage records: see Settle.
//
// Time is the store's (one clock for all nodes): the database's, or for a file that of
// its machine. All transactions lock in one order: the node, the account, its wallet
// (several: by id), its keys, their wallets (by key id and period), grants, the change sequence.
//
// A recall brings credit back that a node has and does not use. It belongs to one
// claimant at a time, a node or an operation that lowers a wallet, and while it is in
// force (RecallFor after it was last renewed) nobody else is granted anything of that
// wallet. It is announced as a change of kind "recall" with the account's id, for a
// key's wallet also. A refund of an account is such an operation: one statement
// (… SET balance = balance - $n WHERE balance - granted >= $n); where that changes
// nothing although the balance suffices, the recall is made or renewed in its own name,
// and it is tried again until its caller loses patience. Lowering a key's limit takes
// effect at once and announces a recall, with nothing to wait for: nodes see Left below
// zero and put back what is idle. Credit added and limits changed are changes of kind
// "wallet" with the account's id.
type Store interface {
	// Join gives the node a lease of a new epoch for this long and puts back what it had
	// under an earlier one, which is ended. `live` counts the leases in force that have
	// not expired, this one included.
	Join(ctx context.Context, node string, term time.Duration) (lease Lease, live int, err error)
	// Heartbeat renews the lease for this long from now, if it is in force, expired or
	// not: ErrFenced.
	Heartbeat(ctx context.Context, lease Lease, term time.Duration) (live int, err error)
	// End puts back all that was granted under the lease and ends it: ErrFenced.
	End(ctx context.Context, lease Lease) error
	// Reclaim ends every lease that has expired, as End would, and returns how many. A
	// node that renews at the same moment either keeps its lease or learns of the end.
	Reclaim(ctx context.Context) (ended int, err error)
	// Draw grants Wish.Amount of what is left of each wallet, in one transaction:
	// ErrNoAccount (also where the key is not one of the account), ErrFenced.
	// For each wallet by itself: while another's recall is in force it grants nothing
	// and says Recalled. Where it grants less than Least, and other nodes have some,
	// it makes or renews the recall in the node's name. Where it grants Least or more,
	// a recall in the node's name is over.
	// Granting is one statement that is safe whatever was read before:
	// … SET granted = granted + $n WHERE balance - granted >= $n.
	// A call that comes late, after one with a higher Number for the same wallet, changes
	// nothing of that wallet: its node has given it up, and has seen what came of it.
	Draw(ctx context.Context, lease Lease, draw Draw) (Drawn, error)
	// PutBack gives credit back until the Position's Returned is `returned`; it changes
	// nothing where as much was returned before, or where it comes late, as Draw. It never
	// puts back more than the node has: an error. ErrFenced. A wallet of a period that is
	// over is as good as any; one that the node never had is all zero.
	PutBack(ctx context.Context, lease Lease, number int64, wallet Wallet, returned metering.Nanos) (Standing, error)
	// Settle writes all records, takes each Debit from the node's grant and the balance
	// of the account and, where it is Limited, from the node's grant and the limit of the
	// record's key; and books Record.Shortfall (from house:shortfall to house:revenue)
	// and OperatorCost (from house:cash to house:provider_cost), each as a transfer whose
	// ref is the record's id; durably and in one transaction. A record whose id is there
	// already changes nothing and is marked Present. ErrFenced; ErrRejected when one of
	// the records can never be written: none is then. Records without a Debit need no
	// lease: they may come under the zero Lease, which is never fenced.
	Settle(ctx context.Context, lease Lease, settlements []*Settlement) error
	// Nodes returns all nodes that have a lease or had one lately, by name.
	Nodes(ctx context.Context) ([]Node, error)
}
