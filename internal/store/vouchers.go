package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/metering"
)

// Voucher is credit for whoever has its code, of which only a hash is kept.
type Voucher struct {
	ID        string // UUIDv7
	Hash      auth.Hash
	Amount    metering.Nanos
	Actor     string // who made it
	Note      string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
	// RedeemedAt and RedeemedBy, an account's id, are zero until it is redeemed.
	RedeemedAt time.Time
	RedeemedBy string
}

// Expired tells whether the voucher's time is over at the moment given.
func (v *Voucher) Expired(now time.Time) bool {
	return !v.ExpiresAt.IsZero() && !now.Before(v.ExpiresAt)
}

const voucherColumns = `id, hash, amount, actor, note, created_at, expires_at, revoked_at, redeemed_at, COALESCE(redeemed_by, '')`

func scanVoucher(row row) (*Voucher, error) {
	v := new(Voucher)
	var hash []byte
	var created int64
	var expires, revoked, redeemed sql.NullInt64
	if err := row.Scan(&v.ID, &hash, (*int64)(&v.Amount), &v.Actor, &v.Note, &created, &expires, &revoked, &redeemed, &v.RedeemedBy); err != nil {
		return nil, err
	}
	var err error
	if v.Hash, err = auth.ParseHash(hash); err != nil {
		return nil, fmt.Errorf("voucher %s: %w", v.ID, err)
	}
	v.CreatedAt = time.UnixMicro(created).UTC()
	v.ExpiresAt, v.RevokedAt, v.RedeemedAt = optionalTime(expires), optionalTime(revoked), optionalTime(redeemed)
	return v, nil
}

// CreateVouchers writes new vouchers, all or none: ErrTaken where an id or a hash is in
// use, ErrAmount. The same vouchers again change nothing.
func (s *Store) CreateVouchers(ctx context.Context, vouchers []*Voucher) error {
	return s.write(ctx, "create vouchers", func(tx transaction) error {
		for _, v := range vouchers {
			if v.Amount <= 0 {
				return fmt.Errorf("%s: %w", v.Amount, ErrAmount)
			}
			if err := CheckMost(v.Amount); err != nil {
				return err
			}
			err := changed(tx.exec(ctx, `INSERT INTO vouchers (id, hash, amount, actor, note, created_at, expires_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
				v.ID, v.Hash[:], int64(v.Amount), v.Actor, v.Note, v.CreatedAt.UnixMicro(), optionalMicros(v.ExpiresAt)))
			if errors.Is(err, ErrNotFound) {
				err = sameVoucher(ctx, tx, v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// sameVoucher is nil where the same voucher was made before: the answer may have been lost.
func sameVoucher(ctx context.Context, tx transaction, v *Voucher) error {
	var same int
	err := tx.queryRow(ctx, `SELECT COUNT(*) FROM vouchers WHERE id = $1 AND hash = $2 AND amount = $3`,
		v.ID, v.Hash[:], int64(v.Amount)).Scan(&same)
	if err == nil && same == 0 {
		err = fmt.Errorf("the voucher is %w", ErrTaken)
	}
	return err
}

// ListVouchers returns all vouchers, oldest first.
func (s *Store) ListVouchers(ctx context.Context) ([]*Voucher, error) {
	rows, err := s.db.reads().query(ctx, `SELECT `+voucherColumns+` FROM vouchers ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("list vouchers: %w", s.db.explain(err))
	}
	defer rows.Close()
	var vouchers []*Voucher
	for rows.Next() {
		v, err := scanVoucher(rows)
		if err != nil {
			return nil, fmt.Errorf("list vouchers: %w", err)
		}
		vouchers = append(vouchers, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list vouchers: %w", s.db.explain(err))
	}
	return vouchers, nil
}

// RevokeVoucher takes a voucher back. Revoking it again changes nothing: ErrNotFound,
// ErrVoucherUsed.
func (s *Store) RevokeVoucher(ctx context.Context, id string, at time.Time) error {
	return s.write(ctx, "revoke a voucher", func(tx transaction) error {
		v, err := scanVoucher(tx.queryRow(ctx, tx.forUpdate(`SELECT `+voucherColumns+` FROM vouchers WHERE id = $1`), id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("voucher: %w", ErrNotFound)
		case err != nil:
			return err
		case v.RedeemedBy != "":
			return ErrVoucherUsed
		}
		_, err = tx.exec(ctx, `UPDATE vouchers SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2`, at.UnixMicro(), id)
		return err
	})
}

// Redemption is the use of a voucher for an account.
type Redemption struct {
	AccountID string
	Hash      auth.Hash // of the code
	Actor     string    // who does it
	At        time.Time
}

// RedeemVoucher adds a voucher's amount to an account, once. added is false where this
// account had redeemed it before. ErrUnknownVoucher, ErrVoucherUsed (by another account),
// ErrVoucherRevoked, ErrVoucherExpired, ErrNotFound, ErrErased, ErrAmount.
func (s *Store) RedeemVoucher(ctx context.Context, redemption Redemption) (voucher *Voucher, added bool, err error) {
	err = s.write(ctx, "redeem a voucher", func(tx transaction) (err error) {
		added = false
		voucher, err = scanVoucher(tx.queryRow(ctx, tx.forUpdate(`SELECT `+voucherColumns+` FROM vouchers WHERE hash = $1`), redemption.Hash[:]))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrUnknownVoucher
		case err != nil:
			return err
		case voucher.RedeemedBy == redemption.AccountID:
			return nil
		case voucher.RedeemedBy != "":
			return ErrVoucherUsed
		case !voucher.RevokedAt.IsZero():
			return ErrVoucherRevoked
		case voucher.Expired(redemption.At):
			return ErrVoucherExpired
		}
		// The account before its wallet, as all who lock both.
		if err := notErased(ctx, tx, redemption.AccountID); err != nil {
			return err
		}
		transfer := &Transfer{
			Kind: transferVoucher, Ref: voucher.ID, Debit: HousePromotion, Credit: redemption.AccountID,
			Amount: voucher.Amount, Actor: redemption.Actor, Note: voucher.Note, At: redemption.At,
		}
		added, err = bookOnce(ctx, tx, transfer, redemption.AccountID, func(tx transaction, wallet *lockedWallet) error {
			return credit(ctx, tx, wallet, voucher.Amount)
		})
		if err != nil {
			return err
		}
		voucher.RedeemedAt, voucher.RedeemedBy = redemption.At, redemption.AccountID
		return changed(tx.exec(ctx, `UPDATE vouchers SET redeemed_at = $1, redeemed_by = $2 WHERE id = $3`,
			redemption.At.UnixMicro(), redemption.AccountID, voucher.ID))
	})
	if err != nil {
		return nil, false, err
	}
	return voucher, added, nil
}
