package caddymodule

import (
	"time"

	"go.uber.org/zap"

	"github.com/faregate/faregate/metering"
)

// logRequest writes our access line: metadata only, no address, header or URI.
func logRequest(logger *zap.Logger, record *metering.Record) {
	if c := logger.Check(zap.InfoLevel, "handled request"); c != nil {
		c.Write(
			zap.String("request_id", record.ID),
			zap.String("account_id", record.AccountID),
			zap.String("key_id", record.KeyID),
			zap.String("operation", record.Operation),
			zap.String("dialect", record.Dialect),
			zap.String("provider", record.Provider),
			zap.String("model", record.ModelRequested),
			zap.Int("attempts", record.Attempts),
			zap.String("status", string(record.Status)),
			zap.Int("http_status", record.HTTPStatus),
			zap.String("basis", string(record.Basis)),
			zap.Int64("input_tokens", record.Usage.InputTotal),
			zap.Int64("output_tokens", record.Usage.OutputTotal),
			zap.Stringer("cost", record.Cost),
			zap.Duration("duration", record.Duration),
			zap.Duration("time_to_first_token", record.TimeToFirstToken),
		)
	}
}

// logRefusal writes the line of a request that was answered without a provider
// and without a record: lists of models, and refusals.
func logRefusal(logger *zap.Logger, ex *Exchange, now time.Time) {
	c := logger.Check(zap.InfoLevel, "handled request")
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
