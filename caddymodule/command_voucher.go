package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// mostVouchers bounds how many are made at once: they are written together or not at all.
const mostVouchers = 1000

// voucherJSON is a voucher as scripts see it. Only the answer to its creation has the code.
type voucherJSON struct {
	ID         string         `json:"id"`
	Code       string         `json:"code,omitempty"`
	Amount     metering.Nanos `json:"amount"`
	Status     string         `json:"status"`
	Actor      string         `json:"actor"`
	Note       string         `json:"note"`
	CreatedAt  instant        `json:"created_at"`
	ExpiresAt  instant        `json:"expires_at,omitzero"`
	RevokedAt  instant        `json:"revoked_at,omitzero"`
	RedeemedAt instant        `json:"redeemed_at,omitzero"`
	RedeemedBy string         `json:"redeemed_by,omitempty"` // the account's id
}

func (c *commandLine) voucherForJSON(v *store.Voucher) voucherJSON {
	return voucherJSON{
		ID: v.ID, Amount: v.Amount, Status: c.voucherStatus(v), Actor: v.Actor, Note: v.Note, CreatedAt: instant(v.CreatedAt),
		ExpiresAt: instant(v.ExpiresAt), RevokedAt: instant(v.RevokedAt), RedeemedAt: instant(v.RedeemedAt), RedeemedBy: v.RedeemedBy,
	}
}

func (c *commandLine) voucherStatus(v *store.Voucher) string {
	switch {
	case v.RedeemedBy != "":
		return "redeemed"
	case !v.RevokedAt.IsZero():
		return "revoked"
	case v.Expired(c.now()):
		return "expired"
	}
	return "open"
}

func (c *commandLine) voucherCommand() *cobra.Command {
	voucher := &cobra.Command{Use: "voucher", Short: "Create, list, redeem and revoke vouchers"}
	onlyCommands(voucher)
	voucher.AddCommand(c.voucherCreateCommand(), c.voucherListCommand(), c.voucherRedeemCommand(), c.voucherRevokeCommand())
	return voucher
}

func (c *commandLine) voucherCreateCommand() *cobra.Command {
	var amount, expires, note, actor string
	var count int
	create := &cobra.Command{
		Use:   "create --amount 5.00 [--count N] [--expires 720h] [--note TEXT]",
		Short: "Create vouchers; their codes are shown this once",
		Long:  "Creates vouchers: whoever has a code can have its amount added to an account, once. The codes are shown this once.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count < 1 || count > mostVouchers {
				return fmt.Errorf("--count: make 1 to %d at a time", mostVouchers)
			}
			pattern, err := c.newVoucher(amount, expires, note, actor)
			if err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				var vouchers []*store.Voucher
				var codes []auth.Secret
				for range count {
					v := *pattern
					code, err := c.nameVoucher(&v)
					if err != nil {
						return err
					}
					vouchers, codes = append(vouchers, &v), append(codes, code)
				}
				if err := createVouchers(cmd.Context(), books, vouchers); err != nil {
					return err
				}
				found.header("CODE", "AMOUNT USD", "EXPIRES", "ID")
				for i, v := range vouchers {
					answer := c.voucherForJSON(v)
					answer.Code = codes[i].Reveal()
					found.row(answer, answer.Code, v.Amount.String(), shown(v.ExpiresAt), v.ID)
				}
				found.remark("This is the only time that the codes are shown: keep them now.")
				return nil
			})
		},
	}
	create.Flags().StringVar(&amount, "amount", "", "dollars that each is worth, like 5.00")
	create.Flags().IntVar(&count, "count", 1, "how many to make")
	create.Flags().StringVar(&expires, "expires", "", "how long they can be redeemed, like 720h or 30d; for ever if not given")
	create.Flags().StringVar(&note, "note", "", "what they are for")
	actorFlag(create, &actor)
	return requires(create, "amount")
}

// createVouchers makes the same vouchers again where nobody knows whether it has made them:
// another command would make other ones, and nobody would have seen the codes of these.
func createVouchers(ctx context.Context, books *store.Store, vouchers []*store.Voucher) (err error) {
	for range 4 {
		if err = books.CreateVouchers(ctx, vouchers); !errors.Is(err, store.ErrUnknown) {
			break
		}
	}
	return err
}

func (c *commandLine) newVoucher(amount, expires, note, actor string) (v *store.Voucher, err error) {
	v = &store.Voucher{CreatedAt: c.now()}
	if v.Amount, err = metering.ParseUSD(amount); err != nil {
		return nil, fmt.Errorf("--amount: %w", err)
	}
	if v.Amount == 0 {
		return nil, errors.New("--amount: a voucher is worth more than zero dollars")
	}
	if err := store.CheckMost(v.Amount); err != nil {
		return nil, fmt.Errorf("--amount: %w", err)
	}
	if expires != "" {
		life, err := caddy.ParseDuration(expires)
		if err != nil || life < time.Second {
			return nil, fmt.Errorf("--expires %q: write how long the vouchers can be redeemed, like 720h or 30d", expires)
		}
		v.ExpiresAt = v.CreatedAt.Add(life)
	}
	if v.Note, err = plainText("note", note); err != nil {
		return nil, err
	}
	v.Actor, err = c.actor(actor)
	return v, err
}

// nameVoucher gives a voucher its id and its code, which is returned.
func (c *commandLine) nameVoucher(v *store.Voucher) (code auth.Secret, err error) {
	if v.ID, err = c.newID(); err != nil {
		return code, err
	}
	if code, err = auth.NewVoucherCode(c.random); err != nil {
		return code, err
	}
	v.Hash, err = auth.HashVoucherCode(code.Reveal())
	return code, err
}

func (c *commandLine) voucherListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all vouchers, oldest first, without their codes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				vouchers, err := books.ListVouchers(cmd.Context())
				if err != nil {
					return err
				}
				found.header("ID", "AMOUNT USD", "STATUS", "CREATED", "EXPIRES", "REDEEMED", "BY", "NOTE")
				for _, v := range vouchers {
					found.row(c.voucherForJSON(v), v.ID, v.Amount.String(), c.voucherStatus(v), shown(v.CreatedAt), shown(v.ExpiresAt),
						shown(v.RedeemedAt), v.RedeemedBy, v.Note)
				}
				return nil
			})
		},
	}
}

// redeemedJSON is the answer to a redemption.
type redeemedJSON struct {
	AccountID string         `json:"account_id"`
	VoucherID string         `json:"voucher_id"`
	Amount    metering.Nanos `json:"amount"`
	Added     bool           `json:"added"`
	Balance   metering.Nanos `json:"balance"`
}

func (c *commandLine) voucherRedeemCommand() *cobra.Command {
	var account, actor string
	redeem := &cobra.Command{
		Use:   "redeem --account ACCOUNT [CODE]",
		Short: "Add a voucher's amount to an account, once",
		Long:  "Adds a voucher's amount to an account, once. The code is read from standard input where it is not given; case, spaces and hyphens do not matter.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := c.actor(actor)
			if err != nil {
				return err
			}
			hash, err := readVoucherCode(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, account)
				if err != nil {
					return err
				}
				v, added, err := books.RedeemVoucher(cmd.Context(), store.Redemption{AccountID: holder.ID, Hash: hash, Actor: who, At: c.now()})
				if err != nil {
					return err
				}
				after, err := books.Balance(cmd.Context(), holder.ID)
				if err != nil {
					return err
				}
				outcome := "added"
				if !added {
					outcome = "nothing added, as this account has redeemed it before"
				}
				found.facts(redeemedJSON{holder.ID, v.ID, v.Amount, added, after.Balance}, "account", nameOf(holder), "voucher", v.ID,
					"amount", dollars(v.Amount), "outcome", outcome, "balance", dollars(after.Balance))
				return nil
			})
		},
	}
	redeem.Flags().StringVar(&account, "account", "", "the account: id, e-mail address or username")
	actorFlag(redeem, &actor)
	return requires(redeem, "account")
}

// readVoucherCode hashes the code that was given, or else one line of standard input.
func readVoucherCode(input io.Reader, args []string) (auth.Hash, error) {
	const most = 4096
	var code string
	if len(args) == 1 {
		code = args[0]
	} else {
		line, err := bufio.NewReader(io.LimitReader(input, most)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return auth.Hash{}, fmt.Errorf("read the code from standard input: %w", err)
		}
		code = line
	}
	return auth.HashVoucherCode(code)
}

func (c *commandLine) voucherRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke VOUCHER",
		Short: "Take a voucher back that was not redeemed",
		Long:  "Takes a voucher back that was not redeemed. VOUCHER is its id, as voucher list shows it. Revoking it again changes nothing.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			parsed, err := uuid.Parse(strings.TrimSpace(args[0]))
			if err != nil {
				return errors.New("name the voucher by its id (voucher list shows it), not by its code")
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				id := parsed.String()
				err := books.RevokeVoucher(cmd.Context(), id, c.now())
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("there is no voucher %s: name it by its id, as voucher list shows it: %w", id, err)
				}
				if err != nil {
					return err
				}
				found.facts(revokedJSON{id, "revoked"}, "id", id, "status", "revoked")
				return nil
			})
		},
	}
}
