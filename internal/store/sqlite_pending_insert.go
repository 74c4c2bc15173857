package store

import (
	"context"
	"slices"
	"strings"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// pendingTogether are how many plain records one statement writes, down to one. What a
// statement costs beside its values is as much as a third of what a record's values cost.
var pendingTogether = [...]int{16, 8, 4, 2, 1}

// pendingKind is what many records have in common: all of their texts but the ids.
type pendingKind struct {
	operation, dialect, provider, modelRequested, modelServed string
	attempts, httpStatus                                      int
	status                                                    metering.Status
	streamed                                                  bool
	finishReason, serviceTier                                 string
	basis                                                     metering.Basis
	priceVersion                                              string
}

// kindColumns are those of pending_kinds, in the order of kindValues.
var kindColumns = []string{
	"operation", "dialect", "provider", "model_requested", "model_served", "attempts", "http_status", "status", "streamed",
	"finish_reason", "service_tier", "basis", "price_version",
}

func kindOf(r *metering.Record) pendingKind {
	return pendingKind{
		operation: r.Operation, dialect: r.Dialect, provider: r.Provider, modelRequested: r.ModelRequested, modelServed: r.ModelServed,
		attempts: r.Attempts, httpStatus: r.HTTPStatus, status: r.Status, streamed: r.Streamed,
		finishReason: r.FinishReason, serviceTier: r.ServiceTier, basis: r.Basis, priceVersion: r.PriceVersion,
	}
}

func kindValues(values []any, k *pendingKind) []any {
	return append(values, k.operation, k.dialect, k.provider, k.modelRequested, k.modelServed, int64(k.attempts), int64(k.httpStatus),
		string(k.status), integer(k.streamed), k.finishReason, k.serviceTier, string(k.basis), k.priceVersion)
}

// isRare tells of each of recordColumns whether it is zero in most records. Each value
// that a statement is given costs as much as all else that is done with a zero.
var isRare = columnsAre(
	"cache_write", "cache_write_5m", "cache_write_1h", "input_audio", "input_image", "input_video",
	"cache_read_audio", "cache_read_image", "cache_read_video", "output_audio", "output_image", "output_video",
	"unit_web_search", "unit_web_fetch", "unit_x_search", "unit_file_search", "unit_code_interpreter",
	"unit_images", "unit_characters", "unit_milliseconds", "unit_pages", "shortfall",
)

// isKind tells of each of recordColumns whether it is one of kindColumns.
var isKind = columnsAre(kindColumns...)

func columnsAre(names ...string) []bool {
	are := make([]bool, len(recordColumns))
	for i, column := range recordColumns {
		are[i] = slices.Contains(names, column)
	}
	return are
}

var (
	insertKind    = `INSERT INTO pending_kinds (kind, node, epoch, ` + strings.Join(kindColumns, ", ") + `) VALUES (` + places(len(kindColumns)+3) + `)`
	insertPending = insertPendingRecords(make([]bool, len(recordColumns)), 1)
	insertPlain   = func() (statements [len(pendingTogether)]string) {
		for i, records := range pendingTogether {
			statements[i] = insertPendingRecords(isRare, records)
		}
		return statements
	}()
)

func places(count int) string { return strings.Repeat("?, ", count-1) + "?" }

// insertPendingRecords is the statement that writes so many records, without the columns
// that are left out.
func insertPendingRecords(without []bool, records int) string {
	columns := []string{"kind", "key_period"}
	for i, column := range recordColumns {
		if !isKind[i] && !without[i] {
			columns = append(columns, column)
		}
	}
	rows := strings.Repeat(`(`+places(len(columns))+`), `, records)
	return `INSERT INTO pending_records (` + strings.Join(columns, ", ") + `) VALUES ` + strings.TrimSuffix(rows, ", ")
}

// insertPending appends records: plain ones some at a time, those with values in rare
// columns each by itself.
func (c *writerConnection) insertPending(ctx context.Context, settlements []*ledger.Settlement) error {
	together := c.together[:0]
	defer func() {
		clear(together[:cap(together)]) // ids, which nobody needs any more
		c.together = together
	}()
	plain, size := 0, 0
	for _, settlement := range settlements {
		kind, err := c.kind(ctx, &settlement.Record)
		if err != nil {
			return err
		}
		var period any
		if settlement.Limited {
			period = settlement.PeriodStart
		}
		before := len(together)
		var isPlain bool
		if together, isPlain = pendingValues(append(together, kind, period), &settlement.Record); !isPlain {
			if _, err := c.exec(ctx, insertPending, together[before:]...); err != nil {
				return err
			}
			together = together[:before]
			continue
		}
		size = len(together) - before
		if plain++; plain == pendingTogether[0] {
			if _, err := c.exec(ctx, insertPlain[0], together...); err != nil {
				return err
			}
			together, plain = together[:0], 0
		}
	}
	rest := together
	for i, records := range pendingTogether {
		if plain >= records { // once at most, as each is twice the next
			if _, err := c.exec(ctx, insertPlain[i], rest[:records*size]...); err != nil {
				return err
			}
			rest, plain = rest[records*size:], plain-records
		}
	}
	return nil
}

// pendingValues appends those of the record's values that are not its kind's; of a plain
// record without the rare ones, which are all zero.
func pendingValues(values []any, record *metering.Record) (all []any, isPlain bool) {
	var buffer [64]any
	without := withoutKind(*record) // a text is allocated to be a value
	own := recordValues(buffer[:0], &without)
	isPlain = true
	for i, value := range own {
		isPlain = isPlain && (!isRare[i] || value == any(int64(0)))
	}
	for i, value := range own {
		if !isKind[i] && (!isPlain || !isRare[i]) {
			values = append(values, value)
		}
	}
	return values, isPlain
}

// withoutKind is the record without what kindOf has.
func withoutKind(r metering.Record) metering.Record {
	r.Operation, r.Dialect, r.Provider, r.ModelRequested, r.ModelServed = "", "", "", "", ""
	r.Attempts, r.HTTPStatus, r.Status, r.Streamed = 0, 0, "", false
	r.FinishReason, r.ServiceTier, r.Basis, r.PriceVersion = "", "", "", ""
	return r
}

// kind returns the number of the record's kind, and writes it where it is new.
func (c *writerConnection) kind(ctx context.Context, record *metering.Record) (int64, error) {
	p, kind := &c.pending, kindOf(record)
	number, ok := p.kinds[kind]
	if !ok {
		number = int64(len(p.kinds)) + 1
		values := kindValues([]any{number, p.lease.Node, p.lease.Epoch}, &kind)
		if _, err := c.exec(ctx, insertKind, values...); err != nil {
			return 0, err
		}
		p.kinds[kind] = number
	}
	return number, nil
}
