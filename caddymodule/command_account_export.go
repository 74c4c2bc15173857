package caddymodule

import (
	"bufio"
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

func (c *commandLine) accountExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export ACCOUNT",
		Short: "Print everything that is kept about an account, as JSON",
		Long: "Prints everything that is kept about an account as one JSON value: the account, its balance, its keys without their hashes, " +
			"all transfers, the sums of each day, and all usage records, oldest first.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, args[0])
				if err != nil {
					return err
				}
				return c.export(cmd, books, found.buffer, holder)
			})
		},
	}
}

// exportedAccountJSON says also whether there is a password, of which only a hash is kept.
type exportedAccountJSON struct {
	accountJSON
	PasswordSet bool `json:"password_set"`
}

// dailyJSON is the sum of a day's requests by a key to a model, which stays when the
// usage records are purged.
type dailyJSON struct {
	Day          string         `json:"day"`
	KeyID        string         `json:"key_id"`
	Provider     string         `json:"provider"`
	ModelServed  string         `json:"model_served"`
	Requests     int64          `json:"requests"`
	InputTotal   int64          `json:"input_total"`
	OutputTotal  int64          `json:"output_total"`
	Cost         metering.Nanos `json:"cost"`
	Shortfall    metering.Nanos `json:"shortfall"`
	OperatorCost metering.Nanos `json:"operator_cost"`
}

// export writes one JSON object piece by piece: records may be more than memory holds.
func (c *commandLine) export(cmd *cobra.Command, books *store.Store, out *bufio.Writer, holder *auth.Account) error {
	ctx := cmd.Context()
	balance, err := books.Balance(ctx, holder.ID)
	if err != nil {
		return err
	}
	keys, err := books.ListLimitedKeys(ctx, holder.ID)
	if err != nil {
		return err
	}
	document := &jsonDocument{out: out}
	document.field("account", exportedAccountJSON{accountForJSON(holder), holder.PasswordHash != ""})
	document.field("balance", balanceForJSON(holder.ID, balance))
	document.list("keys")
	for _, key := range keys {
		document.item(c.keyForJSON(key))
	}
	document.list("transfers")
	for transfer, err := range books.Transfers(ctx, store.TransferFilter{AccountID: holder.ID}) {
		if err != nil {
			return err
		}
		document.item(transferForJSON(transfer))
	}
	document.list("daily_usage")
	// A month at a time, up to and with today.
	for since := holder.CreatedAt.AddDate(0, 0, -1); since.Before(c.now().AddDate(0, 0, 1)); since = since.AddDate(0, 1, 0) {
		days, err := books.DailyUsage(ctx, holder.ID, since, since.AddDate(0, 1, 0))
		if err != nil {
			return err
		}
		for _, day := range days {
			document.item(dailyJSON{day.Day.Format(time.DateOnly), day.KeyID, day.Provider, day.ModelServed,
				day.Requests, day.InputTotal, day.OutputTotal, day.Cost, day.Shortfall, day.OperatorCost})
		}
	}
	document.list("usage_records")
	for record, err := range books.Records(ctx, store.Filter{AccountID: holder.ID}) {
		if err != nil {
			return err
		}
		document.item(recordForJSON(record))
	}
	return document.close()
}

// jsonDocument writes an object of values and lists, each item on a line of its own.
type jsonDocument struct {
	out    *bufio.Writer
	fields int
	inList bool
	items  int
	err    error
}

func (d *jsonDocument) field(name string, value any) {
	d.name(name)
	d.value(value)
}

func (d *jsonDocument) list(name string) {
	d.name(name)
	d.text("[")
	d.inList, d.items = true, 0
}

func (d *jsonDocument) item(value any) {
	if d.items++; d.items > 1 {
		d.text(",")
	}
	d.text("\n")
	d.value(value)
}

func (d *jsonDocument) name(name string) {
	d.endList()
	if d.fields++; d.fields == 1 {
		d.text("{\n")
	} else {
		d.text(",\n")
	}
	d.value(name)
	d.text(":")
}

func (d *jsonDocument) endList() {
	if d.inList {
		d.text("]")
	}
	d.inList = false
}

func (d *jsonDocument) value(value any) {
	encoded, err := json.Marshal(value)
	d.err = errors.Join(d.err, err)
	d.text(string(encoded))
}

func (d *jsonDocument) text(text string) {
	_, err := d.out.WriteString(text)
	d.err = errors.Join(d.err, err)
}

func (d *jsonDocument) close() error {
	d.endList()
	d.text("\n}\n")
	return d.err
}
