package store

import (
	"context"
	"fmt"

	"github.com/faregate/faregate/metering"
)

// Difference is one thing in which the ledger disagrees with itself.
type Difference struct {
	Check    string         // what was compared
	Subject  string         // the account, key, record, node or transfer that it is about
	Stored   metering.Nanos // what is written there
	Computed metering.Nanos // what follows from everything else
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: stored %s, computed %s", d.Subject, d.Check, d.Stored, d.Computed)
}

// Report is the outcome of Verify. The ledger is sound when there are no differences.
type Report struct {
	Accounts, Records, Transfers int64
	Balance                      metering.Nanos // of all accounts
	Differences                  []Difference
}

// checks are about balances, grants, usage and what all hang on.
var checks = []check{
	{"balance against the sum of transfers and records", `
		SELECT account, CAST(SUM(stored) AS BIGINT), CAST(SUM(computed) AS BIGINT) FROM (
			SELECT account_id AS account, balance AS stored, 0 AS computed FROM wallets
			UNION ALL SELECT account_id, 0, -debit FROM ` + spendings + `
			UNION ALL SELECT credit_account, 0, amount FROM transfers WHERE credit_account NOT LIKE 'house:%'
			UNION ALL SELECT debit_account, 0, -amount FROM transfers WHERE debit_account NOT LIKE 'house:%'
		) AS entries GROUP BY account HAVING SUM(stored) <> SUM(computed)`},
	{"granted against the sum of grants", `
		SELECT account, CAST(SUM(stored) AS BIGINT), CAST(SUM(computed) AS BIGINT) FROM (
			SELECT account_id AS account, granted AS stored, 0 AS computed FROM wallets
			UNION ALL SELECT account_id, 0, issued - returned - debited FROM grants WHERE key_id = ''
		) AS entries GROUP BY account HAVING SUM(stored) <> SUM(computed)`},
	{"what a key spent against the sum of its records", `
		SELECT key_id, CAST(SUM(stored) AS BIGINT), CAST(SUM(computed) AS BIGINT) FROM (
			SELECT key_id, period_start, spent AS stored, 0 AS computed FROM key_wallets
			UNION ALL SELECT key_id, key_period, 0, debit FROM ` + spendings + ` WHERE key_period >= 0
		) AS entries GROUP BY key_id, period_start HAVING SUM(stored) <> SUM(computed)`},
	{"granted of a key against the sum of grants", `
		SELECT key_id, CAST(SUM(stored) AS BIGINT), CAST(SUM(computed) AS BIGINT) FROM (
			SELECT key_id, period_start, account_id, granted AS stored, 0 AS computed FROM key_wallets
			UNION ALL SELECT key_id, period_start, account_id, 0, issued - returned - debited FROM grants WHERE key_id <> ''
		) AS entries GROUP BY key_id, period_start, account_id HAVING SUM(stored) <> SUM(computed)`},
	{"key's spending or grants below zero", `
		SELECT key_id, spent, granted FROM key_wallets WHERE spent < 0 OR granted < 0`},
	{"key's wallet without a key of its account", `
		SELECT w.key_id, w.spent, 0 FROM key_wallets w
		LEFT JOIN keys k ON k.id = w.key_id AND k.account_id = w.account_id WHERE k.id IS NULL`},
	{"grant without a key's wallet", `
		SELECT g.key_id, g.issued - g.returned - g.debited, 0 FROM grants g
		LEFT JOIN key_wallets w ON w.key_id = g.key_id AND w.period_start = g.period_start AND w.account_id = g.account_id
		WHERE g.key_id <> '' AND w.key_id IS NULL`},
	{"balance below zero", `SELECT account_id, balance, 0 FROM wallets WHERE balance < 0`},
	{"granted below zero or above the balance", `
		SELECT account_id, granted, balance FROM wallets WHERE granted < 0 OR granted > balance`},
	{"grant below zero", `
		SELECT account_id, issued - returned - debited, 0 FROM grants
		WHERE issued - returned - debited < 0 OR issued < 0 OR returned < 0 OR debited < 0`},
	{"grant of a lease that is not in force", `
		SELECT g.account_id, g.issued - g.returned - g.debited, 0 FROM grants g
		LEFT JOIN nodes n ON n.node = g.node AND n.epoch = g.epoch AND n.ended_at IS NULL WHERE n.node IS NULL`},
	{"shortfall of the record against its transfer", `
		SELECT r.id, r.shortfall, COALESCE(t.amount, 0) FROM usage_records r
		LEFT JOIN transfers t ON t.kind = 'shortfall' AND t.ref = r.id
			AND t.debit_account = 'house:shortfall' AND t.credit_account = 'house:revenue'
		WHERE r.shortfall <> COALESCE(t.amount, 0) AND r.started_at >= ` + firstMoment},
	{"shortfall transfer without its record", `
		SELECT t.ref, t.amount, 0 FROM transfers t
		LEFT JOIN usage_records r ON r.id = t.ref WHERE t.kind = 'shortfall' AND r.id IS NULL AND t.at >= ` + firstMoment},
	{"operator cost without its record", `
		SELECT t.ref, t.amount, 0 FROM transfers t
		LEFT JOIN usage_records r ON r.id = t.ref WHERE t.kind = 'operator_cost' AND r.id IS NULL AND t.at >= ` + firstMoment},
	{"shortfall beyond the record's cost, or either below zero", `
		SELECT id, shortfall, cost FROM usage_records WHERE shortfall < 0 OR shortfall > cost OR cost < 0`},
	{"cost of a record that charges nothing", `
		SELECT id, cost, 0 FROM usage_records WHERE cost <> 0 AND basis IN ('waived', 'interrupted')`},
	{"sum of a day against its records", `
		SELECT account_id, CAST(SUM(stored_cost) AS BIGINT), CAST(SUM(cost) AS BIGINT) FROM (
			SELECT account_id, day, key_id, key_period, provider, model_served, requests AS stored_requests, input_total AS stored_input,
				output_total AS stored_output, cost AS stored_cost, shortfall AS stored_shortfall, operator_cost AS stored_operator_cost,
				0 AS requests, 0 AS input_total, 0 AS output_total, 0 AS cost, 0 AS shortfall, 0 AS operator_cost
			FROM daily_usage WHERE day >= (SELECT first_day FROM retention)
			UNION ALL SELECT r.account_id, r.started_at / 86400000000, r.key_id, COALESCE(r.key_period, -1), r.provider, r.model_served,
				0, 0, 0, 0, 0, 0, 1, r.input_total, r.output_total, r.cost, r.shortfall, COALESCE(t.amount, 0)
			FROM usage_records r LEFT JOIN transfers t ON t.kind = 'operator_cost' AND t.ref = r.id
			WHERE r.started_at >= ` + firstMoment + `
		) AS entries GROUP BY account_id, day, key_id, key_period, provider, model_served
		HAVING SUM(stored_requests) <> SUM(requests) OR SUM(stored_input) <> SUM(input_total) OR SUM(stored_output) <> SUM(output_total)
			OR SUM(stored_cost) <> SUM(cost) OR SUM(stored_shortfall) <> SUM(shortfall) OR SUM(stored_operator_cost) <> SUM(operator_cost)`},
	{"account without a wallet", `
		SELECT a.id, 0, 0 FROM accounts a LEFT JOIN wallets w ON w.account_id = a.id WHERE w.account_id IS NULL`},
	{"wallet without an account", `
		SELECT w.account_id, w.balance, 0 FROM wallets w LEFT JOIN accounts a ON a.id = w.account_id WHERE a.id IS NULL`},
	{"grant without a wallet", `
		SELECT g.account_id, g.issued - g.returned - g.debited, 0 FROM grants g
		LEFT JOIN wallets w ON w.account_id = g.account_id WHERE w.account_id IS NULL`},
	{"key without an account", `
		SELECT k.id, 0, 0 FROM keys k LEFT JOIN accounts a ON a.id = k.account_id WHERE a.id IS NULL`},
	{"record without its account", `
		SELECT r.id, r.cost - r.shortfall, 0 FROM usage_records r LEFT JOIN accounts a ON a.id = r.account_id WHERE a.id IS NULL`},
	{"record without a key of its account", `
		SELECT r.id, r.cost - r.shortfall, 0 FROM usage_records r
		LEFT JOIN keys k ON k.id = r.key_id AND k.account_id = r.account_id WHERE k.id IS NULL`},
}

// Verify adds up the whole ledger again, on one unchanging state, and reports every
// difference, of one nano-dollar too. The error only says that it could not look.
func (s *Store) Verify(ctx context.Context) (*Report, error) {
	report := new(Report)
	err := s.db.view(ctx, func(tx transaction) error {
		if err := tx.queryRow(ctx, `SELECT (SELECT COUNT(*) FROM accounts), (SELECT COUNT(*) FROM usage_records),
			(SELECT COUNT(*) FROM transfers), (SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM wallets)`).
			Scan(&report.Accounts, &report.Records, &report.Transfers, (*int64)(&report.Balance)); err != nil {
			return err
		}
		for _, check := range allChecks() {
			differences, err := runCheck(ctx, tx, check.name, check.query)
			if err != nil {
				return fmt.Errorf("%s: %w", check.name, err)
			}
			report.Differences = append(report.Differences, differences...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("verify: %w", s.db.explain(err))
	}
	return report, nil
}

func runCheck(ctx context.Context, tx transaction, name, query string) ([]Difference, error) {
	rows, err := tx.query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var differences []Difference
	for rows.Next() {
		difference := Difference{Check: name}
		if err := rows.Scan(&difference.Subject, (*int64)(&difference.Stored), (*int64)(&difference.Computed)); err != nil {
			return nil, err
		}
		differences = append(differences, difference)
	}
	return differences, rows.Err()
}
