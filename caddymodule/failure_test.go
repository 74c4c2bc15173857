package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/faregate/faregate/internal/dialect"
)

// After 101 the connection is the body, from which reading ends when the provider likes.
func TestAnAnswerThatIsAConnectionIsNotRead(t *testing.T) {
	connection, provider := net.Pipe()
	defer func() { _ = provider.Close() }()
	f := readFailure(dialect.OpenAI, &http.Response{StatusCode: http.StatusSwitchingProtocols, Header: http.Header{"Upgrade": {"odd"}}, Body: connection}, time.Now())
	if f.passOn || !f.retryable || f.class != dialect.ProviderInvalidAnswer {
		t.Errorf("%+v", f)
	}
	if _, err := connection.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the connection is kept: %v", err)
	}
}

// A provider's error may quote the request: it is in memory until it is told, or at once
// no more where it is not.
func TestAProvidersErrorIsWiped(t *testing.T) {
	said := `{"error":{"message":"` + strings.Repeat("your prompt was … ", 1000) + `","type":"invalid_request_error"}}`
	read := func(status int) *failure {
		return readFailure(dialect.OpenAI, &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(iotest.HalfReader(strings.NewReader(said))),
		}, time.Now())
	}
	if f := read(http.StatusInternalServerError); f.passOn || f.body != nil {
		t.Errorf("an error that is not told is kept: %d bytes", len(f.body))
	}
	f := read(http.StatusBadRequest)
	if !f.passOn || string(f.body) != said {
		t.Fatalf("%+v", f)
	}
	memory := f.body[:cap(f.body)]
	body := f.response(nil, dialect.OpenAI, "id").Body
	var told bytes.Buffer
	piece := make([]byte, 1000) // as reverse_proxy reads
	for {
		n, err := body.Read(piece)
		told.Write(piece[:n])
		if err == io.EOF {
			break
		}
	}
	if told.String() != said {
		t.Errorf("told is %q", told.String())
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if bytes.ContainsAny(memory, "yourprmtwas") || bytes.ContainsAny(piece, "yourprmtwas") {
		t.Error("the error stays in memory")
	}
	if f.body != nil || f.passOn {
		t.Error("the failure still has its body")
	}
}
