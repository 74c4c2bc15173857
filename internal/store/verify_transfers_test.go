package store_test

import (
	"path/filepath"
	"testing"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
)

// TestVerifyFindsBrokenTransfers harms each kind of transfer in turn, and what hangs on it.
func TestVerifyFindsBrokenTransfers(t *testing.T) {
	sound, names := transferLedger(t)
	const direction = ": transfer from or to where its kind does not go"
	findsHarm(t, sound, names, map[string]harmed{
		"one amount":                      {`UPDATE transfers SET amount = amount + 1 WHERE ref = 'refund'`, "all accounts: all balances against what the house accounts gave and took: stored 0.000000099, computed 0.000000098"},
		"unknown kind":                    {`UPDATE transfers SET kind = 'gift' WHERE kind = 'voucher'`, "gift {voucher}" + direction},
		"unknown house account":           {`UPDATE transfers SET credit_account = 'house:pocket' WHERE kind = 'refund'`, "refund refund" + direction},
		"refund to revenue":               {`UPDATE transfers SET credit_account = 'house:revenue' WHERE kind = 'refund'`, "refund refund" + direction},
		"refund the other way":            {`UPDATE transfers SET debit_account = credit_account, credit_account = debit_account WHERE kind = 'refund'`, "refund refund" + direction},
		"refund to another account":       {`UPDATE transfers SET credit_account = '{bob}' WHERE kind = 'refund'`, "refund refund" + direction},
		"deposit from revenue":            {`UPDATE transfers SET debit_account = 'house:revenue' WHERE ref = 'deposit'`, "deposit deposit" + direction},
		"voucher from cash":               {`UPDATE transfers SET debit_account = 'house:cash' WHERE kind = 'voucher'`, "voucher {voucher}" + direction},
		"adjustment to cash":              {`UPDATE transfers SET credit_account = 'house:cash' WHERE ref = 'less'`, "adjustment less" + direction},
		"adjustment within the house":     {`UPDATE transfers SET debit_account = 'house:promotion' WHERE ref = 'less'`, "adjustment less" + direction},
		"charge-back to revenue":          {`UPDATE transfers SET credit_account = 'house:revenue' WHERE kind = 'charge_back'`, "charge_back bank" + direction},
		"receivable of nobody":            {`UPDATE transfers SET debit_account = 'house:receivable' WHERE kind = 'receivable'`, "receivable bank" + direction},
		"receivable of an unknown one":    {`UPDATE transfers SET debit_account = 'house:receivable:x' WHERE kind = 'receivable'`, "bank: transfer between unknown accounts"},
		"receivable of another":           {`UPDATE transfers SET debit_account = 'house:receivable:{ada}' WHERE kind = 'receivable'`, "bank: charge-back and its receivable of two accounts: stored 0.00000002, computed 0.00000003"},
		"receivable lost":                 {`DELETE FROM transfers WHERE kind = 'receivable'`, "house:receivable:{bob}: receivable below zero: stored -0.00000001"},
		"receivable overpaid":             {`UPDATE transfers SET amount = 31 WHERE ref = 'paid'`, "house:receivable:{bob}: receivable below zero: stored -0.000000001"},
		"erasure to cash":                 {`UPDATE transfers SET credit_account = 'house:cash' WHERE kind = 'erasure'`, "erasure {carol}" + direction},
		"erasure of another":              {`UPDATE transfers SET debit_account = '{ada}' WHERE kind = 'erasure'`, "{carol}: erasure of an account that is not erased"},
		"erased account is back":          {`UPDATE accounts SET status = 'active' WHERE id = '{carol}'`, "{carol}: erasure of an account that is not erased: stored 0.000000004"},
		"erased account has an address":   {`UPDATE accounts SET email = 'c@example.com' WHERE id = '{carol}'`, "{carol}: erased account with a name"},
		"erased account has a username":   {`UPDATE accounts SET username = 'carol' WHERE id = '{carol}'`, "{carol}: erased account with a name"},
		"erased account has a password":   {`UPDATE accounts SET password_hash = 'x' WHERE id = '{carol}'`, "{carol}: erased account with a name"},
		"erased account has a reason":     {`UPDATE accounts SET suspended_reason = 'x' WHERE id = '{carol}'`, "{carol}: erased account with a name"},
		"erased account has a key":        {`UPDATE keys SET revoked_at = NULL WHERE account_id = '{carol}'`, "{carol}: erased account with a name"},
		"erased account has a key's name": {`UPDATE keys SET name = 'laptop' WHERE account_id = '{carol}'`, "{carol}: erased account with a name"},
		"transfer to itself":              {`UPDATE transfers SET credit_account = debit_account WHERE kind = 'refund'`, "refund: transfer between unknown accounts"},
		"transfer of nothing":             {`UPDATE transfers SET amount = 0 WHERE kind = 'refund'`, "refund: amount of a transfer not above zero"},
		"voucher's transfer lost":         {`DELETE FROM transfers WHERE kind = 'voucher'`, "{voucher}: redeemed voucher against its transfer: stored 0.000000007, computed 0.00"},
		"voucher's amount up":             {`UPDATE vouchers SET amount = 8 WHERE redeemed_at IS NOT NULL`, "{voucher}: redeemed voucher against its transfer: stored 0.000000008, computed 0.000000007"},
		"voucher of another":              {`UPDATE vouchers SET redeemed_by = '{bob}' WHERE redeemed_at IS NOT NULL`, "{voucher}: redeemed voucher against its transfer: stored 0.000000007, computed 0.00"},
		"voucher lost":                    {`DELETE FROM vouchers WHERE redeemed_at IS NOT NULL`, "{voucher}: voucher's transfer without its redemption: stored 0.000000007"},
		"voucher as if new":               {`UPDATE vouchers SET redeemed_at = NULL, redeemed_by = NULL WHERE redeemed_at IS NOT NULL`, "{voucher}: voucher's transfer without its redemption"},
		"voucher of nothing":              {`UPDATE vouchers SET amount = 0 WHERE redeemed_at IS NULL`, "voucher of no amount, half redeemed, or redeemed and revoked"},
		"voucher half redeemed":           {`UPDATE vouchers SET redeemed_by = NULL WHERE redeemed_at IS NOT NULL`, "{voucher}: voucher of no amount, half redeemed, or redeemed and revoked"},
		"voucher redeemed and revoked":    {`UPDATE vouchers SET revoked_at = 1 WHERE redeemed_at IS NOT NULL`, "{voucher}: voucher of no amount, half redeemed, or redeemed and revoked"},
	})
}

// transferLedger has all kinds of transfers but those of usage, of three accounts: ada
// has 99, bob owes 20 of a charge-back of 50, carol is erased and had 4.
func transferLedger(t *testing.T) (file []byte, names []string) {
	t.Helper()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "sound.db")
	s := openFile(t, path)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ada, bob, carol := storetest.NewCustomer(t, s, 0).AccountID, storetest.NewCustomer(t, s, 20).AccountID, storetest.NewCustomer(t, s, 4).AccountID
	_, err := s.Deposit(ctx, store.Deposit{AccountID: ada, Amount: 100, Ref: "deposit"})
	must(err)
	_, err = s.Refund(ctx, store.Refund{AccountID: ada, Amount: 8, Ref: "refund"})
	must(err)
	for ref, amount := range map[string]metering.Nanos{"more": 5, "less": -8} {
		_, err = s.Adjust(ctx, store.Adjustment{AccountID: ada, Amount: amount, Ref: ref})
		must(err)
	}
	_, err = s.Adjust(ctx, store.Adjustment{AccountID: ada, Amount: 3, Ref: "gift", Promotion: true})
	must(err)
	voucher := storetest.NewVoucher(t, s, 7)
	storetest.NewVoucher(t, s, 7)
	_, _, err = s.RedeemVoucher(ctx, store.Redemption{AccountID: ada, Hash: voucher.Hash, At: storetest.Moment})
	must(err)
	_, err = s.ChargeBack(ctx, store.ChargeBack{AccountID: bob, Amount: 50, Ref: "bank"})
	must(err)
	_, err = s.Deposit(ctx, store.Deposit{AccountID: bob, Amount: 10, Ref: "paid", Owed: true})
	must(err)
	_, err = s.EraseAccount(ctx, store.Erasure{AccountID: carol, Forfeit: true, At: storetest.Moment})
	must(err)
	return closed(t, s, path), []string{"{ada}", ada, "{bob}", bob, "{carol}", carol, "{voucher}", voucher.ID}
}
