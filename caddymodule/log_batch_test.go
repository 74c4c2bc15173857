package caddymodule

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// keptOutput keeps what is written to it, a piece for each write.
type keptOutput struct {
	mutex  sync.Mutex
	writes []string
	err    error
	closed bool
}

func (o *keptOutput) Write(p []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.writes = append(o.writes, string(p))
	return len(p), nil
}

func (o *keptOutput) Close() error {
	o.closed = true
	return nil
}

// byHand is a batch whose clock and timer are the test's.
func byHand(out *keptOutput) (batch *lineBatch, pass func(time.Duration), expire func()) {
	now := time.Unix(1000, 0)
	var due func()
	batch = &lineBatch{out: out, now: func() time.Time { return now }, after: func(_ time.Duration, do func()) timer {
		due = do
		return time.NewTimer(time.Hour)
	}}
	return batch, func(d time.Duration) { now = now.Add(d) }, func() { due() }
}

func mustWrite(t *testing.T, batch *lineBatch, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if n, err := batch.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("%q: %d, %v", line, n, err)
		}
	}
}

func (o *keptOutput) mustBe(t *testing.T, want ...string) {
	t.Helper()
	if strings.Join(o.writes, "|") != strings.Join(want, "|") {
		t.Fatalf("written: %q, want %q", o.writes, want)
	}
}

func TestLinesOfABusyServerAreWrittenTogether(t *testing.T) {
	out := new(keptOutput)
	batch, pass, expire := byHand(out)
	mustWrite(t, batch, "a\n", "b\n", "c\n")
	out.mustBe(t, "a\n") // at once, as nothing was written before
	expire()
	out.mustBe(t, "a\n", "b\nc\n")
	pass(batchInterval)
	mustWrite(t, batch, "d\n", "e\n")
	out.mustBe(t, "a\n", "b\nc\n", "d\n")
	long := strings.Repeat("x", batchBytes) + "\n"
	mustWrite(t, batch, long, "f\n")
	out.mustBe(t, "a\n", "b\nc\n", "d\n", "e\n"+long)
	if err := batch.Sync(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, batch, "g\n")
	var process openBatches
	process.all = append(process.all, batch)
	process.exit()
	mustWrite(t, batch, "h\n") // the last words of a process
	out.mustBe(t, "a\n", "b\nc\n", "d\n", "e\n"+long, "f\n", "g\n", "h\n")
	if err := batch.Close(); err != nil || !out.closed {
		t.Fatal(err)
	}
}

func TestALineThatCannotBeWrittenIsTold(t *testing.T) {
	out := new(keptOutput)
	batch, _, expire := byHand(out)
	mustWrite(t, batch, "a\n", "b\n")
	out.err = errors.New("the disk is full")
	expire()
	if _, err := batch.Write([]byte("c\n")); !errors.Is(err, out.err) {
		t.Errorf("the next write: %v", err)
	}
	out.err = nil
	if err := batch.Sync(); err != nil {
		t.Errorf("a sync after that: %v", err)
	}
	out.mustBe(t, "a\n", "c\n")
}

// A batched log has each line of the server, the last ones before a stop too.
func TestABatchedLogIsWhole(t *testing.T) {
	g := newGateway(t, gatewayOptions{})
	g.config = strings.Replace(g.config, "output file ", "output faregate_batch file ", 1)
	g.run()
	const calls = 20
	for range calls {
		if got := g.call("/v1/chat/completions", chatBody); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(g.logFile)
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(log, []byte(`"msg":"handled request"`)); lines != calls {
		t.Errorf("%d lines for %d requests:\n%s", lines, calls, log)
	}
}
