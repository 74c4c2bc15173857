package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

const (
	// batchInterval is how long a line of the log may wait for others.
	batchInterval = 50 * time.Millisecond
	// batchBytes are written at once, however short they have waited.
	batchBytes = 32 << 10
)

// BatchWriter is a log output that writes lines of a busy server together (module
// caddy.logging.writers.faregate_batch). Each write wakes another program, or grows a file
// that the store's next sync has to wait for. A line after a quiet moment is written at
// once; others wait for up to 50 ms, which is what a process that is killed loses.
//
//	log {
//		output faregate_batch stderr
//	}
type BatchWriter struct {
	// ToRaw is the output that is written to. Default: stderr.
	ToRaw json.RawMessage `json:"to,omitempty" caddy:"namespace=caddy.logging.writers inline_key=output"`

	to     caddy.WriterOpener
	opened *lineBatch // nil where another configuration has opened the same output
}

// CaddyModule returns the Caddy module information.
func (BatchWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.faregate_batch", New: func() caddy.Module { return new(BatchWriter) }}
}

// Provision loads the output that is written to.
func (b *BatchWriter) Provision(ctx caddy.Context) error {
	if b.ToRaw == nil {
		b.to = caddy.StderrWriter{}
		return nil
	}
	loaded, err := ctx.LoadModule(b, "ToRaw")
	if err != nil {
		return fmt.Errorf("load the output of faregate_batch: %w", err)
	}
	to, ok := loaded.(caddy.WriterOpener)
	if !ok {
		return fmt.Errorf("the output of faregate_batch cannot be a %T", loaded)
	}
	b.to = to
	return nil
}

// String names the output.
func (b *BatchWriter) String() string { return b.to.String() }

// WriterKey tells outputs apart.
func (b *BatchWriter) WriterKey() string { return "faregate_batch " + b.to.WriterKey() }

// OpenWriter opens the output.
func (b *BatchWriter) OpenWriter() (io.WriteCloser, error) {
	opened, err := b.to.OpenWriter()
	if err != nil {
		return nil, err
	}
	b.opened = &lineBatch{out: opened, now: time.Now, after: afterFunc}
	batches.open(b.opened)
	return b.opened, nil
}

// Cleanup writes what waits: Caddy 2.11.9 closes no log output when it stops (context.go,
// OnCancel keeps the function in a copy of the context).
func (b *BatchWriter) Cleanup() error {
	if b.opened == nil {
		return nil
	}
	return b.opened.Sync()
}

// UnmarshalCaddyfile reads `output faregate_batch [OUTPUT ...]`.
func (b *BatchWriter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if !d.NextArg() {
		return nil
	}
	name := d.Val()
	var to any
	switch name { // Caddy's own, which read no Caddyfile (httpcaddyfile, parseLogHelper)
	case "stdout":
		to = caddy.StdoutWriter{}
	case "stderr":
		to = caddy.StderrWriter{}
	case "discard":
		to = caddy.DiscardWriter{}
	default:
		module, err := caddyfile.UnmarshalModule(d, "caddy.logging.writers."+name)
		if err != nil {
			return err
		}
		b.ToRaw = caddyconfig.JSONModuleObject(module, "output", name, nil)
		return nil
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	b.ToRaw = caddyconfig.JSONModuleObject(to, "output", name, nil)
	return nil
}

// lineBatch writes lines together.
type lineBatch struct {
	out   io.WriteCloser
	now   func() time.Time
	after func(time.Duration, func()) timer

	mutex   sync.Mutex
	written time.Time // when lines were written last
	lines   []byte    // that wait
	timer   timer     // ends their wait
	err     error     // of a write that nobody was told of
	direct  bool      // nothing waits any more
}

// openBatches are all of the process, which Caddy never closes.
type openBatches struct {
	mutex sync.Mutex
	all   []*lineBatch
}

var batches openBatches

func (o *openBatches) open(batch *lineBatch) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if len(o.all) == 0 {
		caddy.OnExit(func(context.Context) { o.exit() })
	}
	o.all = append(o.all, batch)
}

// exit lets nothing wait any more: the process ends without another word.
func (o *openBatches) exit() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for _, batch := range o.all {
		batch.writeDirectly()
	}
}

// Write takes one line.
func (l *lineBatch) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	waited := l.now().Sub(l.written)
	if l.direct || len(l.lines) == 0 && waited >= batchInterval {
		l.written = l.now()
		return l.out.Write(line)
	}
	if len(l.lines) == 0 {
		l.wait(batchInterval - waited)
	}
	l.lines = append(l.lines, line...)
	if len(l.lines) >= batchBytes {
		l.flush()
	}
	err := l.err
	l.err = nil
	return len(line), err
}

func (l *lineBatch) wait(time time.Duration) {
	if l.timer != nil {
		l.timer.Reset(time)
		return
	}
	l.timer = l.after(time, func() {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.flush()
	})
}

// flush writes what waits. Its error is the next writer's.
func (l *lineBatch) flush() {
	if len(l.lines) == 0 {
		return
	}
	if _, err := l.out.Write(l.lines); err != nil {
		l.err = err
	}
	l.lines, l.written = l.lines[:0], l.now()
}

// Sync writes what waits.
func (l *lineBatch) Sync() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.flush()
	err := l.err
	l.err = nil
	return err
}

// writeDirectly writes what waits, and from then on each line at once.
func (l *lineBatch) writeDirectly() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.direct = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.flush()
}

// Close writes what waits.
func (l *lineBatch) Close() error {
	l.writeDirectly()
	return l.out.Close()
}

// Interface guards
var (
	_ caddy.Provisioner     = (*BatchWriter)(nil)
	_ caddy.CleanerUpper    = (*BatchWriter)(nil)
	_ caddy.WriterOpener    = (*BatchWriter)(nil)
	_ caddyfile.Unmarshaler = (*BatchWriter)(nil)
)
