package store

import (
	"strings"
	"time"

	"github.com/faregate/faregate/metering"
)

// recordColumns are the columns of usage_records, in the order of recordValues and
// of recordRow.fields. A new field of the record belongs in all three, and in a migration.
var recordColumns = []string{
	"id", "account_id", "key_id", "started_at", "duration", "first_token",
	"operation", "dialect", "provider", "model_requested", "model_served", "attempts",
	"status", "http_status", "streamed", "finish_reason", "service_tier", "basis",
	"input_total", "output_total",
	"input", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h",
	"input_audio", "input_image", "input_video", "cache_read_audio", "cache_read_image", "cache_read_video",
	"output", "reasoning", "output_audio", "output_image", "output_video",
	"unit_web_search", "unit_web_fetch", "unit_x_search", "unit_file_search", "unit_code_interpreter",
	"unit_images", "unit_characters", "unit_milliseconds", "unit_pages",
	"cost", "shortfall", "price_version",
}

var (
	selectRecords = `SELECT ` + strings.Join(recordColumns, ", ") + ` FROM usage_records`
	// key_period is the settlement's, not the record's.
	insertRecordColumns = `INSERT INTO usage_records (` + strings.Join(recordColumns, ", ") + `, key_period)`
)

// recordValues appends the record's values. Durations are kept in microseconds.
func recordValues(values []any, r *metering.Record) []any {
	u := &r.Usage
	return append(values,
		r.ID, r.AccountID, r.KeyID, r.StartedAt.UnixMicro(), r.Duration.Microseconds(), r.TimeToFirstToken.Microseconds(),
		r.Operation, r.Dialect, r.Provider, r.ModelRequested, r.ModelServed, int64(r.Attempts),
		string(r.Status), int64(r.HTTPStatus), integer(r.Streamed), r.FinishReason, r.ServiceTier, string(r.Basis),
		u.InputTotal, u.OutputTotal,
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite5m, u.CacheWrite1h,
		u.InputAudio, u.InputImage, u.InputVideo, u.CacheReadAudio, u.CacheReadImage, u.CacheReadVideo,
		u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.OutputVideo,
		u.Units.WebSearch, u.Units.WebFetch, u.Units.XSearch, u.Units.FileSearch, u.Units.CodeInterpreter,
		u.Units.Images, u.Units.Characters, u.Units.Milliseconds, u.Units.Pages,
		int64(r.Cost), int64(r.Shortfall), r.PriceVersion)
}

func integer(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// recordRow is a record as it stands in its table.
type recordRow struct {
	record                        metering.Record
	started, duration, firstToken int64
	streamed                      int64
}

func (row *recordRow) fields() []any {
	r := &row.record
	u := &r.Usage
	return []any{
		&r.ID, &r.AccountID, &r.KeyID, &row.started, &row.duration, &row.firstToken,
		&r.Operation, &r.Dialect, &r.Provider, &r.ModelRequested, &r.ModelServed, &r.Attempts,
		(*string)(&r.Status), &r.HTTPStatus, &row.streamed, &r.FinishReason, &r.ServiceTier, (*string)(&r.Basis),
		&u.InputTotal, &u.OutputTotal,
		&u.Input, &u.CacheRead, &u.CacheWrite, &u.CacheWrite5m, &u.CacheWrite1h,
		&u.InputAudio, &u.InputImage, &u.InputVideo, &u.CacheReadAudio, &u.CacheReadImage, &u.CacheReadVideo,
		&u.Output, &u.Reasoning, &u.OutputAudio, &u.OutputImage, &u.OutputVideo,
		&u.Units.WebSearch, &u.Units.WebFetch, &u.Units.XSearch, &u.Units.FileSearch, &u.Units.CodeInterpreter,
		&u.Units.Images, &u.Units.Characters, &u.Units.Milliseconds, &u.Units.Pages,
		(*int64)(&r.Cost), (*int64)(&r.Shortfall), &r.PriceVersion,
	}
}

func (row *recordRow) read() *metering.Record {
	row.record.StartedAt = time.UnixMicro(row.started).UTC()
	row.record.Duration = time.Duration(row.duration) * time.Microsecond
	row.record.TimeToFirstToken = time.Duration(row.firstToken) * time.Microsecond
	row.record.Streamed = row.streamed != 0
	return &row.record
}
