package caddymodule

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/faregate/faregate/metering"
)

// accessLines is where our access lines go.
func (a *App) accessLines() *zap.Logger {
	if a.AccessLog == accessLogOff {
		return noLines
	}
	return a.logger
}

var noLines = zap.NewNop()

// logRequest writes our access line: metadata only, no address, header or URI.
func logRequest(lines *zap.Logger, record *metering.Record) {
	if c := lines.Check(zap.InfoLevel, "handled request"); c != nil {
		c.Write(zap.Inline((*requestLine)(record)))
	}
}

// requestLine is a record as the access line tells it, in one field: a list of them
// would be made anew for each request.
type requestLine metering.Record

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (record *requestLine) MarshalLogObject(line zapcore.ObjectEncoder) error {
	line.AddString("request_id", record.ID)
	line.AddString("account_id", record.AccountID)
	line.AddString("key_id", record.KeyID)
	line.AddString("operation", record.Operation)
	line.AddString("dialect", record.Dialect)
	line.AddString("provider", record.Provider)
	line.AddString("model", record.ModelRequested)
	line.AddInt("attempts", record.Attempts)
	line.AddString("status", string(record.Status))
	line.AddInt("http_status", record.HTTPStatus)
	line.AddString("basis", string(record.Basis))
	line.AddInt64("input_tokens", record.Usage.InputTotal)
	line.AddInt64("output_tokens", record.Usage.OutputTotal)
	line.AddString("cost", record.Cost.String())
	line.AddDuration("duration", record.Duration)
	line.AddDuration("time_to_first_token", record.TimeToFirstToken)
	return nil
}

// logRefusal writes the line of a request that was answered without a provider
// and without a record: lists of models, and refusals.
func logRefusal(lines *zap.Logger, ex *Exchange, now time.Time) {
	c := lines.Check(zap.InfoLevel, "handled request")
	if c == nil {
		return
	}
	fields := []zap.Field{
		zap.String("request_id", ex.id),
		zap.String("operation", ex.operation.Name),
		zap.String("dialect", ex.dialect.String()),
		zap.Int("http_status", ex.delivery.status),
		zap.Duration("duration", now.Sub(ex.startedAt)),
	}
	if ex.principal != nil {
		fields = append(fields, zap.String("account_id", ex.principal.AccountID), zap.String("key_id", ex.principal.KeyID))
	}
	if ex.problem != nil {
		fields = append(fields, zap.String("error", string(ex.problem.Code)))
	}
	c.Write(fields...)
}

// Interface guards
var _ zapcore.ObjectMarshaler = (*requestLine)(nil)
