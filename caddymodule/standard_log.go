package caddymodule

import (
	"bytes"
	"io"
	"log"
	"sync"
)

// unsolicited begins what net/http prints through Go's standard logger when a
// provider sends more than it promised; the rest of the line quotes the answer's
// bytes (net/http, transport.go, readLoopPeekFailLocked).
var unsolicited = []byte("Unsolicited response received on idle HTTP channel")

var standardLog sync.Mutex

// keepAnswersOutOfStandardLog takes that line out. Caddy sends the standard logger
// into its own log with every configuration that it loads (logging.go), so this
// is done anew with every start.
func keepAnswersOutOfStandardLog() {
	standardLog.Lock()
	defer standardLog.Unlock()
	if _, done := log.Writer().(*answerFilter); !done {
		log.SetOutput(&answerFilter{log.Writer()})
	}
}

// answerFilter is a log writer that drops the lines which quote answers.
type answerFilter struct{ io.Writer }

func (f *answerFilter) Write(line []byte) (int, error) {
	if bytes.Contains(line, unsolicited) {
		return len(line), nil
	}
	return f.Writer.Write(line)
}
