package caddymodule

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/internal/upstream"
)

// slowly is an answer whose pieces come after pauses.
type slowly struct {
	ctx    context.Context
	pauses []time.Duration
}

func (s *slowly) Read(p []byte) (int, error) {
	if len(s.pauses) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(s.pauses[0]):
		s.pauses = s.pauses[1:]
		return copy(p, "piece"), nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func (s *slowly) Close() error { return nil }

func TestPatience(t *testing.T) {
	timeouts := upstream.Timeouts{FirstByte: 10 * time.Minute, Idle: time.Minute}
	for name, row := range map[string]struct {
		pauses []time.Duration
		begins int           // at which piece there is content
		reader time.Duration // how long the client takes for each
		want   error
		after  time.Duration
	}{
		"well":                     {pauses: []time.Duration{9 * time.Minute, 59 * time.Second, 59 * time.Second}, want: io.EOF, after: 10*time.Minute + 58*time.Second},
		"a client that is slow":    {pauses: []time.Duration{time.Second, time.Second}, reader: time.Hour, want: io.EOF, after: 2*time.Hour + 2*time.Second},
		"no beginning":             {pauses: []time.Duration{11 * time.Minute}, want: errNoFirstByte, after: 10 * time.Minute},
		"pings before content":     {pauses: []time.Duration{4 * time.Minute, 4 * time.Minute, 4 * time.Minute}, begins: 2, want: errNoFirstByte, after: 10 * time.Minute},
		"quiet before content":     {pauses: []time.Duration{time.Second, 9 * time.Minute, time.Second}, begins: 1, want: io.EOF, after: 9*time.Minute + 2*time.Second},
		"a pause that is too long": {pauses: []time.Duration{time.Second, 59 * time.Second, 61 * time.Second}, want: errIdle, after: 2 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			began := time.Now()
			waiting := newPatience(ctx, cancel, timeouts, afterFunc)
			waiting.source = &slowly{ctx, row.pauses}
			var err error
			for piece := 0; err == nil; piece++ {
				if _, err = waiting.Read(make([]byte, 16)); err != nil {
					break
				}
				if piece >= row.begins {
					waiting.begin()
				}
				time.Sleep(row.reader)
			}
			if took := time.Since(began); !errors.Is(err, row.want) || took != row.after {
				t.Errorf("%s: %v after %v, want %v after %v", name, err, took, row.want, row.after)
			}
			if upstream.ResultOfError(err) != upstream.TimedOut && !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v counts as %v", name, err, upstream.ResultOfError(err))
			}
			_ = waiting.Close()
			cancel(nil)
		})
	}
}
