package caddymodule

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

const (
	// spendersKept bounds the accounts that are watched: those that spent last.
	spendersKept = 16384
	// looksPerTurn bounds how often the store is asked each second.
	looksPerTurn = 100
	// lookAnyway is how old what is known of a balance may become while the account
	// spends here: other gateways take from it, too.
	lookAnyway = time.Minute
	// usualDays is how many days before today say what an account usually spends.
	usualDays = 14
)

// watching is what a configuration wants to be told of.
type watching struct {
	low     metering.Nanos // balances below this; 0: none
	anomaly metering.Nanos // the least that is much for an hour; 0: nothing is
}

// spending watches what accounts spend: for balances that become low, and for accounts
// that spend in an hour more than they ever did in a day. It counts in memory what is
// settled here and asks the store, from a goroutine of its own, when that may matter.
type spending struct {
	store    *store.Store
	now      func() time.Time
	logger   func() *zap.Logger
	tell     func(event string, data map[string]any)
	watching atomic.Pointer[watching]

	mutex    sync.Mutex
	accounts *simplelru.LRU[string, *spender]
	due      []string // accounts to be looked at
}

// standing is what was last known of a balance.
type standing uint8

const (
	standingUnknown standing = iota
	standingEnough
	standingLow
)

// spender is what is known of an account.
type spender struct {
	due bool

	standing standing
	balance  metering.Nanos // when it was looked at
	lookedAt time.Time
	since    metering.Nanos // debits here since then

	hour  int64          // since 1970
	spent metering.Nanos // in that hour, here
	usual metering.Nanos // the dearest day before today; -1: not known in this hour
	told  bool           // of this hour
}

func newSpending(logger func() *zap.Logger, tell func(string, map[string]any)) *spending {
	accounts, err := simplelru.NewLRU[string, *spender](spendersKept, nil)
	if err != nil {
		panic(err) // only for a size of zero or less
	}
	s := &spending{now: time.Now, logger: logger, tell: tell, accounts: accounts}
	s.watching.Store(new(watching))
	return s
}

// settled notes what an account was charged.
func (s *spending) settled(accountID string, debit metering.Nanos) {
	w := s.watching.Load()
	if debit <= 0 || *w == (watching{}) {
		return
	}
	now := s.now()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	account, ok := s.accounts.Get(accountID)
	if !ok {
		account = &spender{usual: -1}
		s.accounts.Add(accountID, account)
	}
	account.since += debit
	if hour := now.Unix() / 3600; hour != account.hour {
		account.hour, account.spent, account.usual, account.told = hour, 0, -1, false
	}
	account.spent += debit
	if w.low > 0 && account.mayBeLow(w.low, now) || account.muchSpent(w.anomaly) {
		s.lookAt(accountID, account)
	}
}

// mayBeLow tells whether the balance should be looked at.
func (a *spender) mayBeLow(low metering.Nanos, now time.Time) bool {
	return a.standing == standingUnknown || now.Sub(a.lookedAt) >= lookAnyway ||
		(a.balance-a.since < low) != (a.standing == standingLow)
}

// muchSpent tells whether this hour may be out of the ordinary.
func (a *spender) muchSpent(anomaly metering.Nanos) bool {
	return anomaly > 0 && !a.told && a.spent > anomaly && a.spent > a.usual
}

func (s *spending) lookAt(accountID string, account *spender) {
	if !account.due && len(s.due) < spendersKept { // else another settlement has it looked at
		account.due = true
		s.due = append(s.due, accountID)
	}
}

// changed says that somebody gave an account credit, or took some.
func (s *spending) changed(accountID string) {
	if s.watching.Load().low == 0 {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if account, ok := s.accounts.Peek(accountID); ok {
		s.lookAt(accountID, account)
	}
}

// run looks at accounts, once a second, until the context ends.
func (s *spending) run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.look(ctx)
		}
	}
}

// look asks the store about the accounts that are due.
func (s *spending) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s.mutex.Lock()
	due := s.due
	if len(due) > looksPerTurn {
		due = due[:looksPerTurn]
	}
	s.due = append([]string(nil), s.due[len(due):]...)
	s.mutex.Unlock()
	w := s.watching.Load()
	for _, accountID := range due {
		s.mutex.Lock()
		account, ok := s.accounts.Peek(accountID)
		if !ok {
			s.mutex.Unlock()
			continue
		}
		account.due = false
		debited := account.since
		much := account.muchSpent(w.anomaly)
		s.mutex.Unlock()
		err := s.lookAtBalance(ctx, w.low, accountID, account, debited)
		if err == nil && much {
			err = s.lookAtHour(ctx, w.anomaly, accountID, account)
		}
		if err != nil {
			// Another settlement has it looked at again.
			s.logger().Debug("looking at what an account spends", zap.String("account_id", accountID), zap.Error(err))
		}
	}
}

// lookAtBalance tells of a balance that has become low. What was low already when this
// process first saw the account is not told again.
func (s *spending) lookAtBalance(ctx context.Context, low metering.Nanos, accountID string, account *spender, debited metering.Nanos) error {
	if low == 0 {
		return nil
	}
	found, err := s.store.Balance(ctx, accountID)
	if err != nil {
		return err
	}
	s.mutex.Lock()
	before := account.standing
	account.balance, account.lookedAt = found.Balance, s.now()
	account.since -= debited
	account.standing = standingEnough
	if found.Balance < low {
		account.standing = standingLow
	}
	crossed := account.standing == standingLow &&
		(before == standingEnough || before == standingUnknown && found.Balance+debited >= low)
	s.mutex.Unlock()
	if crossed {
		s.logger().Info("an account's balance is low", zap.String("account_id", accountID), zap.Stringer("balance", found.Balance))
		s.tell(eventBalanceLow, map[string]any{
			"account_id": accountID, "balance": found.Balance.String(), "threshold": low.String(),
		})
	}
	return nil
}

// lookAtHour tells of an account that spent in an hour more than in any of the days
// before, and much.
func (s *spending) lookAtHour(ctx context.Context, anomaly metering.Nanos, accountID string, account *spender) error {
	today := s.now().UTC().Truncate(24 * time.Hour)
	days, err := s.store.DailyUsage(ctx, accountID, today.AddDate(0, 0, -usualDays), today)
	if err != nil {
		return err
	}
	byDay, usual := make(map[time.Time]metering.Nanos), metering.Nanos(0)
	for _, part := range days {
		byDay[part.Day] += part.Cost - part.Shortfall
		usual = max(usual, byDay[part.Day])
	}
	s.mutex.Lock()
	account.usual = usual
	strange := account.muchSpent(anomaly)
	account.told = account.told || strange
	spent := account.spent
	s.mutex.Unlock()
	if strange {
		s.logger().Warn("an account spends more in an hour than on any day before: is its key in the wrong hands?",
			zap.String("account_id", accountID), zap.Stringer("spent", spent), zap.Stringer("dearest_day", usual))
		s.tell(eventSpendAnomaly, map[string]any{
			"account_id": accountID, "spent": spent.String(), "dearest_day": usual.String(),
		})
	}
	return nil
}
