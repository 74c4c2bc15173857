package caddymodule

import (
	"net/http"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering"
)

// costHeader tells the caller what a request cost, in USD: a header field where the
// request is settled before the header goes out, else a trailer field.
const costHeader = "Faregate-Cost"

// costs notes what the settlement came to.
func (b *responseBody) costs(cost metering.Nanos) {
	b.cost = cost.String()
	if b.trailer != nil {
		b.trailer[costHeader] = []string{b.cost}
	}
}

// tellCost puts the cost into the header if it is known, or else announces a trailer and
// returns it. HTTP/1.1 has trailers in chunked answers only, and HTTP/1.0 has none
// (RFC 9112, 7.1.2). Clients that know nothing of them pass over them.
func (b *responseBody) tellCost(r *http.Request, header http.Header, length int64) http.Header {
	switch {
	case b.cost != "":
		dialect.AddHeader(header, costHeader, b.cost)
	case r.ProtoMajor >= 2, r.ProtoAtLeast(1, 1) && length < 0:
		b.trailer = http.Header{costHeader: nil}
	}
	return b.trailer
}
