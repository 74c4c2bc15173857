package caddymodule

import (
	"bytes"
	"log"
	"testing"
)

func TestLinesThatQuoteAnswersAreDropped(t *testing.T) {
	before := log.Writer()
	t.Cleanup(func() { log.SetOutput(before) })
	var written bytes.Buffer
	log.SetOutput(&written)
	keepAnswersOutOfStandardLog()
	keepAnswersOutOfStandardLog() // with every reload
	log.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "an answer", nil)
	log.Printf("anything else")
	if got := written.String(); bytes.Contains(written.Bytes(), []byte("an answer")) || !bytes.Contains(written.Bytes(), []byte("anything else")) {
		t.Errorf("written: %q", got)
	}
	if filter, ok := log.Writer().(*answerFilter); !ok || filter.Writer != &written {
		t.Error("the filter is not there, or there twice")
	}
}
