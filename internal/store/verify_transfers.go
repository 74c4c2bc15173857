package store

import (
	"slices"
	"strings"
)

// check finds differences: its query yields subject, stored, computed.
type check struct{ name, query string }

const (
	// Of a transfer's accounts; what is not the house's is an account's id.
	ofHouse      = ` LIKE 'house:%'`
	ofReceivable = ` LIKE 'house:receivable:%'`
	// theAccount is whose account or receivable SIDE is.
	theAccount = `CASE WHEN SIDE` + ofReceivable + ` THEN SUBSTR(SIDE, LENGTH('house:receivable:') + 1) ELSE SIDE END`
)

// directions say for each kind where its transfers come from and go to.
var directions = []struct{ kind, debit, credit string }{
	{transferDeposit, HouseCash, "account"},
	{transferDeposit, HouseCash, "receivable"},
	{transferVoucher, HousePromotion, "account"},
	{transferRefund, "account", HouseCash},
	{transferAdjustment, HouseRevenue, "account"},
	{transferAdjustment, HousePromotion, "account"},
	{transferAdjustment, "account", HouseRevenue},
	{transferAdjustment, "account", HousePromotion},
	{transferChargeBack, "account", HouseCash},
	{transferReceivable, "receivable", HouseCash},
	{transferErasure, "account", HouseRevenue},
	{transferShortfall, HouseShortfall, HouseRevenue},
	{transferOperatorCost, HouseCash, HouseProviderCost},
}

// allowedDirections is a condition on transfers. What it lets pass is from and to
// known house accounts, and of a known kind.
var allowedDirections = func() string {
	side := func(column, name string) string {
		switch name {
		case "account":
			return column + ` NOT` + ofHouse
		case "receivable":
			return column + ofReceivable
		}
		return column + ` = '` + name + `'`
	}
	var conditions []string
	for _, d := range directions {
		conditions = append(conditions, `kind = '`+d.kind+`' AND `+side(`debit_account`, d.debit)+` AND `+side(`credit_account`, d.credit))
	}
	return `(` + strings.Join(conditions, ` OR `) + `)`
}()

// transferChecks are about all that is no usage.
var transferChecks = []check{
	{"all balances against what the house accounts gave and took", `
		SELECT 'all accounts', stored, computed FROM (
			SELECT (SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM wallets) AS stored,
				(SELECT CAST(COALESCE(SUM(CASE WHEN debit_account` + ofHouse + ` THEN amount ELSE 0 END)
					- SUM(CASE WHEN credit_account` + ofHouse + ` THEN amount ELSE 0 END), 0) AS BIGINT) FROM transfers)
				- (SELECT CAST(COALESCE(SUM(debit), 0) AS BIGINT) FROM ` + spendings + `) AS computed
		) AS trial WHERE stored <> computed`},
	{"amount of a transfer not above zero", `SELECT ref, amount, 0 FROM transfers WHERE amount <= 0`},
	{"transfer from or to where its kind does not go", `
		SELECT kind || ' ' || ref, amount, 0 FROM transfers WHERE NOT ` + allowedDirections},
	{"transfer between unknown accounts", `
		SELECT t.ref, t.amount, 0 FROM transfers t
		LEFT JOIN accounts d ON d.id = ` + strings.ReplaceAll(theAccount, "SIDE", "t.debit_account") + `
		LEFT JOIN accounts c ON c.id = ` + strings.ReplaceAll(theAccount, "SIDE", "t.credit_account") + `
		WHERE d.id IS NULL AND (t.debit_account NOT` + ofHouse + ` OR t.debit_account` + ofReceivable + `)
			OR c.id IS NULL AND (t.credit_account NOT` + ofHouse + ` OR t.credit_account` + ofReceivable + `)
			OR t.debit_account = t.credit_account`},
	{"receivable below zero", `
		SELECT account, CAST(SUM(owed) AS BIGINT), 0 FROM (
			SELECT debit_account AS account, amount AS owed FROM transfers WHERE debit_account` + ofReceivable + `
			UNION ALL SELECT credit_account, -amount FROM transfers WHERE credit_account` + ofReceivable + `
		) AS entries GROUP BY account HAVING SUM(owed) < 0`},
	{"charge-back and its receivable of two accounts", `
		SELECT c.ref, c.amount, r.amount FROM transfers c
		JOIN transfers r ON r.kind = 'receivable' AND r.ref = c.ref
		WHERE c.kind = 'charge_back' AND r.debit_account <> 'house:receivable:' || c.debit_account`},
	{"redeemed voucher against its transfer", `
		SELECT v.id, v.amount, COALESCE(t.amount, 0) FROM vouchers v
		LEFT JOIN transfers t ON t.kind = 'voucher' AND t.ref = v.id AND t.credit_account = v.redeemed_by
		WHERE v.redeemed_at IS NOT NULL AND v.amount <> COALESCE(t.amount, 0)`},
	{"voucher's transfer without its redemption", `
		SELECT t.ref, t.amount, 0 FROM transfers t
		LEFT JOIN vouchers v ON v.id = t.ref AND v.redeemed_at IS NOT NULL
		WHERE t.kind = 'voucher' AND v.id IS NULL`},
	{"voucher of no amount, half redeemed, or redeemed and revoked", `
		SELECT id, amount, 0 FROM vouchers WHERE amount <= 0
			OR (redeemed_at IS NULL) <> (redeemed_by IS NULL) OR redeemed_at IS NOT NULL AND revoked_at IS NOT NULL`},
	{"erasure of an account that is not erased", `
		SELECT t.ref, t.amount, 0 FROM transfers t
		LEFT JOIN accounts a ON a.id = t.ref AND a.id = t.debit_account AND a.status = 'erased'
		WHERE t.kind = 'erasure' AND a.id IS NULL`},
	{"erased account with a name, or with a key that works or has one", `
		SELECT a.id, 0, 0 FROM accounts a WHERE a.status = 'erased' AND (a.email IS NOT NULL OR a.username IS NOT NULL
			OR a.password_hash <> '' OR a.suspended_reason <> ''
			OR EXISTS (SELECT 1 FROM keys k WHERE k.account_id = a.id AND (k.revoked_at IS NULL OR k.name <> '')))`},
}

func allChecks() []check { return slices.Concat(checks, transferChecks) }
