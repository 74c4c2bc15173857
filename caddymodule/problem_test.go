package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/ledger"
)

// Whatever keeps a hold from being placed is told as what it is.
func TestWhatTheLedgerRefusesIsTold(t *testing.T) {
	for _, row := range []struct {
		err    error
		code   dialect.Code
		status int
	}{
		{ledger.ErrCrowded, dialect.CodeTooManyWaiting, http.StatusTooManyRequests},
		{ledger.ErrUnavailable, dialect.CodeStoreUnavailable, http.StatusServiceUnavailable},
		{fmt.Errorf("%w: %w", ledger.ErrUnavailable, ledger.ErrElsewhere), dialect.CodeCreditElsewhere, http.StatusServiceUnavailable},
		{ledger.ErrFenced, dialect.CodeStoreUnavailable, http.StatusServiceUnavailable},
		{ledger.ErrClosed, dialect.CodeShuttingDown, http.StatusServiceUnavailable},
		{&shortageError{InsufficientError: &ledger.InsufficientError{}}, dialect.CodeNoCredit, http.StatusPaymentRequired},
		{&shortageError{InsufficientError: &ledger.InsufficientError{KeyLimit: true}}, dialect.CodeKeyLimit, http.StatusPaymentRequired},
	} {
		problem := problemOf(dialect.OpenAI, fmt.Errorf("place: %w", row.err))
		if problem.Code != row.code || problem.Status != row.status {
			t.Errorf("%v is told as %d %s, want %d %s", row.err, problem.Status, problem.Code, row.status, row.code)
		}
	}
}

// The text promises no more than is known: a charge whose reply was lost stands.
func TestAnAnswerThatIsNotSettledPromisesNoMoreThanIsKnown(t *testing.T) {
	for _, row := range []struct {
		err      error
		code     dialect.Code
		promises bool
	}{
		{ledger.ErrUnavailable, dialect.CodeStoreUnavailable, false},
		{ledger.ErrFenced, dialect.CodeStoreUnavailable, true},
		{ledger.ErrRejected, dialect.CodeStoreUnavailable, true},
		{ledger.ErrClosed, dialect.CodeShuttingDown, true},
		{errSettled, dialect.CodeShuttingDown, true},
	} {
		problem := unsettledProblem(fmt.Errorf("settle: %w", row.err))
		if promises := strings.Contains(problem.Message, "Nothing was charged"); problem.Code != row.code || promises != row.promises || problem.RetryAfter == 0 {
			t.Errorf("%v is told as %+v", row.err, problem)
		}
	}
}
