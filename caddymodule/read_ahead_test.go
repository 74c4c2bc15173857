package caddymodule

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/usage"
)

// pausing is an answer whose pieces come after pauses.
type pausing struct {
	pieces []string
	pauses []time.Duration
}

func (p *pausing) Read(b []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, io.EOF
	}
	time.Sleep(p.pauses[0])
	n := copy(b, p.pieces[0])
	p.pieces, p.pauses = p.pieces[1:], p.pauses[1:]
	return n, nil
}

func (p *pausing) Close() error { return nil }

// An answer is read ahead until there is content, however long a provider is silent; one
// that has sent anything else is passed on after a while.
func TestReadAhead(t *testing.T) {
	const ping, content = ": ping\n\n", `data: {"choices":[{"index":0,"delta":{"content":"fare"}}]}` + "\n\n"
	for name, row := range map[string]struct {
		framing usage.Framing
		bound   time.Duration
		pieces  []string
		pauses  []time.Duration
		after   time.Duration
		pending string
	}{
		"content at once":          {usage.SSE, readAheadPatience, []string{content, content}, []time.Duration{time.Second, time.Second}, time.Second, content},
		"content after a ping":     {usage.SSE, readAheadPatience, []string{ping, content}, []time.Duration{20 * time.Second, 9 * time.Second}, 29 * time.Second, ping + content},
		"nothing but pings":        {usage.SSE, readAheadPatience, []string{ping, ping, content}, []time.Duration{20 * time.Second, 9 * time.Second, time.Minute}, 30 * time.Second, ping + ping},
		"silence, and then a ping": {usage.SSE, readAheadPatience, []string{ping, content}, []time.Duration{5 * time.Minute, time.Second}, 5 * time.Minute, ping},
		"silence, and then all":    {usage.SSE, readAheadPatience, []string{ping + content}, []time.Duration{5 * time.Minute}, 5 * time.Minute, ping + content},
		"a document in pieces":     {usage.JSON, documentPatience, []string{`{"choices":`, `[]}`}, []time.Duration{time.Minute, time.Second}, time.Minute + time.Second, `{"choices":`},
		"a document that is slow":  {usage.JSON, documentPatience, []string{" ", " ", " "}, []time.Duration{time.Minute, time.Second, time.Minute}, time.Minute + documentPatience, "  "},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			b := &responseBody{
				source: &pausing{row.pieces, row.pauses}, framing: row.framing, settlement: &settlement{now: time.Now},
				waiting: newPatience(ctx, cancel, upstream.Timeouts{FirstByte: time.Hour, Idle: time.Hour}, afterFunc),
				meter:   usage.NewMeter(usage.Options{Format: usage.OpenAIChat, Framing: row.framing}),
			}
			began := time.Now()
			failed := b.readAhead(row.bound, func() bool { return b.meter.Content() })
			if took := time.Since(began); failed != nil || took != row.after || string(b.pending) != row.pending {
				t.Errorf("%s: %v, %q after %v, want %q after %v", name, failed, b.pending, took, row.pending, row.after)
			}
			rest := strings.Join(row.pieces, "")[len(b.pending):]
			var read string
			for b.ended == nil {
				b.advance(make([]byte, 1024))
				read += string(b.pending)
			}
			if read += string(b.meter.Withheld()); read != rest {
				t.Errorf("%s: %q follows, want %q", name, read, rest)
			}
			b.waiting.stop()
			b.wipe()
		})
	}
}
